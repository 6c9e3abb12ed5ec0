import Datasets
import Estimators
import Foundation
import Networks
import Optimizers
import RunLog
import Settings
import Torch

/// What a trainer reports while it runs.
public struct TrainerEvent {
    /// Where the run is.
    public var progress: RunLog.Progress
    /// The evaluation, when one was just made.
    public var point: TrainingPoint?
    /// Whether this is the best evaluation so far.
    public var isBest = false
    /// Writes a checkpoint to a path, by way of a temporary file.
    public var writeCheckpoint: (String) throws -> Void
    /// Makes the model at hand.
    public var model: () -> NetworkModel
}

/// A loss that is no longer a number.
public struct NonFiniteError: Error, CustomStringConvertible {
    /// One line: step, batch and the largest gradients.
    public var description: String
}

/// Trains a network by stochastic steps.
///
/// Rows are shuffled by seed and epoch, dropout and augmentation drawn by seed and step, so that a run that is resumed
/// from any checkpoint equals one that was never interrupted, bit for bit on a CPU with the same number of threads.
public struct Trainer {
    /// What to do.
    public var settings: TrainingSettings
    /// Device name.
    public var device: String

    /// Creates a trainer.
    public init(settings: TrainingSettings = TrainingSettings(), device: String = "cpu") {
        (self.settings, self.device) = (settings, device)
    }

    /// Trains on `data.train` and scores on `data.test` where there is one.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and settings.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: `SettingError`, `DataError` and `InterchangeError` for input that cannot be used; `NonFiniteError`
    ///   when the loss stops being a number; `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, resumingFrom checkpoint: String? = nil,
        observe: (TrainerEvent) -> Directive = { _ in .proceed }
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        if let head = settings.head {
            var run = try AlternatingTraining(
                settings: settings, head: head, device: device, data: data, checkpoint: checkpoint)
            return try run.execute(observe)
        }
        var run = try StochasticTraining(settings: settings, device: device, data: data, checkpoint: checkpoint)
        return try run.execute(observe)
    }
}

/// One run in progress.
struct StochasticTraining {
    let settings: TrainingSettings
    let device: Device
    let problem: TrainingProblem
    let data: LoadedData
    let architecture: any Architecture
    let rule: UpdateRule
    let schedule: any Schedule
    var state: TrainingState
    /// Names of the parameters that steps change; nil for all.
    var trained: Set<String>?
    let watch: Stopwatch
    let dataHash: String
    private let loader: BatchLoader

    init(settings: TrainingSettings, device: String, data: LoadedData, checkpoint: String?) throws {
        let target = Device(device) ?? .cpu
        let architecture = try ArchitectureCatalogue.make(settings.model, settings: settings.modelSettings)
        let rule = try settings.rule()
        let schedule = try ScheduleCatalogue.make(settings.schedule, settings: settings.scheduleSettings)
        let watch = Stopwatch()
        let problem = try watch.measure("setup") { try TrainingProblem(data, settings: settings, device: target) }
        let module = try architecture.network(input: problem.input, outputs: problem.outputs)
        try self.init(
            settings: settings, device: target, data: data, problem: problem, architecture: architecture,
            module: module, rule: rule, schedule: schedule, trained: nil, watch: watch, checkpoint: checkpoint)
    }

    init(
        settings: TrainingSettings, device: Device, data: LoadedData, problem: TrainingProblem,
        architecture: any Architecture, module: any Module, rule: UpdateRule, schedule: any Schedule,
        trained: Set<String>?, watch: Stopwatch, checkpoint: String?
    ) throws {
        (self.settings, self.device, self.problem, self.data) = (settings, device, problem, data)
        (self.architecture, self.rule, self.schedule, self.trained) = (architecture, rule, schedule, trained)
        let dtype: DType = settings.precision == .float64 ? .float64 : .float32
        try Self.requireMemory(module, settings.model, dtype)
        let network = Network(module, seed: settings.seed, dtype: dtype, device: device)
        let chosen = network.parameters.pairs.filter { trained?.contains($0.name) ?? true }
        let assignment = try rule.assignment(chosen.map(\.name), chosen.map(\.tensor.shape))
        dataHash = data.train.hash
        loader = BatchLoader(problem: problem, settings: settings)
        var fresh = TrainingState(
            network: network, rule: UpdateRule.State(assignment: assignment), progress: .init())
        if let metric = schedule as? any MetricSchedule { fresh.progress.plateau = metric.initialState }
        guard let checkpoint else {
            (state, self.watch) = (fresh, watch)
            return
        }
        let read = try StateFile.read(checkpoint, into: fresh, settings: settings, dataHash: dataHash)
        state = read
        self.watch = Stopwatch(
            elapsed: read.progress.phases.values.reduce(0, +), phases: read.progress.phases)
    }

