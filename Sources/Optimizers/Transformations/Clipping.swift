import Settings
import Torch

/// A bound on the norm of all gradients together, as `torch.nn.utils.clip_grad_norm_` (Pascanu et al. 2013,
/// arXiv:1211.5063, Algorithm 1).
public struct ClipNorm: GradientTransformation {
    /// Name on the command line.
    public static let name = "clip_norm"
    /// One line of help.
    public static let summary = "scales all gradients together where their norm exceeds a bound"
    /// Where the method was published.
    public static let citation = "Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("max_norm", \.maxNorm, .above(0), "largest norm")]

    /// Largest norm.
    public var maxNorm = 1.0

    /// Creates the default transformation.
    public init() {}

    /// Scales the gradients where they are too long.
    public func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) {
        state.begin(parameters)
        // PyTorch adds 1e-6 to the norm.
        let factor = maxNorm / (gradients.norm() + 1e-6)
        guard factor < 1 else { return }
        for index in gradients.tensors.indices { gradients.tensors[index].scale(by: factor) }
    }
}

/// A bound on every element of the gradients, as `torch.nn.utils.clip_grad_value_`.
public struct ClipValue: GradientTransformation {
    /// Name on the command line.
    public static let name = "clip_value"
    /// One line of help.
    public static let summary = "cuts every element of the gradients to a bound"
    /// Where the method was published.
    public static let citation = "torch.nn.utils.clip_grad_value_"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("clip_value", \.clipValue, .above(0), "largest size of an element")
    ]

    /// Largest size of an element.
    public var clipValue = 1.0

    /// Creates the default transformation.
    public init() {}

    /// Cuts the elements.
    public func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) {
        state.begin(parameters)
        gradients.tensors = gradients.tensors.map { $0.clamped(to: -clipValue...clipValue) }
    }
}
