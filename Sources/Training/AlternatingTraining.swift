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
/// Unlike the paper's code, a later solve has fresh patterns: those of the head at hand after a few stochastic passes on
/// the new features, with random units in place of those that the penalty has emptied. The objective of the head on the
/// features can only fall. The seconds of every solve count.
struct AlternatingTraining {
    var run: StochasticTraining<SupervisedProblem>
    let head: ConvexHead
    let base: any FeatureNetwork
    let loss: any Loss
    /// Targets of the rows that solves use, as the convex loss wants them.
    let targets: Tensor
    /// Rows that solves use; nil for all.
    let rows: [Int]?

    init(
        _ named: NamedRun, head: ConvexHead, problem: SupervisedProblem, schedule: any Schedule, device: Device,
        watch: Stopwatch, checkpoint: String?
    ) throws {
        let (settings, facts) = (named.settings, problem.facts)
        if head.solves != .never { try Self.check(try settings.rule()) }
        let module = try named.architecture.network(input: facts.input, outputs: facts.outputs)
        guard let base = module as? any FeatureNetwork else {
            throw SettingError(settings.model, "has no features that a convex head could be solved on")
        }
        let loss = try Self.convex(problem.loss)
        (self.head, self.base, self.loss) = (head, base, loss)
        let chosen = head.rows.map { count in
            let kept = min(count, problem.train.count)
            var random = SplitMix64(mixing: settings.seed, 0x5A3)
            return Array(random.shuffled(Array(0..<problem.train.count)).prefix(kept)).sorted()
        }
        let encoded = Self.encoded(problem.train, problem)
        targets = chosen.map { encoded.gathering($0) } ?? encoded
        rows = chosen
        let network = HeadedNetwork(base: base, units: head.units, outputs: problem.outputs)
        let features = Set(Network.parameterNames(of: network).filter { $0.hasPrefix("features.") })
        guard !features.isEmpty || head.solves == .never else {
            throw SettingError(
                settings.model, "has nothing to train before its last two linear maps: use descent fit, or more layers")
        }
        let (trainer, made) = try named.trainer(
            network, problem, schedule, device, trained: head.solves == .never ? nil : features)
        run = try StochasticTraining(trainer, network: made, watch: watch, checkpoint: checkpoint)
    }

    /// Throws where the optimizer cannot train features alone.
    private static func check(_ rule: UpdateRule) throws {
        for optimizer in rule.groups.map(\.optimizer) {
            let name = type(of: optimizer).name
            if optimizer is any ClosureOptimizer {
                throw SettingError(name, "sees all parameters at once and cannot train features alone")
            }
            if optimizer is any AveragingOptimizer {
                throw SettingError(name, "evaluates averages, whose features the head would not be solved on")
            }
        }
        for transformation in rule.after + rule.groups.flatMap(\.after) where type(of: transformation).averages {
            throw SettingError(
                type(of: transformation).name,
                "makes averages, whose features the head would not be solved on: leave it out")
        }
    }

    /// The convex program's loss.
    private static func convex(_ loss: any TrainingLoss) throws -> any Loss {
        if let huber = loss as? HuberError { return HuberLoss(delta: huber.delta) }
        let isSmoothed = (loss as? CrossEntropy).map { $0.smoothing > 0 } ?? false
        guard let name = type(of: loss).convexName, !isSmoothed, let found = LossCatalogue.named(name) else {
            throw SettingError(
                "loss",
                "'\(type(of: loss).name)' \(isSmoothed ? "with smoothing " : "")has no convex solver: use mse or "
                    + "cross_entropy")
        }
        return found
    }

    /// Targets as the convex loss wants them.
    static func encoded(_ rows: TrainingRows, _ problem: SupervisedProblem) -> Tensor {
        let dtype = rows.x.dtype
        guard type(of: problem.loss).takesClasses else { return rows.y }
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
        _ observe: (RunEvent<Network>) -> Directive
    ) throws -> (network: Network, report: TrainingReport) {
        var termination = Termination.completed
        if run.state.progress.history.isEmpty { try run.evaluate(phase: "start") }
        while !isFinished {
            if run.state.progress.round < dueRounds(run.state.progress.batches) {
                guard let solution = try solveHead(observe) else {
                    termination = cut
                    break
                }
                let event = noted(solution, try run.evaluated(run.event(nil, phase: "convex"), phase: "convex"))
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
        if termination == .validationStalled, head.solves == .every {
            // The features have moved since the last solve.
            if let solution = try solveHead(observe) {
                _ = noted(solution, try run.evaluated(run.event(nil, phase: "convex"), phase: "convex"))
            } else {
                termination = cut
            }
        }
        run.announceEnd(observe)
        var report = try run.report(termination: termination)
        if head.solves != .never { report.method = "cronos-am" }
        return (run.evaluationNetwork, report)
    }
}
