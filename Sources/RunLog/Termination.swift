/// Why an iterative method stopped. Not converging is a value, not an error.
public enum Termination: String, Sendable, Codable, CaseIterable {
    /// Every tolerance was met.
    case converged
    /// All that was asked for was done: epochs or steps of a method that has no tolerance.
    case completed
    /// The iteration limit came first.
    case iterationLimit
    /// The time limit came first.
    case timeLimit
    /// Validation accuracy stopped rising.
    case validationStalled
    /// The iterates stopped being finite.
    case nonFinite
    /// The observer asked to stop, as Ctrl-C does.
    case cancelled

    /// What happened, in one sentence.
    public var explanation: String {
        switch self {
        case .converged: "The relative gap and the residuals are below the tolerance."
        case .completed: "All epochs were done; nothing says how far the result is from an optimum."
        case .iterationLimit: "The iteration limit was reached before the tolerance."
        case .timeLimit: "The time limit was reached before the tolerance."
        case .validationStalled: "The validation score stopped rising before the tolerance was reached."
        case .nonFinite: "The iterates stopped being finite."
        case .cancelled: "The run was stopped; its checkpoint can be resumed."
        }
    }

    /// What to try next; empty when nothing is amiss.
    public var advice: String {
        switch self {
        case .converged, .completed, .validationStalled: ""
        case .iterationLimit: "Raise `maxIterations`, or accept a looser `tolerance`; the certificate states the gap."
        case .timeLimit: "Raise `timeLimit`, or continue with `resume`; the certificate states the gap."
        case .nonFinite: "Standardise the data, use `precision` float64, or raise the penalty."
        case .cancelled: "Continue with `resume`."
        }
    }
}

/// What an observer of a run tells it to do.
public enum Directive: Sendable {
    /// Go on.
    case proceed
    /// Stop at the next safe point and return what there is.
    case stop
}

/// The state of a run at one iteration, for progress bars, logs and time limits.
public struct Progress: Sendable, Codable {
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

/// Receives progress and may stop the run.
public typealias Observer = (Progress) -> Directive
