import ConvexNetworks
import Datasets
import Foundation
import Networks
import Optimizers
import Proximal
import RunLog
import Settings
import Torch

/// CRONOS-AM: the last two layers are solved as a convex program on the features of all training rows, the features are
/// trained by stochastic steps against that head, and so on.
///
/// Unlike the paper's code, a later solve starts at the head at hand, whose own patterns make it feasible, so that its
/// objective on the new features can only fall; units that the penalty has emptied are replaced by the neurons that
/// most violate optimality. The seconds of every solve count.
struct AlternatingTraining {
    private var run: StochasticTraining
    private let head: ConvexHead
    private let base: any FeatureNetwork
    private let loss: any Loss
    private let targets: Tensor
    private let rows: [Int]?

    init(settings: TrainingSettings, head: ConvexHead, device: String, data: LoadedData, checkpoint: String?) throws {
        let target = Device(device) ?? .cpu
        let architecture = try ArchitectureCatalogue.make(settings.model, settings: settings.modelSettings)
        let rule = try settings.rule()
        guard !(rule.groups.contains { $0.optimizer is any ClosureOptimizer }) || head.solves == .never else {
            throw SettingError(settings.optimizer, "sees all parameters at once and cannot train features alone")
        }
        let averages = rule.averageDecay != nil || rule.groups.contains { $0.optimizer is any AveragingOptimizer }
        guard !averages || head.solves == .never else {
            throw SettingError(
                settings.optimizer, "evaluates averages, whose features the head would not be solved on: leave them out"
            )
        }
        let schedule = try ScheduleCatalogue.make(settings.schedule, settings: settings.scheduleSettings)
        let watch = Stopwatch()
        let problem = try watch.measure("setup") { try TrainingProblem(data, settings: settings, device: target) }
        let module = try architecture.network(input: problem.input, outputs: problem.outputs)
        guard let base = module as? any FeatureNetwork else {
            throw SettingError(settings.model, "has no features that a convex head could be solved on")
        }
        guard let name = problem.lossName.convexName, let loss = LossCatalogue.named(name) else {
            throw SettingError("loss", "'\(problem.lossName.rawValue)' has no convex solver: use mse or cross_entropy")
        }
        (self.head, self.base, self.loss) = (head, base, loss)
        targets = Self.encoded(problem, loss)
        rows = head.rows.map { count in
            let kept = min(count, problem.train.count)
            var random = SplitMix64(mixing: settings.seed, 0x5A3)
            return Array(random.shuffled(Array(0..<problem.train.count)).prefix(kept)).sorted()
        }
        let network = HeadedNetwork(base: base, units: head.units, outputs: problem.outputs)
        let features = Set(Network.parameterNames(of: network).filter { $0.hasPrefix("features.") })
        guard !features.isEmpty || head.solves == .never else {
            throw SettingError(
                settings.model, "has nothing to train before its last two linear maps: use descent fit, or more layers")
        }
        run = try StochasticTraining(
            settings: settings, device: target, data: data, problem: problem, architecture: architecture,
            module: network, rule: rule, schedule: schedule, trained: head.solves == .never ? nil : features,
            watch: watch, checkpoint: checkpoint)
    }

    /// Targets as the convex loss wants them.
    private static func encoded(_ problem: TrainingProblem, _ loss: any Loss) -> Tensor {
        let rows = problem.train
        let dtype = rows.x.dtype
        guard problem.loss.takesClasses else { return rows.y }
        guard problem.outputs > 1 else { return (rows.y.to(dtype) * 2 - 1).reshaped(-1, 1) }
        return rows.y.oneHot(problem.outputs).to(dtype)
    }

    private var batchesPerRound: Int { max(1, Int((head.interval * Double(run.batchesPerEpoch)).rounded())) }

    /// Solves that are due after so many batches.
    private func dueRounds(_ batches: Int) -> Int {
        switch head.solves {
        case .never: 0
        case .first: 1
        case .every: batches >= run.totalBatches ? Int.max : batches / batchesPerRound + 1
        }
    }

    /// Whether the solve behind the last step was made.
    private var isFinished: Bool {
        run.state.progress.batches >= run.totalBatches && run.state.progress.history.last?.phase != "train"
    }

    mutating func execute(
        _ observe: (TrainerEvent) -> Directive
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        var termination = Termination.converged
        if run.state.progress.history.isEmpty { run.evaluate(phase: "start") }
        while !isFinished {
            if run.state.progress.round < dueRounds(run.state.progress.batches) {
                guard let solution = try solveHead(observe) else {
                    termination = .cancelled
                    break
                }
                var event = run.evaluated(run.event(nil, phase: "convex"), phase: "convex")
                let certificate = solution.certificate
                run.state.progress.history[run.state.progress.history.count - 1].objective = certificate.objective
                run.state.progress.history[run.state.progress.history.count - 1].relativeGap = certificate.relativeGap
                event.point = run.state.progress.history.last
                event.progress.objective = certificate.objective
                event.progress.relativeGap = certificate.relativeGap
                if observe(event) == .stop {
                    termination = .cancelled
                    break
                }
                continue
            }
            guard run.state.progress.batches < run.totalBatches else { break }
            if let end = try run.advance(observe) {
                termination = end
                break
            }
        }
        if termination == .validationStalled, head.solves == .every, try solveHead(observe) != nil {
            // The features have moved since the last solve.
            run.evaluate(phase: "convex")
        }
        run.announceEnd(observe)
        let method = head.solves == .never ? run.settings.optimizer : "cronos-am"
        return (run.model(), run.report(method: method, termination: termination))
    }

