import ConvexNetworks
import Foundation
import Interchange
import Torch

/// Reads and writes the checkpoint of an interrupted run: one safetensors file, replaced atomically.
public enum CheckpointFile {
    /// Everything of a checkpoint that is not a tensor.
    private struct Header: Codable {
        var arguments: [String]
        var dataHash: String
        var penalty: Double
        var penaltyChoice: String
        var patterns: Int
        var phases: [String: Double]
        var history: [ConvexRunPoint]
        var round: Int
        var rho: Double
        var iteration: Int
        var innerIterations: Int
        var kept: [Int]
        var initialUnits: Bool

        /// Whether a run can have these numbers; its tensors are checked where the data are known.
        var isPossible: Bool {
            penalty > 0 && penalty.isFinite && (0...1 << 31).contains(patterns)
                && phases.values.allSatisfy { $0 >= 0 && $0 < 1e12 }
        }
    }

    /// What a checkpoint file holds.
    public struct Contents {
        /// The state to resume from.
        public var checkpoint: ConvexRunCheckpoint
        /// The arguments of the run that wrote it.
        public var arguments: [String]
        /// Hash of the training data of that run.
        public var dataHash: String
    }

    /// Writes a checkpoint.
    ///
    /// - Throws: `InterchangeError` when the file cannot be written; an older checkpoint then stays as it was.
    public static func write(
        _ checkpoint: ConvexRunCheckpoint, arguments: [String], dataHash: String, to path: String
    ) throws {
        let fit = checkpoint.fit
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
            arguments: arguments, dataHash: dataHash, penalty: checkpoint.penalty,
            penaltyChoice: checkpoint.penaltyChoice, patterns: checkpoint.patterns, phases: checkpoint.phases,
            history: checkpoint.history, round: fit.round, rho: state.rho, iteration: state.iteration,
            innerIterations: state.innerIterations, kept: fit.patterns.kept, initialUnits: fit.initial != nil)
        let text = String(decoding: try JSONEncoder().encode(header), as: UTF8.self)
        let file = SafeTensorsFile(
            tensors: tensors.map { (name: $0.0, array: $0.1.arrayData) }, metadata: ["descent.checkpoint": text])
        try SafeTensors.write(file.sealed(), to: path)
    }

    /// Reads a checkpoint.
    ///
    /// - Throws: `InterchangeError` when the file is missing, damaged or not a checkpoint.
    public static func read(_ path: String, device: Device) throws -> Contents {
        try contents(of: SafeTensors.read(path), path: path, device: device)
    }

    /// Reads the content of a checkpoint file; `path` is named in errors.
    static func contents(of file: SafeTensorsFile, path: String, device: Device) throws -> Contents {
        guard let text = file.metadata["descent.checkpoint"],
            let header = try? JSONDecoder().decode(Header.self, from: Data(text.utf8)), file.isSealed
        else {
            throw InterchangeError(
                path: path, problem: "is not a checkpoint of this version of Descent",
                advice: "Discard it, and start the run again")
        }
        guard file.isIntact else {
            throw InterchangeError(
                path: path, problem: "is a damaged checkpoint: its checksum is not that of its content",
                advice: "Discard it, and start the run again")
        }
        guard header.isPossible else {
            throw InterchangeError(
                path: path, problem: "is a damaged checkpoint: it holds numbers that no run has",
                advice: "Discard it, and start the run again")
        }
        let tensor = { (name: String) throws -> Tensor in
            guard let array = file[name] else {
                throw InterchangeError(
                    path: path, problem: "lacks '\(name)'", advice: "Discard it, and start the run again")
            }
            return Tensor(array).to(device: device)
        }
        let state = ADMMState(
            u: try tensor("u"), v: try tensor("v"), lambda: try tensor("lambda"),
            w: file["w"] == nil ? nil : try tensor("w"), z: try tensor("z"), mu: try tensor("mu"),
            fitted: try tensor("fitted"), rho: header.rho, iteration: header.iteration,
            innerIterations: header.innerIterations)
        var initial: TwoLayerNetwork?
        if header.initialUnits {
            let (hidden, output) = (try tensor("initial.hidden"), try tensor("initial.output"))
            guard hidden.rank == 2, output.rank == 2, hidden.shape[1] == output.shape[0] else {
                throw InterchangeError(
                    path: path, problem: "is a damaged checkpoint: its first network has layers that do not fit",
                    advice: "Discard it, and start the run again")
            }
            initial = TwoLayerNetwork(hidden: hidden, output: output)
        }
        let fit = FitCheckpoint(
            patterns: ActivationPatterns(gates: try tensor("gates"), mask: try tensor("mask"), kept: header.kept),
            directions: file["directions"] == nil ? nil : try tensor("directions"), state: state, round: header.round,
            initial: initial)
        return Contents(
            checkpoint: ConvexRunCheckpoint(
                fit: fit, penalty: header.penalty, penaltyChoice: header.penaltyChoice, patterns: header.patterns,
                phases: header.phases, history: header.history),
            arguments: header.arguments, dataHash: header.dataHash)
    }
}
