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
    /// Schedule, by its name in the catalogue.
    public var schedule = "constant"
    /// Its hyperparameters.
    public var scheduleSettings: [String: SettingValue] = [:]
    /// Whether the schedule counts steps or epochs.
    public var scheduleUnit = TimeUnit.step
    /// Loss; nil for the usual one of the task.
    public var loss: LossName?
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
    /// Bound on gradients.
    public var clipping: Clipping?
    /// Decay of an exponential average of the weights.
    public var averageDecay: Double?
    /// Slow weights.
    public var lookahead: Lookahead?
    /// Radius of sharpness-aware minimisation.
    public var sharpnessRadius: Double?
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

    /// Names of all settings, as a file has them.
    public static let names = [
        "model", "modelSettings", "optimizer", "optimizerSettings", "schedule", "scheduleSettings", "scheduleUnit",
        "loss", "head", "epochs", "steps", "batch", "accumulation", "clipping", "averageDecay", "lookahead",
        "sharpnessRadius",
        "augmentation", "precision", "evaluationInterval", "patience", "timeLimit", "validation", "seed",
    ]

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

    /// A training loss by name.
    public enum LossName: String, Sendable, Codable, CaseIterable {
        case crossEntropy = "cross_entropy"
        case binaryCrossEntropy = "bce"
        case meanSquared = "mse"
        case absolute = "l1"
        case huber

        /// The loss itself.
        public var loss: TrainingLoss {
            switch self {
            case .crossEntropy: .crossEntropy()
            case .binaryCrossEntropy: .binaryCrossEntropy
            case .meanSquared: .meanSquared
            case .absolute: .absolute
            case .huber: .huber()
            }
        }

        /// The convex loss of the same name in `descent fit`; nil where it has none.
        public var convexName: String? {
            switch self {
            case .crossEntropy: "softmax"
            case .binaryCrossEntropy: "logistic"
            case .meanSquared: "squared"
            case .huber: "huber"
            case .absolute: nil
            }
        }
    }

    /// The optimizer with what is around it.
    ///
    /// - Throws: `SettingError` for names and values that the catalogue does not have.
    public func rule() throws -> UpdateRule {
        var rule = UpdateRule(try OptimizerCatalogue.make(optimizer, settings: optimizerSettings))
        rule.clipping = clipping
        rule.lookahead = lookahead
        rule.averageDecay = averageDecay
        rule.sharpnessRadius = sharpnessRadius
        return rule
    }
}
