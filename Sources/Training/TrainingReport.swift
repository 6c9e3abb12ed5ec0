import RunLog
import Settings
import Structure

/// One evaluation of a run.
public struct TrainingPoint: Sendable, Codable, Equatable {
    /// Updates done.
    public var step: Int
    /// Passes over the training rows done.
    public var epoch: Double
    /// Seconds of training, without those of evaluation.
    public var seconds: Double
    /// Mean training loss since the last evaluation.
    public var trainLoss: Double?
    /// Accuracy or R² on the validation rows.
    public var validationScore: Double?
    /// Accuracy or R² on the test rows.
    public var testScore: Double?
    /// Learning rate in force.
    public var learningRate: Double?
    /// Norm of all gradients of the last step.
    public var gradientNorm: Double?
    /// Structure of the penalised parameters.
    public var structure: StructurePoint?
    /// Relative gap of the convex part, behind a convex solve.
    public var relativeGap: Double?
    /// Objective of the convex part, behind a convex solve.
    public var objective: Double?
    /// Penalty for each row of the convex part, behind a convex solve.
    public var penalty: Double?
    /// What was done since the last point: `train` or `convex`.
    public var phase = "train"

    /// Creates a point.
    public init(step: Int, epoch: Double, seconds: Double) {
        (self.step, self.epoch, self.seconds) = (step, epoch, seconds)
    }
}

/// The structure of the evaluated parameters at one point of a run.
public struct StructurePoint: Sendable, Codable, Equatable {
    /// Share of the penalised weights that lie in zero groups.
    public var groupSparsity: Double?
    /// Share of the groups that are zero.
    public var unweightedGroupSparsity: Double?
    /// One less the share of singular values that are not zero.
    public var lowRankLevel: Double?
    /// Share of all elements that are exactly zero.
    public var zeroShare: Double
    /// Hash of the active groups and ranks: equal where the structure is.
    public var fingerprint: String
    /// `λψ` of the penalised parameters.
    public var penalty: Double
    /// Mean strength over the penalised parameters, where it follows a target.
    public var strength: Double?
    /// How far the last step's subproblems are from solved: `‖v − prox(v − ∇q(v))‖` over all tensors.
    public var inexactness: Double?
}

/// The numbers of a training run: what `descent train --json` prints and the run folder keeps.
public struct TrainingReport: Sendable, Codable {
    /// Name of the method: the optimizer, or `cronos-am`.
    public var method: String
    /// The settings that were used; nil where objects were given.
    public var settings: TrainingSettings?
    /// All hyperparameters of the optimizer.
    public var optimizer: [String: SettingValue]
    /// All hyperparameters of the architecture, where it has a name.
    public var model: [String: SettingValue]?
    /// Elements of all parameters.
    public var parameters: Int
    /// Training rows, where the problem has such.
    public var rows: Int?
    /// Raw feature columns of a data set.
    public var columns: Int?
    /// Outputs of the network, on a data set.
    public var outputs: Int?
    /// Loss, by name.
    public var loss: String?
    /// Updates done.
    public var steps: Int
    /// Passes done.
    public var epochs: Double
    /// Scores at the end.
    public var trainScore: Double?
    /// Validation score at the end.
    public var validationScore: Double?
    /// Test score at the end.
    public var testScore: Double?
    /// Best validation score, or test score without a validation part, of all evaluations.
    public var bestScore: Double?
    /// Step of that.
    public var bestStep: Int?
    /// Mean loss over all training rows at the end.
    public var trainLoss: Double?
    /// That with the penalty, where there is one.
    public var objective: Double?
    /// Structure of the penalised parameters at the end.
    public var structure: NetworkStructure?
    /// Seconds of training, without evaluation.
    public var seconds: Double
    /// Seconds by phase.
    public var secondsByPhase: [String: Double]
    /// Largest resident memory.
    public var peakMemoryBytes: Int
    /// Why the run ended.
    public var termination: String
    /// Device and threads.
    public var device: String
    /// Threads inside one operation.
    public var threads: Int
    /// Hash of the training data.
    public var dataHash: String
    /// Version of LibTorch.
    public var torch: String
    /// What was decided or noticed.
    public var notices: [String]
    /// What is amiss with the result, as a loss far above where it began.
    public var warning: String?
    /// The evaluations.
    public var history: [TrainingPoint]
}
