/// One evaluation of a run.
public struct HistoryPoint: Sendable, Codable, Equatable {
    /// What was done since the last point, as in `train`, `convex` or `solve`.
    public var phase: String
    /// Updates done, or iterations of the phase.
    public var step: Int
    /// Passes over the training rows done, where rows are passed over.
    public var epoch: Double?
    /// Seconds of the run; of training alone, without evaluation, where steps are stochastic.
    public var seconds: Double
    /// Mean training loss since the last evaluation.
    public var trainLoss: Double?
    /// Score on the validation rows: accuracy, or R².
    public var validationScore: Double?
    /// Score on the test rows.
    public var testScore: Double?
    /// Learning rate in force.
    public var learningRate: Double?
    /// Norm of all gradients of the last step.
    public var gradientNorm: Double?
    /// Structure of the penalised parameters.
    public var structure: StructurePoint?
    /// Objective of the network of a convex program, or of a convex part.
    public var objective: Double?
    /// `(objective − dualBound) / objective`; nil where no finite bound exists.
    public var relativeGap: Double?
    /// Penalty for each row of the convex part, behind a convex solve.
    public var penalty: Double?

    /// Creates a point.
    public init(phase: String, step: Int, epoch: Double? = nil, seconds: Double) {
        (self.phase, self.step, self.epoch, self.seconds) = (phase, step, epoch, seconds)
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

    /// Creates a point of parameters without groups or ranks.
    public init(zeroShare: Double, fingerprint: String, penalty: Double) {
        (self.zeroShare, self.fingerprint, self.penalty) = (zeroShare, fingerprint, penalty)
    }
}