    /// Refuses networks whose parameters alone, with gradients and two moments, are more than this machine's memory.
    private static func requireMemory(_ module: any Module, _ name: String, _ dtype: DType) throws {
        let needed = 4 * Double(Network.elementCount(of: module)) * Double(dtype.byteCount)
        let present = Double(ProcessInfo.processInfo.physicalMemory)
        guard needed > present else { return }
        throw SettingError(
            name,
            String(
                format: "needs at least %.0f GB for parameters, gradients and the optimizer's state, this machine has "
                    + "%.0f GB: lower its sizes", needed / 1e9, present / 1e9))
    }

    // MARK: Time

    var batchesPerEpoch: Int { loader.batchesPerEpoch }
    var totalBatches: Int {
        settings.steps.map { $0 * settings.accumulation }
            ?? max(1, Int((settings.epochs * Double(batchesPerEpoch)).rounded()))
    }
    private var epoch: Double { Double(state.progress.batches) / Double(batchesPerEpoch) }

    /// Batches of one update: more behind each convex solve where the batch grows.
    private var accumulation: Int {
        let growth = pow(settings.head?.batchGrowth ?? 1, Double(max(0, state.progress.round - 1)))
        return max(1, Int(min(1e6, Double(settings.accumulation) * growth)))
    }

    /// Seconds of training: evaluation is everybody's own affair.
    var trainingSeconds: Double { watch.phases.filter { $0.key != "evaluate" }.values.reduce(0, +) }

    func rate(_ base: Double) -> Double { rateFunction(base) }

    /// The rate now, as a function of the base rate alone.
    private var rateFunction: (Double) -> Double {
        let batches = Double(state.progress.batches)
        let total = Double(totalBatches)
        let perStep = Double(settings.accumulation)
        let (time, length) =
            settings.scheduleUnit == .step
            ? ((batches / perStep).rounded(.down), total / perStep)
            : ((batches / Double(batchesPerEpoch)).rounded(.down), total / Double(batchesPerEpoch))
        let (schedule, factor) = (schedule, state.progress.plateau?.factor ?? 1)
        return { schedule.rate(at: time, base: $0, total: length) * factor }
    }

    // MARK: Run

    mutating func execute(
        _ observe: (TrainerEvent) -> Directive
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        var termination = Termination.converged
        if state.progress.history.isEmpty { evaluate(phase: "start") }
        while state.progress.batches < totalBatches {
            if let end = try advance(observe) {
                termination = end
                break
            }
        }
        return (model(), report(method: settings.optimizer, termination: termination))
    }

    /// One update with its evaluation and report; non-nil when the run is to end.
    mutating func advance(_ observe: (TrainerEvent) -> Directive) throws -> Termination? {
        let watch = watch
        let before = state.progress.batches
        let outcome = try watch.measure("train") { try update() }
        let interval = max(1, Int((settings.evaluationInterval * Double(batchesPerEpoch)).rounded()))
        let isLast = state.progress.batches >= totalBatches
        var event = self.event(outcome)
        if isLast || state.progress.batches / interval > before / interval {
            event = evaluated(event, phase: "train")
        }
        if observe(event) == .stop { return .cancelled }
        if let limit = settings.timeLimit, trainingSeconds >= limit { return .timeLimit }
        if let patience = settings.patience, state.progress.waiting > patience { return .validationStalled }
        return nil
    }

    /// Adds an evaluation to an event.
    mutating func evaluated(_ event: TrainerEvent, phase: String) -> TrainerEvent {
        var event = event
        let before = state.progress.best
        let point = evaluate(phase: phase)
        event.point = point
        event.isBest = state.progress.best != before
        event.progress.validationScore = point.validationScore
        event.progress.testScore = point.testScore
        let snapshot = self
        event.writeCheckpoint = { try snapshot.writeCheckpoint($0) }
        event.model = { snapshot.model() }
        return event
    }

