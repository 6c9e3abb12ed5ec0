import Settings
import Torch

/// The gradient of an L2 penalty `λ/2 ‖w‖²`, as `weight_decay` of `torch.optim.SGD`, for any optimizer and any group.
public struct WeightDecay: GradientTransformation {
    /// Name on the command line.
    public static let name = "weight_decay"
    /// One line of help.
    public static let summary = "adds the gradient of an L2 penalty"
    /// Where the method was published.
    public static let citation = "Krogh and Hertz, NeurIPS 1991, equation 5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.weightDecay(\.weightDecay)]

    /// Strength λ.
    public var weightDecay = 1e-4

    /// Creates the default transformation.
    public init() {}

    /// Adds `λ w`.
    public func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) {
        state.begin(parameters)
        gradients.tensors = zip(gradients.tensors, parameters).map { $0.adding(weightDecay: weightDecay, of: $1) }
    }
}
