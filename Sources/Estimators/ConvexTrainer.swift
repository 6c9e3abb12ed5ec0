import ConvexNetworks
import Datasets
import Foundation
import Proximal
import RunLog
import Torch

/// Trains a model on a dataset: standardisation, patterns, penalty, convex solve, certificate, scores.
public struct ConvexTrainer {
    /// What to do.
    public var options: FitOptions

    /// Creates a trainer.
    public init(options: FitOptions = FitOptions()) { self.options = options }

    /// Trains on `data.train` and scores on `data.test` where there is one.
    ///
    /// A run that goes on from a checkpoint gives the result of one that was never interrupted, bit for bit on a CPU with
    /// the same number of threads.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and options; limits of iterations and time may
    ///     differ.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: `DataError` for data that cannot be used; `InterchangeError` for a checkpoint of another run;
    ///   `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, resumingFrom checkpoint: String? = nil,
        observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: ConvexModel, report: FitReport) {
        try data.requireTarget()
        if let fault = memoryFault(data) { throw fault }
        let (dataHash, identity) = (data.train.hash, try options.identity + data.testIdentity)
        let state = try checkpoint.map {
            try ConvexState.read($0, identity: identity, dataHash: dataHash, device: options.device)
        }
        if let done = state?.fit.state.iteration, done > options.convex.maxIterations {
            throw DataError(
                subject: checkpoint ?? "", problem: "is of iteration \(done), beyond `maxIterations`",
                advice: "Raise it: nothing is left to do")
        }
        let run = try ConvexRun(
            options: options, data: data, dataHash: dataHash, resume: state,
            write: { try $0.write(identity: identity, dataHash: dataHash, to: $1) })
        return try run.execute(observe)
    }

    /// What is wrong with a run that this machine has no memory for, before any time is spent; nil where it has.
    func memoryFault(_ data: LoadedData) -> DataError? {
        let features = data.train.features
        // A mapped file need not fit in memory.
        let onDisk = features.isMapped ? Double(features.count) * Double(features.dtype.byteCount) : 0
        let (needed, present) = (estimatedBytes(data) - onDisk, Double(ProcessInfo.processInfo.physicalMemory))
        guard needed > present else { return nil }
        return DataError(
            subject: data.train.name,
            problem: String(
                format: "the run would need about %.0f GB of memory, this machine has %.0f GB", needed / 1e9,
                present / 1e9),
            advice: "Take fewer neurons, patterns or rows")
    }

    /// Bytes that the main solve will need, data included: stated before a run starts.
    public func estimatedBytes(_ data: LoadedData) -> Double {
        // Sizes that are asked for may be larger than any whole number holds.
        let (rows, columns) = (Double(data.train.count), Double(data.train.features.shape[1]))
        let outputs = Double(data.outputs)
        let sizes = Sizes(options: options, rows: data.train.count)
        let element = Double(
            options.resolvedPrecision(
                rows: data.train.count, columns: data.train.features.shape[1], outputs: data.outputs
            ).byteCount)
        let d = min(rows, columns + (options.hasBias ? 1 : 0))
        let isShared = sizes.isStochastic && options.convex.formulation == .relu
        let perPattern = isShared ? 1 : outputs * (options.convex.formulation == .relu ? 2 : 1)
        let m = Double(sizes.patterns) * perPattern
        // Cone variables, multipliers, and what one iteration makes of them.
        let cones = options.convex.formulation == .relu ? 6 * rows * m : 0
        let features = (rows + Double(data.test?.count ?? 0)) * columns
        let raw = features * Double(data.train.features.dtype.byteCount)
        // The solver's own rows and a product of their size; of wide data, coordinates.
        let scaled = 2 * (d < columns ? rows * d : features)
        let transposes = PatternOperator.keepsTransposes(of: [Int(rows), Int(d)]) ? rows * d : 0
        let solve = (scaled + transposes + cones + 8 * d * m + 8 * rows * outputs) * element
        return raw + solve + rows * Double(sizes.patterns) + 24 * d * d + Self.engineBytes
    }

    /// What the engine takes before it holds any data.
    private static let engineBytes = 350_000_000.0
}

/// Default sizes for a number of rows.
struct Sizes {
    /// Hidden units of a stochastic run, or number of patterns.
    let patterns: Int
    /// Whether patterns come from a stochastic run.
    let isStochastic: Bool
    /// Whether the penalty is searched by cross-validation.
    let searchesPenalty: Bool

    init(options: FitOptions, rows: Int) {
        let isLarge = rows > options.crossValidationRows
        searchesPenalty = options.penalty == .search || options.penalty == .automatic && !isLarge
        isStochastic = options.patterns == .network
        switch options.patterns {
        case .network: patterns = options.neurons ?? (isLarge ? 128 : 64)
        case .sampled(let count): patterns = count
        case .grow: patterns = options.neurons ?? 64
        case .source(let source): patterns = source.count
        }
    }
}
