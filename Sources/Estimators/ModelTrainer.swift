import ConvexNetworks
import Datasets
import Foundation
import Proximal
import RunLog
import Torch

/// What a trainer reports while it runs.
public struct TrainingEvent {
    /// Where the run is, with scores where they were computed.
    public var progress: RunLog.Progress
    /// What a checkpoint must hold to go on, when the run can be interrupted here.
    public var checkpoint: TrainingCheckpoint?
}

/// State of an interrupted training run.
public struct TrainingCheckpoint: Sendable {
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
    public var history: [HistoryPoint]
}

/// Trains a model on a dataset: standardisation, patterns, penalty, convex solve, certificate, scores.
public struct ModelTrainer {
    /// What to do.
    public var options: FitOptions

    /// Creates a trainer.
    public init(options: FitOptions = FitOptions()) { self.options = options }

    /// Trains on `data.train` and scores on `data.test` where there is one.
    ///
    /// - Throws: `DataError` for data that cannot be used, `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, resume: TrainingCheckpoint? = nil,
        observe: (TrainingEvent) -> Directive = { _ in .proceed }
    ) throws -> (model: TrainedModel, report: FitReport) {
        let run = try TrainingRun(options: options, data: data, resume: resume)
        return try run.execute(observe)
    }

    /// Bytes that the main solve will need, data included: stated before a run starts.
    public func estimatedBytes(rows: Int, columns: Int, outputs: Int) -> Int {
        let sizes = Sizes(options: options, rows: rows)
        let element = options.resolvedPrecision(rows: rows, columns: columns, outputs: outputs).byteCount
        let d = min(rows, columns + (options.hasBias ? 1 : 0))
        let shared = sizes.isStochastic && options.convex.formulation == .relu
        let perPattern = shared ? 1 : outputs * (options.convex.formulation == .relu ? 2 : 1)
        let m = sizes.patterns * perPattern
        let cone = options.convex.formulation == .relu ? rows * m : 0
        let data = 3 * rows * (columns + 1) + 8 * rows * outputs
        return (data + cone + 8 * d * m) * element + rows * sizes.patterns + 24 * d * d + 300_000_000
    }
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
        searchesPenalty = options.penalty == .automatic && !isLarge
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
    let resume: TrainingCheckpoint?
    let watch: Stopwatch
    let device: Device
    let standardiser: Standardiser
    let train: Dataset
    let held: Dataset?
    let loss: any Loss
    let targets: EncodedTargets
    let x: Tensor
    let heldX: Tensor?
    let testX: Tensor?
    var notices: [String]
    var history: [HistoryPoint]
    /// The penalty is not the one of an uninterrupted run, so a checkpoint must not fix it.
    var isSearchCut = false

    init(options: FitOptions, data: LoadedData, resume: TrainingCheckpoint?) throws {
        self.options = options
        self.data = data
        self.resume = resume
        watch = Stopwatch(elapsed: resume?.phases.values.reduce(0, +) ?? 0, phases: resume?.phases ?? [:])
        history = resume?.history ?? []
        device = Device(options.device) ?? .cpu
        let (kept, heldOut) = try Self.split(data.train, options)
        train = kept
        held = heldOut
        let method = options.standardisation ?? (data.train.imageShape == nil ? .perColumn : .global)
        let dtype = options.resolvedPrecision(
            rows: train.count, columns: train.features.shape[1],
            outputs: max(data.train.classNames.count, data.train.targetNames.count))
        loss = options.resolvedLoss(data.task, outputs: data.train.classNames.count)
        let fitted = options.standardiser ?? Standardiser(fitting: train.features, method: method)
        standardiser = fitted
        notices = data.train.notices + fitted.notices
        let target = device
        let design = { (set: Dataset) throws -> Tensor in
            try Design.matrix(set.features, standardiser: fitted, hasBias: options.hasBias, dtype: dtype)
                .to(device: target)
        }
        targets = EncodedTargets(train, task: data.task, loss: loss, dtype: dtype)
        x = try design(train)
        guard x.isFinite, targets.matrix.isFinite else {
            throw DataError(
                subject: data.train.name, problem: "some values are too large for \(dtype)",
                advice: "Rescale those columns or the target, or ask for double precision (--dtype float64)")
        }
        heldX = try held.map(design)
        testX = try data.test.map(design)
        try checkPatterns()
    }

    /// Gates and networks from files must go with the data.
    private func checkPatterns() throws {
        guard case .source(let source) = options.patterns else { return }
        let (columns, outputs) = (x.shape[1], targets.matrix.shape[1])
        let bias = options.hasBias ? ", the bias among them" : ""
        switch source {
        case .gates(let gates):
            guard gates.shape[0] == columns, gates.isFinite else {
                throw DataError(
                    subject: "gates",
                    problem: gates.isFinite
                        ? "they have \(gates.shape[0]) rows, but the data \(columns) columns\(bias)"
                        : "they hold NaN or infinity",
                    advice: "Give one row for each column that is kept, and one for the bias unless --no-bias is given")
            }
        case .given(let network):
            guard network.units > 0 else {
                throw DataError(
                    subject: "--patterns", problem: "the model has no hidden units, so it has no patterns",
                    advice: "Take another model")
            }
            guard network.hidden.shape[0] == columns, network.outputs == outputs else {
                throw DataError(
                    subject: "--patterns",
                    problem: "the model has \(network.hidden.shape[0]) columns\(bias), and \(network.outputs) outputs, "
                        + "the data \(columns) and \(outputs)",
                    advice: "Take a model of the same columns, classes and kind of loss")
            }
        default: return
        }
    }

    private static func split(_ all: Dataset, _ options: FitOptions) throws -> (Dataset, Dataset?) {
        guard let fraction = options.validation, fraction > 0 else { return (all, nil) }
        let parts =
            all.labels.map { Split.stratified(labels: $0, fraction: fraction, seed: options.convex.seed) }
            ?? Split.random(count: all.count, fraction: fraction, seed: options.convex.seed)
        guard parts.train.count > 1, !parts.held.isEmpty else {
            throw DataError(
                subject: "--validation \(fraction)",
                problem:
                    "leaves \(parts.train.count) of \(all.count) rows to train on and \(parts.held.count) to score",
                advice: "Choose a fraction that leaves two rows or more to train on and one to score")
        }
        return (all.rows(parts.train), all.rows(parts.held))
    }

    func execute(_ observe: (TrainingEvent) -> Directive) throws -> (model: TrainedModel, report: FitReport) {
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
                    TrainingCheckpoint(
                        fit: $0, penalty: choice.penalty, penaltyChoice: choice.reason, patterns: choice.patterns,
                        phases: self.watch.phases, history: self.history)
                }
            return observe(TrainingEvent(progress: progress, checkpoint: checkpoint))
        }
        notices += result.notices
        let model = self.model(result.solution.network)
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
        _ sizes: Sizes, _ observe: (TrainingEvent) -> Directive
    ) throws -> PenaltySearch.Choice {
        if let resume {
            return .init(penalty: resume.penalty, patterns: resume.patterns, path: [], reason: resume.penaltyChoice)
        }
        if case .fixed(let penalty) = options.penalty {
            return .init(penalty: penalty, patterns: sizes.patterns, path: [], reason: "given")
        }
        guard sizes.searchesPenalty else {
            return .init(
                penalty: 1e-3 * Double(train.count), patterns: sizes.patterns, path: [],
                reason: "0.001 for each training row, the default above \(options.crossValidationRows) rows")
        }
        let search = PenaltySearch(source: source(sizes.patterns))
        let folds = Split.folds(
            count: train.count, labels: train.labels,
            k: min(train.count > 2000 ? min(3, options.folds) : options.folds, train.count), seed: options.convex.seed)
        let problem = PenaltySearch.Problem(
            x: x, y: targets.matrix.to(device: device), loss: loss, settings: options.convex, folds: folds,
            score: { outputs, rows in self.score(outputs, self.train, rows) })
        return try watch.measure("penaltySearch") {
            try search.run(problem) { done, total in
                let progress = RunLog.Progress(
                    phase: "penalty", iteration: done, limit: total, seconds: watch.seconds)
                let isLate = options.convex.timeLimit.map { watch.seconds > 0.6 * $0 } ?? false
                let stops = observe(TrainingEvent(progress: progress)) == .stop || isLate
                if stops, done < total { isSearchCut = true }
                return stops
            }
        }
    }

    private func source(_ count: Int) -> PatternSource {
        switch options.patterns {
        case .network: .network(units: count)
        case .sampled: .sampled(count)
        case .grow: .grow(count)
        case .source(let source): source
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
            HistoryPoint(
                phase: progress.phase, iteration: progress.iteration, seconds: progress.seconds,
                objective: progress.objective, relativeGap: progress.relativeGap, trainScore: nil,
                validationScore: progress.validationScore, testScore: progress.testScore))
        return progress
    }

    private func model(_ network: TwoLayerNetwork) -> TrainedModel {
        var copy = network
        copy.hidden = network.hidden.to(device: .cpu)
        copy.output = network.output.to(device: .cpu)
        copy.gates = network.gates?.to(device: .cpu)
        return TrainedModel(
            network: copy, standardiser: standardiser, hasBias: options.hasBias, task: data.task,
            classNames: data.train.classNames, targetNames: data.train.targetNames, outputMean: targets.mean,
            outputScale: targets.scale, featureNames: data.train.featureNames, encoding: data.train.encoding,
            imageShape: data.train.imageShape, loss: type(of: loss).name, facts: [:])
    }
}
