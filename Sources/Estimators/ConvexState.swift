import ConvexNetworks
import Interchange
import RunLog
import Torch

/// Everything that a convex run is once its penalty and patterns are chosen: written to a checkpoint and read back, it
/// goes on as if nothing had happened.
struct ConvexState {
    /// The solver's part.
    var fit: FitCheckpoint
    /// What was chosen, and what has happened.
    var kept: Kept

    /// What is not the solver's.
    struct Kept: Codable {
        /// The penalty that was chosen.
        var penalty: Double
        /// How it was chosen.
        var penaltyChoice: String
        /// Hidden units or patterns that were chosen.
        var patterns: Int
        /// What the penalty search tried.
        var path: [PathPoint] = []
        /// Seconds spent so far.
        var seconds = 0.0
        /// Those by phase.
        var phases: [String: Double] = [:]
        /// History so far.
        var history: [HistoryPoint] = []

        /// Whether a run can have these numbers; tensors are checked where the data are known.
        var isPossible: Bool {
            penalty > 0 && penalty.isFinite && (0...1 << 31).contains(patterns)
                && (phases.values + [seconds]).allSatisfy { $0 >= 0 && $0 < 1e12 }
        }
    }

    /// What is not a tensor.
    private struct Header: Codable {
        var kept: Kept
        var round: Int
        var rho: Double
        var iteration: Int
        var innerIterations: Int
        var keptPatterns: [Int]
        var hasInitial: Bool
    }

    private static func key(_ identity: String, _ dataHash: String) -> CheckpointFile<Header>.Key {
        .init(method: "convex", identity: identity, dataHash: dataHash)
    }

    /// Writes the file, by way of a temporary one.
    func write(identity: String, dataHash: String, to path: String) throws {
        let state = fit.state
        var tensors: [(String, Tensor)] = [
            ("gates", fit.patterns.gates), ("mask", fit.patterns.mask), ("u", state.u), ("v", state.v),
            ("lambda", state.lambda), ("z", state.z), ("mu", state.mu), ("fitted", state.fitted),
        ]
        if let w = state.w { tensors.append(("w", w)) }
        if let directions = fit.directions { tensors.append(("directions", directions)) }
        if let initial = fit.initial {
            tensors.append(("initial.hidden", initial.hidden))
            tensors.append(("initial.output", initial.output))
        }
        let header = Header(
            kept: kept, round: fit.round, rho: state.rho, iteration: state.iteration,
            innerIterations: state.innerIterations, keptPatterns: fit.patterns.kept, hasInitial: fit.initial != nil)
        try CheckpointFile(header, tensors: tensors.map { (name: $0.0, array: $0.1.arrayData) })
            .write(to: path, key: Self.key(identity, dataHash))
    }

    /// Reads the file of a run with the same settings and data.
    ///
    /// - Throws: `InterchangeError` when the file is missing, damaged or of another run.
    static func read(_ path: String, identity: String, dataHash: String, device: Device) throws -> ConvexState {
        try read(SafeTensors.read(path), path: path, identity: identity, dataHash: dataHash, device: device)
    }

    /// Reads the content of a file; `path` is named in errors.
    static func read(
        _ file: SafeTensorsFile, path: String, identity: String, dataHash: String, device: Device
    ) throws -> ConvexState {
        func damaged(_ how: String) -> InterchangeError {
            InterchangeError(
                path: path, problem: "is a damaged checkpoint: \(how)", advice: "Discard it, and start the run again")
        }
        let header = try CheckpointFile<Header>(file, path: path, key: key(identity, dataHash)).state
        guard header.kept.isPossible else { throw damaged("it holds numbers that no run has") }
        let tensor = { (name: String) throws -> Tensor in
            guard let array = file[name] else { throw damaged("it lacks '\(name)'") }
            return Tensor(array).to(device: device)
        }
        let optional = { (name: String) throws -> Tensor? in file[name] == nil ? nil : try tensor(name) }
        let state = ADMMState(
            u: try tensor("u"), v: try tensor("v"), lambda: try tensor("lambda"), w: try optional("w"),
            z: try tensor("z"), mu: try tensor("mu"), fitted: try tensor("fitted"), rho: header.rho,
            iteration: header.iteration, innerIterations: header.innerIterations)
        var initial: TwoLayerNetwork?
        if header.hasInitial {
            let (hidden, output) = (try tensor("initial.hidden"), try tensor("initial.output"))
            guard hidden.rank == 2, output.rank == 2, hidden.shape[1] == output.shape[0] else {
                throw damaged("its first network has layers that do not fit")
            }
            initial = TwoLayerNetwork(hidden: hidden, output: output)
        }
        let patterns = ActivationPatterns(
            gates: try tensor("gates"), mask: try tensor("mask"), kept: header.keptPatterns)
        let fit = FitCheckpoint(
            patterns: patterns, directions: try optional("directions"), state: state, round: header.round,
            initial: initial)
        return ConvexState(fit: fit, kept: header.kept)
    }
}
