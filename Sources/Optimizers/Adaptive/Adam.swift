import Foundation
import Settings
import Torch

/// Adam (Kingma and Ba 2015, Algorithm 1), as `torch.optim.Adam`.
///
/// `m` and `v` are running means of `g` and `g²`; the step is `−lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`. With `amsgrad`
/// the largest `v` so far, taken before bias correction, replaces `v`.
public struct Adam: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adam"
    /// One line of help.
    public static let summary = "steps scaled by running means of the gradient and its square"
    /// Where the method was published.
    public static let citation = "Kingma and Ba, ICLR 2015, arXiv:1412.6980, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .weightDecay(\.weightDecay),
        Setting("amsgrad", \.amsgrad, .flag, "keep the largest second moment"), .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Whether the largest second moment so far is kept.
    public var amsgrad = false
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        AdamRule(lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, isDecoupled: false, amsgrad: amsgrad)
            .update(&parameter, gradient: gradient, slot: &slot, t: t)
    }
}

/// AdamW (Loshchilov and Hutter 2019, Algorithm 2), as `torch.optim.AdamW`: weights shrink by `1 − lr λ` before the step.
public struct AdamW: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adamw"
    /// One line of help.
    public static let summary = "Adam with decoupled weight decay"
    /// Where the method was published.
    public static let citation = "Loshchilov and Hutter, ICLR 2019, arXiv:1711.05101, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .decoupledWeightDecay(\.weightDecay),
        Setting("amsgrad", \.amsgrad, .flag, "keep the largest second moment"), .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Decoupled weight decay.
    public var weightDecay = 1e-2
    /// Whether the largest second moment so far is kept.
    public var amsgrad = false
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        AdamRule(lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, isDecoupled: true, amsgrad: amsgrad)
            .update(&parameter, gradient: gradient, slot: &slot, t: t)
    }
}

/// AMSGrad (Reddi, Kale and Kumar 2018, Algorithm 2): Adam whose second moment never falls.
public struct AMSGrad: TensorOptimizer {
    /// Name on the command line.
    public static let name = "amsgrad"
    /// One line of help.
    public static let summary = "Adam whose second moment never falls"
    /// Where the method was published.
    public static let citation = "Reddi, Kale and Kumar, ICLR 2018, arXiv:1904.09237, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.adam.betas), .eps(\.adam.eps), .weightDecay(\.adam.weightDecay),
        Setting("amsgrad", \.adam.amsgrad, .flag, "keep the largest second moment"), .maximize(\.adam.maximize),
    ]

    private var adam = Adam()
    /// Learning rate.
    public var lr: Double {
        get { adam.lr }
        set { adam.lr = newValue }
    }

    /// Whether to climb.
    public var maximize: Bool { adam.maximize }

    /// Creates the default optimizer.
    public init() { adam.amsgrad = true }

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        adam.update(&parameter, gradient: gradient, slot: &slot, t: t)
    }
}

/// The rule that the three share.
private struct AdamRule {
    let lr: Double
    let betas: [Double]
    let eps: Double
    let weightDecay: Double
    let isDecoupled: Bool
    let amsgrad: Bool

    func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var m = slot.take("exp_avg", Tensor.zeros(like: parameter))
        var v = slot.take("exp_avg_sq", Tensor.zeros(like: parameter))
        let correction1 = 1 - pow(betas[0], Double(t))
        let correction2 = 1 - pow(betas[1], Double(t))
        if !amsgrad, FusedKernels.engineCovers(parameter) {
            var (moved, first, second) = (
                [FusedKernels.taken(&parameter)], [FusedKernels.taken(&m)], [FusedKernels.taken(&v)]
            )
            Tensor.fusedAdam(
                &moved, gradients: [gradient], firstMoments: &first, secondMoments: &second,
                steps: [Tensor.full([], Double(t), device: gradient.device)], rate: lr, decay: (betas[0], betas[1]),
                weightDecay: weightDecay, epsilon: eps, isDecoupled: isDecoupled)
            (parameter, m, v) = (moved[0], first[0], second[0])
        } else {
            let g = isDecoupled ? gradient : gradient.adding(weightDecay: weightDecay, of: parameter)
            if isDecoupled, weightDecay != 0 { parameter.scale(by: 1 - lr * weightDecay) }
            m = m.moved(towards: g, by: 1 - betas[0])
            v = v.moved(towards: g.squared(), by: 1 - betas[1])
            var second = v
            if amsgrad {
                second = slot.take("max_exp_avg_sq", v).maximum(v)
                slot.tensors["max_exp_avg_sq"] = second
            }
            let root = second.squareRoot() * (1 / correction2.squareRoot()) + eps
            parameter.add(m / root, scaledBy: -lr / correction1)
        }
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_avg_sq"] = v
    }
}
