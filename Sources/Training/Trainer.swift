import Networks
import Optimizers
import RunLog
import Torch

/// Trains a module of any kind on a problem of any kind by stochastic steps.
///
/// Dropout is drawn by seed and step, so that a run that goes on from any checkpoint equals one that was never
/// interrupted, bit for bit on a CPU with the same number of threads.
///
/// ```swift
/// var trainer = Trainer(module: network, problem: problem, rule: UpdateRule(AdamW()), schedule: CosineSchedule())
/// trainer.epochs = 20
/// let (trained, report) = try trainer.run { event in print(event.progress.iteration); return .proceed }
/// ```
///
/// What `descent train` does from names is ``TrainingSettings/fit(_:device:resumingFrom:observe:)``.
public struct Trainer<P: Problem> {
    /// What computes.
    public var module: any Module
    /// What it is trained on.
    public var problem: P
    /// The optimizers with what is around them.
    public var rule: UpdateRule
    /// The learning rate over time.
    public var schedule: any Schedule
    /// Whether the schedule counts steps or epochs.
    public var scheduleUnit = TrainingSettings.TimeUnit.step
    /// Passes over the data, > 0.
    public var epochs = 10.0
    /// Updates in place of epochs.
    public var steps: Int?
    /// Batches whose gradients make one update, ≥ 1.
    public var accumulation = 1
    /// Factor of the batches of an update in each further round; 1 but for networks with a convex head.
    var accumulationGrowth = 1.0
    /// Type of the parameters.
    public var precision = TrainingSettings.Precision.float32
    /// Names of the parameters that steps change; nil for all.
    public var trained: Set<String>?
    /// Epochs between evaluations, > 0.
    public var evaluationInterval = 1.0
    /// Evaluations without improvement after which the run stops; nil for never.
    public var patience: Int?
    /// Seconds of training after which the run stops; nil for never.
    public var timeLimit: Double?
    /// Seed of parameters and dropout.
    public var seed: UInt64 = 0
    /// Where it runs.
    public var device = Device.cpu
    /// Tells this run from others: a checkpoint of another is refused. Made of what is above unless given.
    var identity: String?

    /// Creates a trainer of ten epochs in single precision.
    public init(
        module: any Module, problem: P, rule: UpdateRule, schedule: any Schedule = ConstantSchedule()
    ) {
        (self.module, self.problem, self.rule, self.schedule) = (module, problem, rule, schedule)
    }

    /// Trains.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and settings.
    ///   - observe: receives progress; may stop the run.
    /// - Returns: the network at the end, with averages where something averages, and the numbers of the run.
    /// - Throws: `SettingError` for settings out of their range; `GroupError` for a rule that does not fit the
    ///   parameters; `InterchangeError` for a checkpoint of another run; `NonFiniteError` when the loss stops being a
    ///   number; `TorchError` when the engine fails; what the problem throws.
    public func run(
        resumingFrom checkpoint: String? = nil, observe: (RunEvent<Network>) -> Directive = { _ in .proceed }
    ) throws -> (network: Network, report: TrainingReport) {
        var run = try StochasticTraining(self, checkpoint: checkpoint)
        return try run.execute(observe)
    }
}

/// A loss that is no longer a number.
public struct NonFiniteError: Error, CustomStringConvertible {
    /// One line: step, batch and the largest gradients.
    public var description: String
}
