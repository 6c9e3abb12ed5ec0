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

extension Termination {
    /// Whether the run can go on from its checkpoint.
    public var isCut: Bool { self == .cancelled || self == .timeLimit }
}
