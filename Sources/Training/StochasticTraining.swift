import Datasets
import Estimators
import Foundation
import Networks
import Optimizers
import RunLog
import Settings
import Torch

/// One run in progress.
struct StochasticTraining<P: Problem> {
    let trainer: Trainer<P>
    let problem: P
    let rule: UpdateRule
    var state: TrainingState
    let watch: Stopwatch
    /// What is to be said before the first step.
    let announcement: [String]
    /// What a checkpoint must have to be one of this run.
    let identity: String

    /// Starts a run, or goes on with one.
    ///
    /// - Parameters:
    ///   - network: the module with its first parameters, where they were made already.
    ///   - watch: what has run since the set-up began.
    init(
        _ trainer: Trainer<P>, network: Network? = nil, watch: Stopwatch = Stopwatch(), checkpoint: String?
    ) throws {
        let notices = trainer.problem.notices
        var trainer = trainer
        try trainer.problem.prepare(for: trainer.module)
        try trainer.validate()
        trainer.leaveOutFrozen()
        self.trainer = trainer
        problem = trainer.problem
        let network = try network ?? trainer.network()
        let chosen = network.parameters.pairs.filter { trainer.trained?.contains($0.name) ?? true }
        let assignment = try trainer.rule.assignment(chosen.map(\.name), chosen.map(\.tensor.shape))
        let attributes = Network.attributes(of: trainer.module)
        rule = try trainer.rule.informed(
            of: chosen.map {
                ParameterInfo(
                    name: $0.name, shape: $0.tensor.shape, isLookup: attributes[$0.name]?.isLookup ?? false,
                    manifold: attributes[$0.name]?.manifold)
            },
            assignment: assignment)
        announcement =
            problem.notices.filter { !notices.contains($0) }.map { "note: " + $0 }
            + rule.penaltyLines(chosen.map(\.name), assignment)
        identity = trainer.identity ?? trainer.description
        var fresh = TrainingState(
            network: network, rule: rule.initialState(assignment, seed: trainer.seed), progress: .init())
        if let metric = trainer.schedule as? any MetricSchedule { fresh.progress.plateau = metric.initialState }
        guard let checkpoint else {
            (state, self.watch) = (fresh, watch)
            return
        }
        let read = try StateFile.read(
            checkpoint, into: fresh, rule: rule, identity: identity, dataHash: problem.fingerprint)
        state = read
        self.watch = Stopwatch(
            elapsed: read.progress.phases.values.reduce(0, +), phases: read.progress.phases)
        // The last update may have had fewer batches than usual.
        let begun = (state.progress.batches + trainer.accumulation - 1) / trainer.accumulation
        if begun > 0 { state.rule.position = position(begun - 1) }
    }

    // MARK: Time

    var batchesPerEpoch: Int { problem.batchesPerEpoch }
    var totalBatches: Int {
        trainer.steps.map { $0 * trainer.accumulation }
            ?? max(1, Int((trainer.epochs * Double(batchesPerEpoch)).rounded()))
    }
    var epoch: Double { Double(state.progress.batches) / Double(batchesPerEpoch) }

    /// Batches of one update: more behind each convex solve where the batch grows.
    private var accumulation: Int {
        let growth = pow(trainer.accumulationGrowth, Double(max(0, state.progress.round - 1)))
        return max(1, Int(min(1e6, Double(trainer.accumulation) * growth)))
    }

    /// Seconds of training: evaluation is everybody's own affair.
    var trainingSeconds: Double { watch.phases.filter { $0.key != "evaluate" }.values.reduce(0, +) }

    func rate(_ base: Double) -> Double { rateFunction(base) }

    /// The rate now, as a function of the base rate alone.
    private var rateFunction: (Double) -> Double {
        let batches = Double(state.progress.batches)
        let total = Double(totalBatches)
        let unit = scheduleUnit
        let (time, length) = ((batches / unit).rounded(.down), total / unit)
        let (schedule, factor) = (trainer.schedule, state.progress.plateau?.factor ?? 1)
        return { schedule.rate(at: time, base: $0, total: length) * factor }
    }

    /// Batches of one unit of the schedule's time.
    private var scheduleUnit: Double {
        Double(trainer.scheduleUnit == .step ? trainer.accumulation : batchesPerEpoch)
    }

    /// Updates done, of the usual number of batches.
    private var usualSteps: Int { state.progress.batches / trainer.accumulation }

    /// Where in the run an update is.
    private func position(_ step: Int) -> RunPosition {
        let perStep = Double(trainer.accumulation)
        let total = Int((Double(totalBatches) / perStep).rounded(.up))
        var starts: [Int] = []
        var gamma = 1.0
        if let staged = trainer.schedule as? any StagedSchedule {
            gamma = staged.gamma
            starts = staged.milestones(total: Double(totalBatches) / scheduleUnit)
                .map { Int(($0.rounded(.up) * scheduleUnit / perStep).rounded(.up)) }.filter { $0 < total }
        }
        return RunPosition(
            stage: Stage(step: step, starts: starts, total: total, gamma: gamma),
            progress: Double(step) / Double(max(1, total)))
    }

