import Settings
import Torch

/// Sharpness-aware minimisation: the gradient where the loss is highest in a ball, to first order (Foret et al. 2021,
/// arXiv:2010.01412, equations 2 and 3).
public struct SharpnessAware: GradientTransformation {
    /// Name on the command line.
    public static let name = "sam"
    /// One line of help.
    public static let summary = "takes the gradient at the worst point nearby; twice the work"
    /// Where the method was published.
    public static let citation = "Foret, Kleiner, Mobahi and Neyshabur, ICLR 2021, arXiv:2010.01412, equation 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("rho", \.rho, .above(0), "radius of the ball")]
    /// The step is evaluated twice.
    public static let evaluatesAgain = true

    /// Radius ρ.
    public var rho = 0.05

    /// Creates the paper's setting.
    public init() {}

    /// Replaces the gradients by those at `w + ρ ∇f / ‖∇f‖`.
    public func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) throws {
        state.begin(parameters)
        let scale = rho / (gradients.norm() + 1e-12)
        let ascended = zip(parameters, gradients.tensors).map { $0.adding($1, scaledBy: scale) }
        gradients.tensors = try evaluate(ascended).gradients
    }
}
