import ConvexNetworks
import Datasets
import Proximal
import Settings
import RunLog
import Torch

/// One training run in progress.
final class ConvexRun {
    let options: FitOptions
    let data: LoadedData
    private let dataHash: String
    let resume: ConvexState?
    private let write: (ConvexState, String) throws -> Void
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
    var history: [HistoryPoint]
    /// The training rows in the solver's coordinates.
    var x: Tensor { design.x }
    /// The penalty is not the one of an uninterrupted run, so a checkpoint must not fix it.
    var isSearchCut = false

    init(
        options: FitOptions, data: LoadedData, dataHash: String, resume: ConvexState?,
        write: @escaping (ConvexState, String) throws -> Void
    ) throws {
        self.options = options
        self.data = data
        self.dataHash = dataHash
        self.resume = resume
        self.write = write
        watch = Stopwatch(elapsed: resume?.kept.seconds ?? 0, phases: resume?.kept.phases ?? [:])
        history = resume?.kept.history ?? []
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

    func execute(
        _ observe: (RunEvent<ConvexModel>) -> Directive
    ) throws -> (model: ConvexModel, report: FitReport) {
        let sizes = Sizes(options: options, rows: train.count)
        let choice = try choosePenalty(sizes, observe)
        var settings = options.convex
        settings.penalty = choice.penalty
        settings.patterns = source(choice.patterns)
        let y = targets.matrix.to(device: device)
        var last = event(RunProgress(phase: "solve", iteration: 0, limit: 0, seconds: watch.seconds))
        let result = try ConvexFit(settings: settings, loss: loss).run(
            x: x, y: y, resume: resume?.fit, watch: watch
        ) { found in
            let latest = last.writeCheckpoint
            last = noted(found, choice)
            let directive = observe(last)
            last.writeCheckpoint = last.writeCheckpoint ?? latest
            return directive
        }
        (last.isFinal, last.point) = (true, nil)
        _ = observe(last)
        return try results(result, choice)
    }

    /// Model and report of what a fit came to.
    private func results(
        _ result: FitResult, _ choice: PenaltySearch.Choice
    ) throws -> (model: ConvexModel, report: FitReport) {
        notices += result.notices
        let model = try self.model(result.solution.network)
        var reporter = ReportBuilder(
            options: options, data: data, dataHash: dataHash, rows: train.count, model: model, result: result,
            loss: loss, dtype: x.dtype)
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
        var certified = model
        certified.certificate = ModelCertificate(reporter.report)
        return (certified, reporter.report)
    }

    private func event(_ progress: RunProgress) -> RunEvent<ConvexModel> {
        RunEvent(progress, position: history.count, evaluations: history.count)
    }

    /// The event of a fit's, with scores, model and checkpoint.
    private func noted(_ found: FitEvent, _ choice: PenaltySearch.Choice) -> RunEvent<ConvexModel> {
        var event = event(found.progress)
        if let makeNetwork = found.network {
            // Wide data pay a pass over all columns for a network.
            if heldX != nil || testX != nil {
                let network = makeNetwork()
                event.progress.validationScore = heldX.map { score(network, $0, held!) }
                event.progress.testScore = testX.map { score(network, $0, data.test!) }
            }
            let point = HistoryPoint(event.progress)
            history.append(point)
            event.point = point
            (event.position, event.evaluations) = (history.count, history.count)
            event.result = { try self.model(makeNetwork()) }
        }
        // The penalty of a search that was cut is not the one of an uninterrupted run: a checkpoint must not fix it.
        guard !isSearchCut, let fit = found.checkpoint else { return event }
        let kept = ConvexState.Kept(
            penalty: choice.penalty, penaltyChoice: choice.reason, patterns: choice.patterns, path: choice.path,
            seconds: watch.seconds, phases: watch.phases, history: history)
        event.writeCheckpoint = { [write] in try write(ConvexState(fit: fit, kept: kept), $0) }
        return event
    }

    // MARK: Choices

    private func choosePenalty(
        _ sizes: Sizes, _ observe: (RunEvent<ConvexModel>) -> Directive
    ) throws -> PenaltySearch.Choice {
        if let kept = resume?.kept {
            return .init(
                penalty: kept.penalty, patterns: kept.patterns, path: kept.path, reason: kept.penaltyChoice)
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
                let progress = RunProgress(phase: "penalty", iteration: done, limit: total, seconds: watch.seconds)
                let isLate = options.convex.timeLimit.map { watch.seconds > 0.6 * $0 } ?? false
                let stops = observe(event(progress)) == .stop || isLate
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
        let preparation = Preparation(
            data.train, task: data.task, standardiser: standardiser, targetMean: targets.mean,
            targetScale: targets.scale, loss: loss.text)
        return ConvexModel(network: copy, hasBias: options.hasBias, preparation: preparation, facts: [:])
    }
}

extension HistoryPoint {
    /// What a solve reported.
    init(_ progress: RunProgress) {
        self.init(phase: progress.phase, step: progress.iteration, seconds: progress.seconds)
        (objective, relativeGap) = (progress.objective, progress.relativeGap)
        (validationScore, testScore) = (progress.validationScore, progress.testScore)
    }
}
