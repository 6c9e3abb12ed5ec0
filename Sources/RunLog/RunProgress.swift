/// What an observer of a run tells it to do.
public enum Directive: Sendable {
    /// Go on.
    case proceed
    /// Stop at the next safe point and return what there is.
    case stop
}

/// The state of a run at one iteration, for progress bars, logs and time limits.
public struct RunProgress: Sendable, Codable {
    /// What the run is doing, as in `solve` or `patterns`.
    public var phase: String
    /// Iterations done in this phase.
    public var iteration: Int
    /// Iterations this phase may take.
    public var limit: Int
    /// Seconds since the run began.
    public var seconds: Double
    /// Objective of the network at hand, where computed.
    public var objective: Double?
    /// Relative gap to the dual bound, where computed.
    public var relativeGap: Double?
    /// Score on the validation split: accuracy, or R² for regression.
    public var validationScore: Double?
    /// Score on the test split, recorded for plots only.
    public var testScore: Double?

    /// Learning rate of the step, where there is one.
    public var learningRate: Double?
    /// Norm of all gradients, where they were taken.
    public var gradientNorm: Double?

    /// Creates a progress report.
    public init(
        phase: String, iteration: Int, limit: Int, seconds: Double, objective: Double? = nil,
        relativeGap: Double? = nil, validationScore: Double? = nil, testScore: Double? = nil
    ) {
        self.phase = phase
        self.iteration = iteration
        self.limit = limit
        self.seconds = seconds
        self.objective = objective
        self.relativeGap = relativeGap
        self.validationScore = validationScore
        self.testScore = testScore
    }
}