    func event(_ outcome: UpdateRule.Outcome?, phase: String = "train") -> TrainerEvent {
        var progress = RunLog.Progress(
            phase: phase, iteration: state.progress.batches, limit: totalBatches, seconds: watch.seconds,
            objective: state.progress.lossCount > 0 ? state.progress.lossSum / Double(state.progress.lossCount) : nil)
        progress.learningRate = rate(rule.groups[0].optimizer.lr)
        progress.gradientNorm = outcome?.gradientNorm
        let snapshot = self
        return TrainerEvent(
            progress: progress, writeCheckpoint: { try snapshot.writeCheckpoint($0) }, model: { snapshot.model() })
    }

    func writeCheckpoint(_ path: String) throws {
        var copy = state
        copy.progress.phases = watch.phases
        try StateFile.write(copy, settings: settings, dataHash: dataHash, to: path)
    }

    // MARK: Steps

    private mutating func update() throws -> UpdateRule.Outcome {
        let first = state.progress.batches
        let count = min(accumulation, totalBatches - first)
        let batches = (first..<first + count).map { loader.batch($0) }
        var network = state.network
        state.network.parameters = NamedTensors()
        let names = network.parameters.names
        let positions = names.indices.filter { trained?.contains(names[$0]) ?? true }
        var parameters = network.parameters.values
        network.parameters = network.parameters.replacing(parameters.map { _ in Self.nothing })
        var moving = positions.map { parameters[$0] }
        for position in positions { parameters[position] = Self.nothing }
        var norms: [(String, Double)] = []
        // The optimizer's state moves out too, so that it is changed in place.
        var ruleState = state.rule
        state.rule = UpdateRule.State(assignment: [])
        defer { state.rule = ruleState }
        let outcome = try rule.step(&moving, state: &ruleState, rate: rateFunction) { trial in
            var all = parameters
            for (position, tensor) in zip(positions, trial) { all[position] = tensor }
            var total = 0.0
            var sums: [Tensor] = []
            for (offset, batch) in batches.enumerated() {
                Runtime.seed(Self.mix(settings.seed, UInt64(first + offset)))
                network.parameters = network.parameters.replacing(all)
                let found = try gradients(&network, batch)
                network.parameters = network.parameters.replacing(parameters.map { _ in Self.nothing })
                total += found.value.scalar
                if sums.isEmpty {
                    sums = found.gradients
                } else {
                    for index in sums.indices { sums[index].add(found.gradients[index]) }
                }
            }
            if batches.count > 1 {
                for index in sums.indices { sums[index].scale(by: 1 / Double(batches.count)) }
            }
            if !total.isFinite { norms = zip(positions, sums).map { (names[$0], $1.norm) } }
            return (total / Double(batches.count), sums)
        }
        for (position, tensor) in zip(positions, moving) { parameters[position] = tensor }
        network.parameters = network.parameters.replacing(parameters)
        state.network = network
        guard let outcome else { throw nonFinite(first, norms) }
        state.progress.batches += count
        state.progress.lossSum += outcome.loss
        state.progress.lossCount += 1
        return outcome
    }

    private static let nothing = Tensor([Float](), shape: [0])

    /// Seed of the engine's generator for one step.
    private static func mix(_ seed: UInt64, _ step: UInt64) -> UInt64 {
        var random = RowRandom(seed, 0xD20, step)
        return random.next() >> 1
    }

    private func gradients(_ network: inout Network, _ batch: (x: Tensor, y: Tensor)) throws -> Differential {
        let loss = problem.loss
        guard settings.precision == .mixed else {
            return try network.lossAndGradients(batch.x, trained: trained) { loss($0, batch.y) }
        }
        var half = network
        let x = problem.input.isTokens ? batch.x : batch.x.to(.bfloat16)
        let found = try half.lossAndGradients(x, castTo: .bfloat16, trained: trained) { loss($0.to(.float32), batch.y) }
        network.buffers = half.buffers
        return found
    }

    private func nonFinite(_ batch: Int, _ norms: [(String, Double)]) -> NonFiniteError {
        let rows = loader.rows(of: batch).prefix(5).map(String.init).joined(separator: ", ")
        let largest = norms.sorted { $0.1.isNaN || (!$1.1.isNaN && $0.1 > $1.1) }.prefix(3)
            .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return NonFiniteError(
            description: "the loss is no number at step \(state.rule.step + 1), batch \(batch) (rows \(rows), …); "
                + "largest gradient norms: \(largest.isEmpty ? "not finite" : largest); "
                + "lower the learning rate, or bound gradients with --clip-norm")
    }