    // MARK: Run

    mutating func execute(
        _ observe: (RunEvent<Network>) -> Directive
    ) throws -> (network: Network, report: TrainingReport) {
        var termination = Termination.completed
        if state.progress.history.isEmpty { try evaluate(phase: "start") }
        if announce(observe) == .stop {
            return (evaluationNetwork, try report(termination: .cancelled))
        }
        while state.progress.batches < totalBatches {
            if let end = try advance(observe) {
                termination = end
                break
            }
        }
        announceEnd(observe)
        return (evaluationNetwork, try report(termination: termination))
    }

    /// Says what has a penalty and what has none.
    func announce(_ observe: (RunEvent<Network>) -> Directive) -> Directive {
        guard !announcement.isEmpty else { return .proceed }
        var first = event(nil, phase: "start")
        first.announcement = announcement
        return observe(first)
    }

    /// The last event of a run, at which its state can be written.
    func announceEnd(_ observe: (RunEvent<Network>) -> Directive) {
        var last = event(nil)
        last.isFinal = true
        _ = observe(last)
    }

    /// One update with its evaluation and report; non-nil when the run is to end.
    mutating func advance(_ observe: (RunEvent<Network>) -> Directive) throws -> Termination? {
        let watch = watch
        let before = state.progress.batches
        let outcome = try watch.measure("train") { try update() }
        let interval = max(1, Int((trainer.evaluationInterval * Double(batchesPerEpoch)).rounded()))
        let isLast = state.progress.batches >= totalBatches
        var event = self.event(outcome)
        if isLast || state.progress.batches / interval > before / interval {
            event = try evaluated(event, phase: "train")
        }
        if observe(event) == .stop { return .cancelled }
        if let limit = trainer.timeLimit, trainingSeconds >= limit { return .timeLimit }
        if let patience = trainer.patience, state.progress.waiting > patience { return .validationStalled }
        return nil
    }

    /// Adds an evaluation to an event.
    ///
    /// - Throws: `NonFiniteError` where a parameter or buffer is no number any more.
    mutating func evaluated(_ event: RunEvent<Network>, phase: String) throws -> RunEvent<Network> {
        var event = event
        try requireFinite(state.network)
        let before = state.progress.best
        let point = try evaluate(phase: phase, gradientNorm: event.progress.gradientNorm)
        event.point = point
        event.evaluations = evaluations
        event.isBest = state.progress.best != before
        event.progress.validationScore = point.validationScore
        event.progress.testScore = point.testScore
        let snapshot = self
        event.writeCheckpoint = { try snapshot.writeCheckpoint($0) }
        event.result = { snapshot.evaluationNetwork }
        return event
    }

    private var evaluations: Int { state.progress.history.count { $0.phase != "start" } }

    func event(_ outcome: UpdateRule.Outcome?, phase: String = "train") -> RunEvent<Network> {
        var progress = RunProgress(
            phase: phase, iteration: state.progress.batches, limit: totalBatches, seconds: watch.seconds,
            objective: state.progress.lossCount > 0 ? state.progress.lossSum / Double(state.progress.lossCount) : nil)
        progress.learningRate = rate(rule.groups[0].optimizer.lr)
        progress.gradientNorm = outcome?.gradientNorm
        let snapshot = self
        var event = RunEvent<Network>(progress, position: state.progress.batches, evaluations: evaluations)
        event.writeCheckpoint = { try snapshot.writeCheckpoint($0) }
        event.result = { snapshot.evaluationNetwork }
        return event
    }

    func writeCheckpoint(_ path: String) throws {
        var copy = state
        copy.progress.phases = watch.phases
        try StateFile.write(copy, identity: identity, dataHash: problem.fingerprint, to: path)
    }

    // MARK: Steps

