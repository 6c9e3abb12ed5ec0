import ConvexNetworks
import Datasets
import RunLog

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
public struct FitReport: Sendable, Codable, RunReport {
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
    public var history: [HistoryPoint]
}
