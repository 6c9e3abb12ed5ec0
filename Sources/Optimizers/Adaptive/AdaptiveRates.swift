import Foundation
import Settings
import Torch

/// Adagrad (Duchi, Hazan and Singer 2011), as `torch.optim.Adagrad`: `p −= lr/(1 + (t−1) decay) · g/(√Σg² + ε)`.
public struct Adagrad: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adagrad"
    /// One line of help.
    public static let summary = "steps scaled by the root of the sum of squared gradients"
    /// Where the method was published.
    public static let citation = "Duchi, Hazan and Singer, JMLR 2011"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("lr_decay", \.lrDecay, .atLeast(0), "decay of the learning rate with the steps"),
        .weightDecay(\.weightDecay),
        Setting("initial_accumulator_value", \.initialAccumulatorValue, .atLeast(0), "start of the sum of squares"),
        .eps(\.eps), .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-2
    /// Decay of the learning rate with the steps.
    public var lrDecay = 0.0
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Start of the sum of squares.
    public var initialAccumulatorValue = 0.0
    /// Added to the denominator.
    public var eps = 1e-10
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let sum = slot.take("sum", Tensor.zeros(like: parameter) + initialAccumulatorValue) + g.squared()
        let rate = lr / (1 + Double(t - 1) * lrDecay)
        parameter.add(g / (sum.squareRoot() + eps), scaledBy: -rate)
        slot.tensors["sum"] = sum
    }
}

/// Adadelta (Zeiler 2012, Algorithm 1), as `torch.optim.Adadelta`.
public struct Adadelta: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adadelta"
    /// One line of help.
    public static let summary = "steps in units of earlier steps, scaled by running means of squares"
    /// Where the method was published.
    public static let citation = "Zeiler 2012, arXiv:1212.5701, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("rho", \.rho, .share, "decay rate of the means of squares"), .eps(\.eps),
        .weightDecay(\.weightDecay), .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1.0
    /// Decay rate of the means of squares.
    public var rho = 0.9
    /// Added under the roots.
    public var eps = 1e-6
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let square = slot.take("square_avg", Tensor.zeros(like: parameter)).moved(towards: g.squared(), by: 1 - rho)
        let steps = slot.take("acc_delta", Tensor.zeros(like: parameter))
        let delta = (steps + eps).squareRoot() / (square + eps).squareRoot() * g
        slot.tensors["square_avg"] = square
        slot.tensors["acc_delta"] = steps.moved(towards: delta.squared(), by: 1 - rho)
        parameter.add(delta, scaledBy: -lr)
    }
}

/// RMSprop (Tieleman and Hinton 2012), as `torch.optim.RMSprop`: `ε` outside the root, momentum on the scaled gradient.
public struct RMSprop: TensorOptimizer {
    /// Name on the command line.
    public static let name = "rmsprop"
    /// One line of help.
    public static let summary = "steps scaled by the root of a running mean of squared gradients"
    /// Where the method was published.
    public static let citation = "Tieleman and Hinton, Coursera lecture 6.5, 2012; centered: Graves, arXiv:1308.0850"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("alpha", \.alpha, .decay, "decay rate of the mean of squares"), .eps(\.eps),
        .weightDecay(\.weightDecay), .momentum(\.momentum),
        Setting("centered", \.centered, .flag, "scale by the variance instead of the mean square"),
        .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-2
    /// Decay rate of the mean of squares.
    public var alpha = 0.99
    /// Added to the denominator.
    public var eps = 1e-8
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Decay rate of the momentum.
    public var momentum = 0.0
    /// Whether the variance scales the gradient.
    public var centered = false
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let square = slot.take("square_avg", Tensor.zeros(like: parameter)).moved(towards: g.squared(), by: 1 - alpha)
        slot.tensors["square_avg"] = square
        var variance = square
        if centered {
            let mean = slot.take("grad_avg", Tensor.zeros(like: parameter)).moved(towards: g, by: 1 - alpha)
            slot.tensors["grad_avg"] = mean
            variance = square - mean.squared()
        }
        let scaled = g / (variance.squareRoot() + eps)
        guard momentum > 0 else { return parameter.add(scaled, scaledBy: -lr) }
        let buffer = slot.take("momentum_buffer", Tensor.zeros(like: parameter)) * momentum + scaled
        slot.tensors["momentum_buffer"] = buffer
        parameter.add(buffer, scaledBy: -lr)
    }
}
