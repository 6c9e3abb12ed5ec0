import Foundation
import Networks
import Optimizers
import Settings

/// How a network is trained; the value that is written to the run folder is the one that trains again.
public struct TrainingSettings: Sendable, Codable, Equatable {
    /// Architecture, by its name in the catalogue.
    public var model = "mlp"
    /// Its hyperparameters.
    public var modelSettings: [String: SettingValue] = [:]
    /// Optimizer, by its name in the catalogue.
    public var optimizer = "adamw"
    /// Its hyperparameters, the learning rate among them.
    public var optimizerSettings: [String: SettingValue] = [:]
    /// Other hyperparameters, or another optimizer, for some parameters; the first that matches counts.
    public var overrides: [ParameterOverride]?
    /// Penalty of matrices and convolutions, for optimizers that take one; nil for none.
    public var penalty: NamedSettings?
    /// Sparsity that the penalty's strength follows, in place of a strength.
    public var target: SparsityTarget?
    /// Whether the groups of all parameters that belong to one channel or unit are one group.
    public var couplesChannels: Bool?
    /// Schedule, by its name in the catalogue; nil for the optimizer's usual one.
    public var schedule: String?
    /// Its hyperparameters.
    public var scheduleSettings: [String: SettingValue] = [:]
    /// Whether the schedule counts steps or epochs.
    public var scheduleUnit = TimeUnit.step
    /// Loss, by its name in the catalogue; nil for the usual one of the task.
    public var loss: NamedSettings?
    /// A head that is solved as a convex program; nil for plain training.
    public var head: ConvexHead?
    /// Passes over the training rows.
    public var epochs = 10.0
    /// Updates in place of epochs.
    public var steps: Int?
    /// Rows of a step.
    public var batch = 128
    /// Steps whose gradients are added up before one update.
    public var accumulation = 1
    /// What is done to gradients before the optimizer, in this order: see ``TransformationCatalogue/before``.
    public var before: [NamedSettings]?
    /// What is done to parameters behind the optimizer, in this order: see ``TransformationCatalogue/after``.
    public var after: [NamedSettings]?
    /// What images are shifted and divided by, in the units of the data; measured on the training rows unless given.
    public var normalisation: Normalisation?
    /// What is done to training images.
    public var augmentation = Augmentation()
    /// Type of the parameters.
    public var precision = Precision.float32
    /// Epochs between evaluations.
    public var evaluationInterval = 1.0
    /// Evaluations without improvement after which the run stops; nil for never.
    public var patience: Int?
    /// Seconds after which the run stops; nil for never.
    public var timeLimit: Double?
    /// Fraction of the training rows held out for validation.
    public var validation = 0.0
    /// Seed of parameters, order of rows, augmentation and dropout.
    public var seed: UInt64 = 0

    /// Creates the default settings.
    public init() {}

    /// A shift and a scale of all pixels.
    public struct Normalisation: Sendable, Codable, Equatable {
        /// What is subtracted.
        public var mean: Double
        /// What is divided by, > 0.
        public var scale: Double

        /// Creates a normalisation.
        public init(mean: Double, scale: Double) { (self.mean, self.scale) = (mean, scale) }
    }

    /// A unit of time.
    public enum TimeUnit: String, Sendable, Codable, CaseIterable {
        case step
        case epoch
    }

    /// Type of parameters and arithmetic.
    public enum Precision: String, Sendable, Codable, CaseIterable {
        case float32
        case float64
        /// Parameters in float32, forward and backward passes in bfloat16.
        case mixed
    }

    /// The settings as text, without what may differ where a run goes on: a longer time limit.
    var identity: String {
        get throws {
            var copy = self
            copy.timeLimit = nil
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return String(decoding: try encoder.encode(copy), as: UTF8.self)
        }
    }

    /// Throws for numbers that no run can have, as a file may hold them.
    ///
    /// - Throws: `SettingError` naming the setting and its range.
    public func validate() throws {
        try SettingError.require(epochs > 0 && epochs <= 1e6, "epochs", epochs, "a number above 0, at most 1000000")
        try SettingError.require((1...1_000_000_000).contains(steps ?? 1), "steps", steps ?? 0, "1 to 1000000000")
        try SettingError.require((1...1_000_000_000).contains(batch), "batch", batch, "1 to 1000000000")
        try SettingError.require(
            (1...1_000_000).contains(accumulation), "accumulation", accumulation, "a whole number ≥ 1")
        let interval = evaluationInterval
        try SettingError.require(
            interval > 0 && interval <= 1e6, "evaluationInterval", interval, "above 0, at most 1000000")
        try SettingError.require(timeLimit ?? 1 > 0, "timeLimit", timeLimit ?? 0, "seconds above 0")
        try SettingError.require(patience ?? 1 >= 1, "patience", patience ?? 0, "a whole number ≥ 1")
        try SettingError.require(seed <= 1 << 53, "seed", seed, "at most 9007199254740992, which every file can hold")
        try SettingError.require((0..<1).contains(validation), "validation", validation, "a number in [0, 1)")
        try SettingError.require(
            (0...64).contains(augmentation.cropPadding), "cropPadding", augmentation.cropPadding, "0 to 64")
        let scale = normalisation?.scale ?? 1
        try SettingError.require(scale > 0 && scale.isFinite, "normalisation.scale", scale, "a number > 0")
        let share = target?.share ?? 0
        try SettingError.require((0..<1).contains(share), "target.share", share, "a number in [0, 1)")
        let rise = target?.rise ?? 1
        try SettingError.require(rise > 0 && rise <= 1, "target.rise", rise, "a number in (0, 1]")
        if target != nil, penalty == nil { throw SettingError("target", "needs a penalty, as group_lasso") }
        guard let head else { return }
        try SettingError.require((1...1_000_000).contains(head.units), "head.units", head.units, "a whole number ≥ 1")
        try SettingError.require(
            head.interval > 0 && head.interval <= 1e6, "head.interval", head.interval, "above 0, at most 1000000")
        try SettingError.require(head.iterations >= 1, "head.iterations", head.iterations, "a whole number ≥ 1")
        try SettingError.require(
            head.penalty > 0 && head.penalty.isFinite, "head.penalty", head.penalty, "a number > 0")
        try SettingError.require(
            !head.choosesPenalty || validation > 0, "validation", validation,
            "above 0 where the head's penalty is chosen by the loss on the validation rows")
        try SettingError.require(
            head.batchGrowth >= 1 && head.batchGrowth <= 100, "head.batchGrowth", head.batchGrowth, "1 to 100")
        try SettingError.require(head.rows ?? 2 >= 2, "head.rows", head.rows ?? 0, "a whole number ≥ 2")
    }

    /// The schedule that was asked for, or the optimizer's usual one: stages where it starts afresh at each.
    public var scheduleName: String {
        if let schedule { return schedule }
        let type = OptimizerCatalogue.all.first { $0.name == optimizer }
        return type is any StagedOptimizer.Type ? EqualStages.name : ConstantSchedule.name
    }

    /// The optimizer with what is around it.
    ///
    /// - Parameter unpenalised: names of parameters that have no penalty.
    /// - Throws: `SettingError` for names and values that the catalogue does not have.
    public func rule(unpenalised: Set<String> = []) throws -> UpdateRule {
        var rule = UpdateRule(groups: try parameterGroups(unpenalised: unpenalised))
        rule.before = try (before ?? []).map { try TransformationCatalogue.before.make($0) }
        rule.after = try (after ?? []).map { try TransformationCatalogue.after.make($0) }
        if let fault = rule.fault { throw fault }
        return rule
    }
}