    private mutating func update() throws -> UpdateRule.Outcome {
        let (problem, trainer) = (problem, trainer)
        let first = state.progress.batches
        let count = min(accumulation, totalBatches - first)
        let batches = try (first..<first + count).map { try problem.batch($0) }
        var network = state.network
        state.network.parameters = NamedTensors()
        let names = network.parameters.names
        let positions = names.indices.filter { trainer.trained?.contains(names[$0]) ?? true }
        var parameters = network.parameters.values
        network.parameters = network.parameters.replacing(parameters.map { _ in nothing })
        var moving = positions.map { parameters[$0] }
        for position in positions { parameters[position] = nothing }
        var norms: [(String, Double)] = []
        // The optimizer's state moves out too, so that it is changed in place.
        var ruleState = state.rule
        state.rule = rule.initialState([])
        defer { state.rule = ruleState }
        var settled: NamedTensors?
        /// The loss is that of the gradients: the same batches, units dropped alike.
        func products(_ trial: [Tensor], _ vectors: [Tensor]) throws -> [Tensor] {
            var all = parameters
            for (position, tensor) in zip(positions, trial) { all[position] = tensor }
            var copy = network
            copy.parameters = network.parameters.replacing(all)
            return try Self.products(problem, trainer, copy, batches, first, vectors)
        }
        let outcome = try rule.step(
            &moving, state: &ruleState, rate: rateFunction, position: position(usualSteps),
            products: trainer.precision == .mixed ? nil : products
        ) { trial in
            var all = parameters
            for (position, tensor) in zip(positions, trial) { all[position] = tensor }
            let found = try Self.summed(problem, trainer, &network, batches, first, at: all)
            // Running statistics are those of the parameters that the step started from, not of trial points.
            if let settled { network.buffers = settled } else { settled = network.buffers }
            if !found.loss.isFinite { norms = zip(positions, found.gradients).map { (names[$0], $1.norm) } }
            return found
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

    /// Seed of the engine's generator for one step.
    private static func mix(_ seed: UInt64, _ step: UInt64) -> UInt64 {
        var random = SplitMix64(mixing: seed, 0xD20, step)
        return random.next() >> 1
    }

    /// Mean loss and gradients over the rows of some batches; the network is left without parameters.
    private static func summed(
        _ problem: P, _ trainer: Trainer<P>, _ network: inout Network, _ batches: [P.Batch], _ first: Int,
        at parameters: [Tensor]
    ) throws -> (loss: Double, gradients: [Tensor]) {
        let type: DType? = trainer.precision == .mixed ? .bfloat16 : nil
        var total = 0.0
        var sums: [Tensor] = []
        // Every row counts the same, whatever the size of its batch.
        let rows = batches.map { problem.weight(of: $0) }
        let largest = rows.max() ?? 1
        let shares = rows.map { $0 / largest }
        for (offset, batch) in batches.enumerated() {
            Runtime.seed(mix(trainer.seed, UInt64(first + offset)))
            network.parameters = network.parameters.replacing(parameters)
            let found = try network.lossAndGradients(castTo: type, trained: trainer.trained) {
                try problem.loss(batch, $0)
            }
            network.parameters = network.parameters.replacing(parameters.map { _ in nothing })
            total += found.value.scalar * shares[offset]
            if sums.isEmpty {
                sums = found.gradients
                if shares[offset] != 1 { for index in sums.indices { sums[index].scale(by: shares[offset]) } }
            } else {
                for index in sums.indices { sums[index].add(found.gradients[index], scaledBy: shares[offset]) }
            }
        }
        let whole = shares.reduce(0, +)
        if batches.count > 1 { for index in sums.indices { sums[index].scale(by: 1 / whole) } }
        return (total / whole, sums)
    }

    private static func products(
        _ problem: P, _ trainer: Trainer<P>, _ network: Network, _ batches: [P.Batch], _ first: Int, _ vectors: [Tensor]
    ) throws -> [Tensor] {
        let weights = batches.map { problem.weight(of: $0) }
        var sums: [Tensor] = []
        for (offset, batch) in batches.enumerated() {
            Runtime.seed(mix(trainer.seed, UInt64(first + offset)))
            let found = try network.hessianVectorProducts(vectors, trained: trainer.trained) {
                try problem.loss(batch, $0)
            }
            let share = weights[offset] / weights.reduce(0, +)
            sums = sums.isEmpty ? found.map { $0 * share } : zip(sums, found).map { $0.adding($1, scaledBy: share) }
        }
        return sums
    }

    /// Throws where a parameter or a running statistic is no number.
    func requireFinite(_ network: Network) throws {
        for (name, tensor) in network.parameters.pairs + network.buffers.pairs where !tensor.isFinite {
            throw NonFiniteError(
                description: "'\(name)' holds what is no number at step \(state.rule.step); lower the learning rate, "
                    + "or bound gradients with `clip_norm`")
        }
    }

    private func nonFinite(_ batch: Int, _ norms: [(String, Double)]) -> NonFiniteError {
        let largest = norms.sorted { $0.1.isNaN || (!$1.1.isNaN && $0.1 > $1.1) }.prefix(3)
            .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return NonFiniteError(
            description: "the loss is no number at step \(state.rule.step + 1), \(problem.name(ofBatch: batch)); "
                + "largest gradient norms: \(largest.isEmpty ? "not finite" : largest); "
                + "lower the learning rate, or bound gradients with `clip_norm`")
    }
}

/// In the place of tensors that are elsewhere.
private let nothing = Tensor([Float](), shape: [0])