    // MARK: The head

    /// Solves for the head on the features at hand and writes it into the network.
    ///
    /// Nil when the observer stopped the solve: the head then stays as it was, so that a resumed run solves it whole.
    private mutating func solveHead(_ observe: (TrainerEvent) -> Directive) throws -> ConvexSolution? {
        let watch = run.watch
        let (z, scale) = watch.measure("features") { features() }
        let y = rows.map { targets.gathering($0) } ?? targets
        let round = run.state.progress.round
        let penalty = head.penalty * Double(z.shape[0])
        var settings = ConvexSettings()
        settings.penalty = penalty
        settings.maxIterations = head.iterations
        settings.tolerance = head.tolerance
        settings.seed = run.settings.seed &+ UInt64(round)
        var wasStopped = false
        let result = try watch.measure("convex") { () throws(TorchError) -> FitResult in
            settings.patterns =
                round == 0
                ? .network(units: head.units)
                : .given(
                    present(scale).replenished(
                        to: head.units, x: z, y: y, loss: loss, penalty: penalty, seed: settings.seed))
            return try ConvexFit(settings: settings, loss: loss)
                .run(x: z, y: y, watch: Stopwatch()) { event in
                    let progress = RunLog.Progress(
                        phase: "convex", iteration: event.progress.iteration, limit: event.progress.limit,
                        seconds: watch.seconds, objective: event.progress.objective,
                        relativeGap: event.progress.relativeGap)
                    let shown = run.event(nil)
                    let directive = observe(
                        TrainerEvent(
                            progress: progress, batches: shown.batches, writeCheckpoint: shown.writeCheckpoint,
                            model: shown.model))
                    wasStopped = wasStopped || directive == .stop
                    return directive
                }
        }
        if wasStopped { return nil }
        write(result.solution.network.balanced(), scale)
        run.state.progress.round += 1
        return result.solution
    }

    /// Features of the rows that solves use, scaled to unit mean square, with a column of ones.
    private func features() -> (z: Tensor, scale: Double) {
        let x = rows.map { run.problem.train.x.gathering($0) } ?? run.problem.train.x
        guard let headed = run.state.network.module as? HeadedNetwork else {
            preconditionFailure("the network has no head")
        }
        let z = run.state.network.features(x, headed)
        let scale = max((z.squareSum / Double(z.count)).squareRoot(), 1e-12)
        let ones = Tensor.full([z.shape[0], 1], 1, dtype: z.dtype, device: z.device)
        return (Tensor.concatenate([z * (1 / scale), ones], dimension: 1), scale)
    }

    /// The head at hand as a two-layer network of scaled features.
    private func present(_ scale: Double) -> TwoLayerNetwork {
        let parameters = run.state.network.parameters
        guard let weight = parameters["head.0.weight"], let bias = parameters["head.0.bias"],
            let output = parameters["head.2.weight"]
        else { preconditionFailure("the network has no head") }
        let norms = output.squared().sum(0).doubles()
        let alive = norms.indices.filter { norms[$0] > 0 }
        let hidden = Tensor.concatenate([weight.transposed() * scale, bias.reshaped(1, -1)], dimension: 0)
        return TwoLayerNetwork(
            hidden: hidden.gathering(alive, dimension: 1), output: output.transposed().gathering(alive)
        ).balanced()
    }

    /// Writes a network of scaled features into the head; units that it lacks become zero.
    private mutating func write(_ network: TwoLayerNetwork, _ scale: Double) {
        let d = base.featureCount
        let missing = head.units - network.units
        precondition(missing >= 0, "\(network.units) units for a head of \(head.units)")
        func padded(_ tensor: Tensor, _ columns: Int) -> Tensor {
            missing == 0
                ? tensor
                : Tensor.concatenate([tensor, .zeros(like: tensor, shape: [missing, columns])], dimension: 0)
        }
        let rows = padded(network.hidden.transposed().contiguous(), d + 1)
        run.state.network.parameters["head.0.weight"] = (rows.columns(0..<d) * (1 / scale)).contiguous()
        run.state.network.parameters["head.0.bias"] = rows.columns(d..<d + 1).contiguous().reshaped(-1)
        run.state.network.parameters["head.2.weight"] =
            padded(network.output, network.outputs).transposed().contiguous()
    }
}
