import ConvexNetworks
import Datasets
import Foundation
import Proximal
import RunLog
import Torch

/// What a trainer reports while it runs.
public struct ConvexRunEvent {
    /// Where the run is, with scores where they were computed.
    public var progress: RunLog.Progress
    /// What a checkpoint must hold to go on, when the run can be interrupted here.
    public var checkpoint: ConvexRunCheckpoint?
}

/// State of an interrupted training run.
public struct ConvexRunCheckpoint: Sendable {
    /// The solver's part.
    public var fit: FitCheckpoint
    /// The penalty that was chosen.
    public var penalty: Double
    /// How it was chosen.
    public var penaltyChoice: String
    /// Hidden units or patterns that were chosen.
    public var patterns: Int
    /// Seconds spent so far, by phase.
    public var phases: [String: Double]
    /// History so far.
    public var history: [ConvexRunPoint]
}

/// Trains a model on a dataset: standardisation, patterns, penalty, convex solve, certificate, scores.
public struct ConvexTrainer {
    /// What to do.
    public var options: FitOptions

    /// Creates a trainer.
    public init(options: FitOptions = FitOptions()) { self.options = options }

    /// Trains on `data.train` and scores on `data.test` where there is one.
    ///
    /// - Throws: `DataError` for data that cannot be used, `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, resume: ConvexRunCheckpoint? = nil,
        observe: (ConvexRunEvent) -> Directive = { _ in .proceed }
    ) throws -> (model: ConvexModel, report: FitReport) {
        if let fault = memoryFault(data) { throw fault }
        let run = try TrainingRun(options: options, data: data, resume: resume)
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

/// One training run in progress.
private final class TrainingRun {
    let options: FitOptions
    let data: LoadedData
    let resume: ConvexRunCheckpoint?
    let watch: Stopwatch
    let device: Device
    let standardiser: Standardiser
    let train: Dataset
    let held: Dataset?
    let loss: any Loss
    let targets: EncodedTargets
    let design: TrainingDesign
    let heldX: Tensor?
    let testX: Tensor?
    var notices: [String]
    var history: [ConvexRunPoint]
    /// The training rows in the solver's coordinates.
    var x: Tensor { design.x }
    /// The penalty is not the one of an uninterrupted run, so a checkpoint must not fix it.
    var isSearchCut = false

    init(options: FitOptions, data: LoadedData, resume: ConvexRunCheckpoint?) throws {
        self.options = options
        self.data = data
        self.resume = resume
        watch = Stopwatch(elapsed: resume?.phases.values.reduce(0, +) ?? 0, phases: resume?.phases ?? [:])
        history = resume?.history ?? []
        device = options.device
        let (kept, heldOut) = try data.train.split(holding: options.validation ?? 0, seed: options.convex.seed)
        train = kept
        held = heldOut
        let method = options.standardisation ?? (data.train.imageShape == nil ? .perColumn : .global)
        let dtype = options.resolvedPrecision(
            rows: train.count, columns: train.features.shape[1],
            outputs: data.outputs)
        loss = options.resolvedLoss(data.task, outputs: data.train.classNames.count)
        let fitted = options.standardiser ?? Standardiser(fitting: train.features, method: method)
        standardiser = fitted
        notices = data.train.notices + fitted.notices
        targets = EncodedTargets(train, task: data.task, loss: loss, dtype: dtype, standardises: method != .none)
        guard !targets.matrix.sum().scalar.isNaN else {
            throw DataError(
                subject: data.train.name, problem: "some targets are no numbers", advice: "Correct those rows")
        }
        // Before rounding: what is too small for the type is zero behind it.
        let raw = method == .none ? train.targets ?? targets.matrix : targets.matrix
        try Self.requireRange(raw, dtype, "targets", data)
        if method == .none {
            let size = try Self.requireRange(data.train.features, dtype, "columns", data)
            // Models compute in single precision, whatever they were solved in.
            guard size < 1e38 else {
                throw DataError(
                    subject: data.train.name, problem: "some columns are too large for the model's single precision",
                    advice: "Rescale them, or standardise")
            }
        }
        design = try TrainingDesign(train, standardiser: fitted, options: options, dtype: dtype, watch: watch)
        notices += design.notice.map { [$0] } ?? []
        heldX = try held.map(design.matrix)
        testX = try data.test.map(design.matrix)
        try checkPatterns()
    }

    /// Losses square what they are given: neither the sum of the squares nor all of them may leave the type's range.
    ///
    /// - Returns: the size of the largest number.
    @discardableResult
    private static func requireRange(
        _ values: Tensor, _ dtype: DType, _ what: String, _ data: LoadedData
    ) throws -> Double {
        let size = max(abs(values.max().scalar), abs(values.min().scalar))
        let (least, greatest) = dtype == .float64 ? (1e-140, 1e140) : (1e-14, 1e14)
        guard size != 0, !size.isNaN, !(least..<greatest).contains(size) else { return size }
        throw DataError(
            subject: data.train.name, problem: "the \(what) are too \(size < least ? "small" : "large") for \(dtype)",
            advice: "Rescale them, standardise, or ask for double precision (`precision` float64)")
    }

    /// Gates and networks from files must go with the data.
    private func checkPatterns() throws {
        guard case .source(let source) = options.patterns else { return }
        let (columns, outputs) = (design.columns, targets.matrix.shape[1])
        let bias = options.hasBias ? ", the bias among them" : ""
        switch source {
        case .gates(let gates):
            guard gates.shape[0] == columns, gates.isFinite else {
                throw DataError(
                    subject: "gates",
                    problem: gates.isFinite
                        ? "they have \(gates.shape[0]) rows, but the data \(columns) columns\(bias)"
                        : "they hold NaN or infinity",
                    advice: "Give one row for each column that is kept, and one for the bias where there is one")
            }
        case .given(let network):
            guard network.units > 0 else {
                throw DataError(
                    subject: "`patterns`", problem: "the model has no hidden units, so it has no patterns",
                    advice: "Take another model")
            }
            guard network.hidden.shape[0] == columns, network.outputs == outputs else {
                throw DataError(
                    subject: "`patterns`",
                    problem: "the model has \(network.hidden.shape[0]) columns\(bias), and \(network.outputs) outputs, "
                        + "the data \(columns) and \(outputs)",
                    advice: "Take a model of the same columns, classes and kind of loss")
            }
        default: return
        }
    }

    func execute(_ observe: (ConvexRunEvent) -> Directive) throws -> (model: ConvexModel, report: FitReport) {
        let sizes = Sizes(options: options, rows: train.count)
        let choice = try choosePenalty(sizes, observe)
        var settings = options.convex
        settings.penalty = choice.penalty
        settings.patterns = source(choice.patterns)
        let fit = ConvexFit(settings: settings, loss: loss)
        let y = targets.matrix.to(device: device)
        let result = try fit.run(x: x, y: y, resume: resume?.fit, watch: watch) { event in
            let progress = self.scored(event)
            let checkpoint =
                isSearchCut
                ? nil
                : event.checkpoint.map {
                    ConvexRunCheckpoint(
                        fit: $0, penalty: choice.penalty, penaltyChoice: choice.reason, patterns: choice.patterns,
                        phases: self.watch.phases, history: self.history)
                }
            return observe(ConvexRunEvent(progress: progress, checkpoint: checkpoint))
        }
        notices += result.notices
        let model = try self.model(result.solution.network)
        var reporter = ReportBuilder(
            options: options, data: data, rows: train.count, model: model, result: result, loss: loss,
            dtype: x.dtype)
        reporter.fillScores(
            train: score(result.solution.network, x, train),
            held: heldX.map { score(result.solution.network, $0, held!) },
            test: testX.map { score(result.solution.network, $0, data.test!) },
            initial: result.initialNetwork.map { first in
                (score(first, x, train), testX.map { score(first, $0, data.test!) })
            })
        let program = result.programNetwork
        reporter.report.convexTrainScore = score(program, x, train)
        reporter.report.convexTestScore = testX.map { score(program, $0, data.test!) }
        reporter.fillRun(watch: watch, notices: notices, history: history, path: choice.path, choice: choice.reason)
        return (model, reporter.report)
    }

    // MARK: Choices

    private func choosePenalty(
        _ sizes: Sizes, _ observe: (ConvexRunEvent) -> Directive
    ) throws -> PenaltySearch.Choice {
        if let resume {
            if case .fixed(let penalty) = options.penalty, penalty != resume.penalty {
                throw DataError(
                    subject: data.train.name,
                    problem: "the checkpoint is of a run with the penalty \(resume.penalty), not \(penalty)",
                    advice: "Resume with the same arguments")
            }
            return .init(penalty: resume.penalty, patterns: resume.patterns, path: [], reason: resume.penaltyChoice)
        }
        if case .fixed(let penalty) = options.penalty {
            return .init(penalty: penalty, patterns: sizes.patterns, path: [], reason: "given")
        }
        let isCheap = train.count * x.shape[1] <= options.crossValidationElements
        guard sizes.searchesPenalty, isCheap || options.penalty == .search else {
            return .init(
                penalty: 1e-3 * Double(train.count), patterns: sizes.patterns, path: [],
                reason: "0.001 for each training row, the default for so large a table")
        }
        let search = PenaltySearch(source: source(sizes.patterns))
        let folds = searchFolds()
        let problem = PenaltySearch.Problem(
            x: x, y: targets.matrix.to(device: device), loss: loss, settings: options.convex, folds: folds,
            score: { outputs, rows in self.score(outputs, self.train, rows) })
        return try watch.measure("penaltySearch") {
            let watch = watch
            let limit = options.convex.timeLimit.map { 0.6 * $0 }
            return try search.run(problem, timeLeft: { limit.map { max(0, $0 - watch.seconds) } }) { done, total in
                let progress = RunLog.Progress(
                    phase: "penalty", iteration: done, limit: total, seconds: watch.seconds)
                let isLate = options.convex.timeLimit.map { watch.seconds > 0.6 * $0 } ?? false
                let stops = observe(ConvexRunEvent(progress: progress)) == .stop || isLate
                if stops, done < total { isSearchCut = true }
                return stops
            }
        }
    }

    /// Rows that score each penalty: fewer parts the more rows there are, as their scores are less noisy.
    private func searchFolds() -> [[Int]] {
        let (rows, seed) = (train.count, options.convex.seed)
        guard rows <= options.crossValidationRows else {
            let parts =
                train.labels.map { Split.stratified(labels: $0, fraction: 0.1, seed: seed) }
                ?? Split.random(count: rows, fraction: 0.1, seed: seed)
            return [parts.held]
        }
        let k = rows > 2000 ? min(3, options.folds) : options.folds
        return Split.folds(count: rows, labels: train.labels, k: min(k, rows), seed: seed)
    }

    private func source(_ count: Int) -> PatternSource {
        switch options.patterns {
        case .network: .network(units: count)
        case .sampled: .sampled(count)
        case .grow: .grow(count)
        case .source(let source): design.reduced(source)
        }
    }

    // MARK: Scores

    private func score(_ outputs: Tensor, _ set: Dataset, _ rows: [Int]? = nil) -> Double {
        switch data.task {
        case .classification:
            let labels = rows.map { $0.map { set.labels![$0] } } ?? set.labels!
            return Scoring.accuracy(outputs, labels)
        case .regression:
            if let rows {
                // A fold may be one row or of one value, so it is measured by the spread of all rows.
                let error = (outputs.to(.float64) - targets.rows(rows).to(device: outputs.device).to(.float64))
                    .squared()
                return 1 - error.mean(0).mean(0).scalar
            }
            let truth = set.targets!
            let scaled = outputs.to(device: .cpu).to(.float64) * Tensor(targets.scale) + Tensor(targets.mean)
            return Scoring.determination(scaled, truth)
        }
    }

    private func score(_ network: TwoLayerNetwork, _ x: Tensor, _ set: Dataset) -> Double {
        score(network.predict(x), set)
    }

    private func scored(_ event: FitEvent) -> RunLog.Progress {
        var progress = event.progress
        guard let makeNetwork = event.network else { return progress }
        if heldX != nil || testX != nil {
            let network = makeNetwork()
            progress.validationScore = heldX.map { score(network, $0, held!) }
            progress.testScore = testX.map { score(network, $0, data.test!) }
        }
        history.append(
            ConvexRunPoint(
                phase: progress.phase, iteration: progress.iteration, seconds: progress.seconds,
                objective: progress.objective, relativeGap: progress.relativeGap, trainScore: nil,
                validationScore: progress.validationScore, testScore: progress.testScore))
        return progress
    }

    private func model(_ network: TwoLayerNetwork) throws -> ConvexModel {
        var copy = design.lifted(network)
        copy.hidden = copy.hidden.to(device: .cpu)
        copy.output = copy.output.to(device: .cpu)
        copy.gates = copy.gates?.to(device: .cpu)
        // The file holds single precision: what was reported must be what is saved.
        for weights in [copy.hidden, copy.output, copy.gates].compactMap(\.self) {
            let (exact, saved) = (weights.to(.float64), weights.to(.float32).to(.float64))
            guard (exact - saved).norm <= 1e-5 * exact.norm else {
                throw DataError(
                    subject: data.train.name, problem: "the network's weights do not fit a model's single precision",
                    advice: "Rescale columns and targets, or standardise")
            }
        }
        return ConvexModel(
            network: copy, standardiser: standardiser, hasBias: options.hasBias, task: data.task,
            classNames: data.train.classNames, targetNames: data.train.targetNames, outputMean: targets.mean,
            outputScale: targets.scale, featureNames: data.train.featureNames, encoding: data.train.encoding,
            imageShape: data.train.imageShape, loss: type(of: loss).name, facts: [:])
    }
}
