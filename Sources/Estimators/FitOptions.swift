import ConvexNetworks
import Datasets
import Proximal

/// How a model is chosen and trained; every field has a default that needs no knowledge of optimisation.
public struct FitOptions: Sendable {
    /// How the penalty β is found.
    public enum Penalty: Sendable, Equatable {
        /// Cross-validation on a path for tables, a fixed multiple of the number of rows for large data.
        case automatic
        /// A given β > 0.
        case fixed(Double)
    }

    /// Where patterns come from.
    public enum Patterns: Sendable, Equatable {
        /// A short stochastic run, whose patterns and directions the convex solve keeps.
        case network
        /// This many Gaussian gates.
        case sampled(Int)
        /// Column generation.
        case grow
        /// A given source.
        case source(PatternSource)
    }

    /// The convex program, solver settings and seed.
    public var convex = ConvexSettings()
    /// The loss; nil for softmax or logistic on classes and squared on values.
    public var loss: String?
    /// The penalty.
    public var penalty = Penalty.automatic
    /// The patterns.
    public var patterns = Patterns.network
    /// Hidden units asked for; nil for the default of the data's size.
    public var neurons: Int?
    /// Whether a column of ones is appended.
    public var hasBias = true
    /// Standardisation; nil for per column on tables and global on images.
    public var standardisation: Standardisation?
    /// A standardiser to reuse, as that of a model whose patterns are taken; nil to fit one.
    public var standardiser: Standardiser?
    /// Fraction of the training rows held out for the validation score; nil for the default.
    public var validation: Double?
    /// Rows up to which the penalty is chosen by cross-validation.
    public var crossValidationRows = 25_000
    /// Folds of the cross-validation.
    public var folds = 5
    /// Device name.
    public var device = "cpu"

    /// Creates the default options.
    public init() {}

    /// The loss for a task: the named one, or the task's default.
    func resolvedLoss(_ task: Task, outputs classes: Int) -> any Loss {
        if let loss, let found = LossCatalogue.named(loss) { return found }
        switch task {
        case .regression: return SquaredLoss()
        case .classification: return classes == 2 ? LogisticLoss() : SoftmaxLoss()
        }
    }
}

/// What the penalty search tried.
public struct PathPoint: Sendable, Codable, Equatable {
    /// Penalty β of the training folds, scaled to all rows.
    public var penalty: Double
    /// Hidden units or patterns asked for.
    public var patterns: Int
    /// Mean validation score over the folds.
    public var score: Double
    /// Standard error of the mean.
    public var standardError: Double
}

/// The numbers of a fit: what `descent fit --json` prints and the run folder keeps.
public struct FitReport: Sendable, Codable {
    public var method = "convex"
    public var task: Task
    public var formulation: Formulation
    public var loss: String
    public var penalty: Double
    public var penaltyChoice: String
    public var neurons: Int
    public var patterns: Int
    public var patternSource: String
    public var bias: Bool
    public var standardisation: String
    public var rows: Int
    public var columns: Int
    public var outputs: Int
    public var objective: Double
    /// Nil where no finite bound exists.
    public var dualBound: Double?
    public var relativeGap: Double?
    public var networkBeatsProgram: Bool
    public var certificate: String
    public var convexObjective: Double
    public var coneViolation: Double
    public var initialObjective: Double?
    public var initialTrainAccuracy: Double?
    public var initialTestAccuracy: Double?
    public var pricing: Double?
    public var trainAccuracy: Double?
    public var validationAccuracy: Double?
    public var testAccuracy: Double?
    public var trainR2: Double?
    public var validationR2: Double?
    public var testR2: Double?
    /// Train score of the convex program's own predictions `Fv`, beside those of the network.
    public var convexTrainScore: Double?
    public var iterations: Int
    public var pcgIterations: Int
    public var linearSolver: String
    public var gemmFlops: Double
    public var seconds: Double
    public var secondsByPhase: [String: Double]
    public var peakMemoryBytes: Int
    public var estimatedBytes: Int
    public var termination: String
    public var advice: String
    public var seed: UInt64
    public var dtype: String
    public var device: String
    public var threads: Int
    public var dataHash: String
    public var torch: String
    public var notices: [String]
    public var path: [PathPoint]
    public var history: [HistoryPoint]
}

/// One line of a run's history.
public struct HistoryPoint: Sendable, Codable, Equatable {
    public var phase: String
    public var iteration: Int
    public var seconds: Double
    public var objective: Double?
    public var relativeGap: Double?
    public var trainScore: Double?
    public var validationScore: Double?
    public var testScore: Double?
}
