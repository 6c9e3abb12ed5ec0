import Settings
import Torch

/// Lion (Chen et al. 2023, Algorithm 2): `p −= lr sign(β₁ m + (1 − β₁) g)`, then `m = β₂ m + (1 − β₂) g`.
public struct Lion: TensorOptimizer {
    /// Name on the command line.
    public static let name = "lion"
    /// One line of help.
    public static let summary = "the sign of an interpolated momentum; one state tensor"
    /// Where the method was published.
    public static let citation = "Chen et al., NeurIPS 2023, arXiv:2302.06675, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.lr, .betas(\.betas), .decoupledWeightDecay(\.weightDecay)]

    /// Learning rate.
    public var lr = 1e-4
    /// Interpolation of the step, and decay rate of the momentum.
    public var betas = [0.9, 0.99]
    /// Decoupled weight decay.
    public var weightDecay = 0.0

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var m = slot.take("exp_avg", Tensor.zeros(like: parameter))
        if FusedKernels.covers(parameter) {
            FusedKernels.lion(
                &parameter, gradient, &m, rate: lr, beta1: betas[0], beta2: betas[1], shrink: 1 - lr * weightDecay)
        } else {
            parameter.scale(by: 1 - lr * weightDecay)
            parameter.add(m.moved(towards: gradient, by: 1 - betas[0]).sign(), scaledBy: -lr)
            m = m.moved(towards: gradient, by: 1 - betas[1])
        }
        slot.tensors["exp_avg"] = m
    }
}

/// Rprop (Riedmiller and Braun 1993), as `torch.optim.Rprop`: a step size for each weight, grown while signs agree.
public struct Rprop: TensorOptimizer {
    /// Name on the command line.
    public static let name = "rprop"
    /// One line of help.
    public static let summary = "a step size for each weight, from signs alone; for full batches"
    /// Where the method was published.
    public static let citation = "Riedmiller and Braun, IEEE ICNN 1993"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr,
        Setting(
            "etas", \.etas, .pair("a number in (0, 1) and a number > 1") { $0 > 0 && $0 < 1 && $1 > 1 },
            "factors of the step size where signs differ and agree"),
        Setting(
            "step_sizes", \.stepSizes, .pair("two positive numbers, the smaller first") { $0 > 0 && $0 <= $1 },
            "smallest and largest step size"), .maximize(\.maximize),
    ]

    /// First step size.
    public var lr = 1e-2
    /// Factors where signs differ and agree.
    public var etas = [0.5, 1.2]
    /// Smallest and largest step size.
    public var stepSizes = [1e-6, 50.0]
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let previous = slot.take("prev", Tensor.zeros(like: parameter))
        let sizes = slot.take("step_size", Tensor.zeros(like: parameter) + lr)
        let agreement = gradient * previous
        let one = Tensor.zeros(like: parameter) + 1
        let differs = (-agreement).isAbove(0)
        let factor = (one * etas[1]).selecting(
            where: agreement.isAbove(0), otherwise: (one * etas[0]).selecting(where: differs, otherwise: one))
        let grown = (sizes * factor).clamped(to: stepSizes[0]...stepSizes[1])
        // Where the sign flipped the last step was too far: no move, and no sign to compare with next time.
        let g = Tensor.zeros(like: parameter).selecting(where: differs, otherwise: gradient)
        parameter.add(g.sign() * grown, scaledBy: -1)
        slot.tensors["prev"] = g
        slot.tensors["step_size"] = grown
    }
}
