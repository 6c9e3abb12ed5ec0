import ConvexNetworks
import Datasets
import Proximal
import Torch

/// How a model is chosen and trained; every field has a default that needs no knowledge of optimisation.
public struct FitOptions: Sendable {
    /// How the penalty β is found.
    public enum Penalty: Sendable, Equatable {
        /// `search` for tables, a fixed multiple of the number of rows for large data.
        case automatic
        /// Scores along a path of penalties: by cross-validation, or on one held-out part of large data.
        case search
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
    /// Precision of the solve; nil for double where it costs little, single otherwise.
    public var precision: DType?
    /// Rows up to which the penalty is searched unless asked, and by cross-validation.
    public var crossValidationRows = 25_000
    /// Numbers in the table, rows × columns, up to which the penalty is searched unless asked: seconds, not minutes.
    public var crossValidationElements = 5_000_000
    /// Folds of the cross-validation.
    public var folds = 5
    /// Where the solve runs.
    public var device = Device.cpu

    /// Creates the default options.
    public init() {}

    /// The precision of a solve: double where a product with all the data takes milliseconds, or where the tolerance
    /// asks for it. Multipliers in single precision certify about 1e-3 and no better.
    func resolvedPrecision(rows: Int, columns: Int, outputs: Int) -> DType {
        if let precision { return precision }
        if convex.tolerance < 1e-3 { return .float64 }
        let d = Double(min(rows, columns))
        let patterns = Double(Sizes(options: self, rows: rows).patterns)
        return Double(rows) * d * patterns * Double(max(1, outputs)) <= 1e8 ? .float64 : .float32
    }

    /// The loss for a task: the named one, or the task's default.
    func resolvedLoss(_ task: PredictionTask, outputs classes: Int) -> any Loss {
        if let loss, let found = LossCatalogue.named(loss) { return found }
        // The paper's splitting keeps the squared loss inside its linear system.
        if convex.admm.splitting == .two { return SquaredLoss() }
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
    /// Name of the method.
    public var method = "convex"
    /// What is predicted.
    public var task: PredictionTask
    /// The convex program.
    public var formulation: Formulation
    /// Name of the loss.
    public var loss: String
    /// Penalty β.
    public var penalty: Double
    /// How β was found.
    public var penaltyChoice: String
    /// Hidden units of the network that is returned.
    public var neurons: Int
    /// Activation patterns of the program.
    public var patterns: Int
    /// Where the patterns came from.
    public var patternSource: String
    /// Whether a column of ones was appended.
    public var bias: Bool
    /// How features were standardised.
    public var standardisation: String
    /// Training rows.
    public var rows: Int
    /// Raw feature columns.
    public var columns: Int
    /// Outputs of the network.
    public var outputs: Int
    /// Training objective of the network that is returned.
    public var objective: Double
    /// Nil where no finite bound exists.
    public var dualBound: Double?
    /// `(objective − dualBound) / objective`; nil where no finite bound exists.
    public var relativeGap: Double?
    /// The network lies below the bound.
    public var networkBeatsProgram: Bool
    /// What the gap says, in words.
    public var certificate: String
    /// Objective of the convex variable, cone violations ignored.
    public var convexObjective: Double
    /// How far the convex variable leaves its cones, relative.
    public var coneViolation: Double?
    /// Objective of the stochastic run, before the convex solve.
    public var initialObjective: Double?
    /// Train accuracy of the stochastic run.
    public var initialTrainAccuracy: Double?
    /// Test accuracy of the stochastic run.
    public var initialTestAccuracy: Double?
    /// Largest violation found by the last pricing step, in units of β.
    public var pricing: Double?
    /// Share of training rows classified right.
    public var trainAccuracy: Double?
    /// Share of validation rows classified right.
    public var validationAccuracy: Double?
    /// Share of test rows classified right.
    public var testAccuracy: Double?
    /// R² on the training rows.
    public var trainR2: Double?
    /// R² on the validation rows.
    public var validationR2: Double?
    /// R² on the test rows.
    public var testR2: Double?
    /// Train score of the convex program's own predictions, beside those of the network.
    public var convexTrainScore: Double?
    /// Test score of the convex program's own predictions, beside those of the network.
    public var convexTestScore: Double?
    /// ADMM iterations.
    public var iterations: Int
    /// Conjugate-gradient products.
    public var pcgIterations: Int
    /// How the linear system was solved.
    public var linearSolver: String
    /// Floating-point operations in products with the data.
    public var gemmFlops: Double
    /// Seconds of the whole run.
    public var seconds: Double
    /// Seconds by phase.
    public var secondsByPhase: [String: Double]
    /// Largest resident size of the process.
    public var peakMemoryBytes: Int
    /// What was stated before the run.
    public var estimatedBytes: Int
    /// Why the solve stopped.
    public var termination: String
    /// What that means and what to try.
    public var advice: String
    /// Seed of everything random.
    public var seed: UInt64
    /// Precision of the solve.
    public var dtype: String
    /// Device of the solve.
    public var device: String
    /// Threads inside one operation.
    public var threads: Int
    /// Hash of the training data.
    public var dataHash: String
    /// Version of LibTorch.
    public var torch: String
    /// Notices about the data and the run.
    public var notices: [String]
    /// What the penalty search tried.
    public var path: [PathPoint]
    /// Objective, gap and scores against time.
    public var history: [ConvexRunPoint]
}

/// One line of a run's history.
public struct ConvexRunPoint: Sendable, Codable, Equatable {
    /// Phase of the run.
    public var phase: String
    /// Iteration in the phase.
    public var iteration: Int
    /// Seconds of the whole run.
    public var seconds: Double
    /// Training objective of the network that is returned.
    public var objective: Double?
    /// `(objective − dualBound) / objective`; nil where no finite bound exists.
    public var relativeGap: Double?
    /// Score on the training rows.
    public var trainScore: Double?
    /// Score on the validation rows.
    public var validationScore: Double?
    /// Score on the test rows.
    public var testScore: Double?
}