    // MARK: Evaluation

    /// Outputs of the network to evaluate on some rows, a block at a time.
    func outputs(_ network: Network, _ x: Tensor) -> Tensor {
        let step = max(1, min(4096, 32_000_000 / max(1, x.shape[1] * 16)))
        let blocks = stride(from: 0, to: x.shape[0], by: step).map { start in
            network(x.rows(start..<min(x.shape[0], start + step)))
        }
        return blocks.count == 1 ? blocks[0] : Tensor.concatenate(blocks, dimension: 0)
    }

    /// The network to evaluate: with averages where something averages.
    var evaluationNetwork: Network {
        var network = state.network
        let names = network.parameters.names
        let positions = names.indices.filter { trained?.contains(names[$0]) ?? true }
        let moved = rule.evaluationParameters(
            positions.map { network.parameters.values[$0] }, state: state.rule)
        for (position, tensor) in zip(positions, moved) { network.parameters.values[position] = tensor }
        return network
    }

    @discardableResult
    mutating func evaluate(phase: String) -> TrainingPoint {
        let seconds = trainingSeconds
        let snapshot = self
        let scores = watch.measure("evaluate") {
            let network = snapshot.evaluationNetwork
            func score(_ rows: TrainingRows?) -> Double? {
                rows.map { snapshot.problem.score(snapshot.outputs(network, $0.x), $0) }
            }
            return (score(snapshot.problem.validation), score(snapshot.problem.test))
        }
        var point = TrainingPoint(step: state.rule.step, epoch: epoch, seconds: seconds)
        point.phase = phase
        (point.validationScore, point.testScore) = scores
        if state.progress.lossCount > 0 { point.trainLoss = state.progress.lossSum / Double(state.progress.lossCount) }
        point.learningRate = rate(rule.groups[0].optimizer.lr)
        (state.progress.lossSum, state.progress.lossCount) = (0, 0)
        note(point)
        state.progress.history.append(point)
        return point
    }

    /// Keeps the best score, and lets a controller see the metric.
    private mutating func note(_ point: TrainingPoint) {
        guard point.phase != "start" else { return }
        let score = point.validationScore ?? point.testScore ?? point.trainLoss.map { -$0 }
        if let score {
            if score > state.progress.best ?? -.infinity {
                (state.progress.best, state.progress.bestStep) = (score, point.step)
                state.progress.waiting = 0
            } else {
                state.progress.waiting += 1
            }
        }
        if let metric = schedule as? any MetricSchedule, var plateau = state.progress.plateau,
            let value = point.validationScore.map({ 1 - $0 }) ?? point.trainLoss
        {
            _ = metric.factor(after: value, base: rule.groups[0].optimizer.lr, state: &plateau)
            state.progress.plateau = plateau
        }
    }

    // MARK: Results

    func model() -> NetworkModel {
        NetworkModel(
            architecture: settings.model, settings: (try? architecture.settings) ?? settings.modelSettings,
            network: evaluationNetwork, input: problem.input, outputs: problem.outputs, data: data.train,
            problem: problem)
    }

    func report(method: String, termination: Termination) -> TrainingReport {
        let network = evaluationNetwork
        let train = watch.measure("evaluate") { problem.score(outputs(network, problem.train.x), problem.train) }
        let last = state.progress.history.last
        let hasScores = problem.validation != nil || problem.test != nil
        return TrainingReport(
            method: method, settings: settings, optimizer: (try? rule.groups[0].optimizer.settings) ?? [:],
            model: (try? architecture.settings) ?? [:], parameters: network.parameterCount,
            rows: problem.train.count, columns: data.train.features.shape[1], outputs: problem.outputs,
            loss: problem.lossName.rawValue, steps: state.rule.step, epochs: epoch, trainScore: train,
            validationScore: last?.validationScore, testScore: last?.testScore,
            bestScore: hasScores ? state.progress.best : nil, bestStep: state.progress.bestStep,
            seconds: trainingSeconds, secondsByPhase: watch.phases, peakMemoryBytes: PeakMemory.bytes,
            termination: termination.rawValue, device: "\(device)", threads: Runtime.threads, dataHash: dataHash,
            torch: Runtime.version, notices: problem.notices, history: state.progress.history)
    }
}
