import Settings
import Torch

/// MADGRAD (Defazio and Jelassi 2022, Algorithm 1): dual averaging with cube roots, and momentum.
///
/// With `λ = lr √t`: `s += λ g`, `v += λ g²`, `z = x₀ − s/(∛v + ε)`, `p = m p + (1 − m) z`.
public struct MADGRAD: TensorOptimizer {
    /// Name on the command line.
    public static let name = "madgrad"
    /// One line of help.
    public static let summary = "momentumised, adaptive dual averaging"
    /// Where the method was published.
    public static let citation = "Defazio and Jelassi, JMLR 2022, arXiv:2101.11075, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .momentum(\.momentum), .weightDecay(\.weightDecay), .eps(\.eps),
    ]

    /// Learning rate.
    public var lr = 1e-2
    /// Decay rate of the momentum.
    public var momentum = 0.9
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Added to the cube root, and to the learning rate.
    public var eps = 1e-6

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let x0 = slot.take("x0", parameter + 0)
        var s = slot.take("s", Tensor.zeros(like: parameter))
        var v = slot.take("grad_sum_sq", Tensor.zeros(like: parameter))
        let lambda = (lr + eps) * Double(t).squareRoot()
        if FusedKernels.covers(parameter) {
            FusedKernels.madgrad(
                &parameter, gradient, &s, &v, x0, lambda: lambda, momentum: momentum, eps: eps,
                weightDecay: weightDecay)
        } else {
            let g = gradient.adding(weightDecay: weightDecay, of: parameter)
            s.add(g, scaledBy: lambda)
            v.add(g.squared(), scaledBy: lambda)
            let z = x0 - s / (v.power(1.0 / 3) + eps)
            parameter = parameter.moved(towards: z, by: 1 - momentum)
        }
        slot.tensors["x0"] = x0
        slot.tensors["s"] = s
        slot.tensors["grad_sum_sq"] = v
    }
}
