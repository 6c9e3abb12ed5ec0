import Foundation
import Settings
import Torch

/// NAdam (Dozat 2016) with a momentum schedule, as `torch.optim.NAdam`.
///
/// `μ_t = β₁ (1 − ½ 0.96^{ψt})`, and the step mixes the gradient and the momentum of the next step.
public struct NAdam: TensorOptimizer {
    /// Name on the command line.
    public static let name = "nadam"
    /// One line of help.
    public static let summary = "Adam with Nesterov momentum and a momentum schedule"
    /// Where the method was published.
    public static let citation = "Dozat, ICLR workshop 2016"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .weightDecay(\.weightDecay),
        Setting("momentum_decay", \.momentumDecay, .atLeast(0), "ψ of the momentum schedule"),
        Setting("decoupled_weight_decay", \.decoupledWeightDecay, .flag, "decay weights as AdamW does"),
        .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 2e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Weight decay.
    public var weightDecay = 0.0
    /// ψ of the momentum schedule.
    public var momentumDecay = 4e-3
    /// Whether weights decay as in AdamW.
    public var decoupledWeightDecay = false
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var g = gradient
        if decoupledWeightDecay {
            parameter.scale(by: 1 - lr * weightDecay)
        } else {
            g = g.adding(weightDecay: weightDecay, of: parameter)
        }
        let mu = betas[0] * (1 - 0.5 * pow(0.96, Double(t) * momentumDecay))
        let next = betas[0] * (1 - 0.5 * pow(0.96, Double(t + 1) * momentumDecay))
        let product = (slot.numbers["mu_product"] ?? 1) * mu
        let m = slot.take("exp_avg", Tensor.zeros(like: parameter)).moved(towards: g, by: 1 - betas[0])
        let v = slot.take("exp_avg_sq", Tensor.zeros(like: parameter)).moved(towards: g.squared(), by: 1 - betas[1])
        let root = (v * (1 / (1 - pow(betas[1], Double(t))))).squareRoot() + eps
        parameter.add(g / root, scaledBy: -lr * (1 - mu) / (1 - product))
        parameter.add(m / root, scaledBy: -lr * next / (1 - product * next))
        slot.numbers["mu_product"] = product
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_avg_sq"] = v
    }
}

/// RAdam (Liu et al. 2020, Algorithm 2), as `torch.optim.RAdam`: no scaling until its variance can be trusted.
public struct RAdam: TensorOptimizer {
    /// Name on the command line.
    public static let name = "radam"
    /// One line of help.
    public static let summary = "Adam that rectifies the variance of its first steps"
    /// Where the method was published.
    public static let citation = "Liu et al., ICLR 2020, arXiv:1908.03265, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .weightDecay(\.weightDecay),
        Setting("decoupled_weight_decay", \.decoupledWeightDecay, .flag, "decay weights as AdamW does"),
        .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Weight decay.
    public var weightDecay = 0.0
    /// Whether weights decay as in AdamW.
    public var decoupledWeightDecay = false
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var g = gradient
        if decoupledWeightDecay {
            parameter.scale(by: 1 - lr * weightDecay)
        } else {
            g = g.adding(weightDecay: weightDecay, of: parameter)
        }
        let m = slot.take("exp_avg", Tensor.zeros(like: parameter)).moved(towards: g, by: 1 - betas[0])
        let v = slot.take("exp_avg_sq", Tensor.zeros(like: parameter)).moved(towards: g.squared(), by: 1 - betas[1])
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_avg_sq"] = v
        let rate = lr / (1 - pow(betas[0], Double(t)))
        let decayed = pow(betas[1], Double(t))
        let limit = 2 / (1 - betas[1]) - 1
        let length = limit - 2 * Double(t) * decayed / (1 - decayed)
        guard length > 5 else { return parameter.add(m, scaledBy: -rate) }
        let rectifier = ((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)).squareRoot()
        parameter.add(m / (v.squareRoot() + eps), scaledBy: -rate * rectifier * (1 - decayed).squareRoot())
    }
}

/// Adamax (Kingma and Ba 2015, Algorithm 2), as `torch.optim.Adamax`: the largest decayed gradient scales the step.
public struct Adamax: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adamax"
    /// One line of help.
    public static let summary = "Adam in the infinity norm"
    /// Where the method was published.
    public static let citation = "Kingma and Ba, ICLR 2015, arXiv:1412.6980, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .weightDecay(\.weightDecay), .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 2e-3
    /// Decay rates of the first moment and of the norm.
    public var betas = [0.9, 0.999]
    /// Added to the absolute gradient.
    public var eps = 1e-8
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let m = slot.take("exp_avg", Tensor.zeros(like: parameter)).moved(towards: g, by: 1 - betas[0])
        let norm = (slot.take("exp_inf", Tensor.zeros(like: parameter)) * betas[1]).maximum(g.absolute() + eps)
        parameter.add(m / norm, scaledBy: -lr / (1 - pow(betas[0], Double(t))))
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_inf"] = norm
    }
}

/// Yogi (Zaheer et al. 2018): the second moment moves by `(1 − β₂) g²` at most, so that it cannot forget quickly.
public struct Yogi: TensorOptimizer {
    /// Name on the command line.
    public static let name = "yogi"
    /// One line of help.
    public static let summary = "Adam with additive changes of the second moment"
    /// Where the method was published.
    public static let citation = "Zaheer et al., NeurIPS 2018"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .decoupledWeightDecay(\.weightDecay),
        Setting("initial_accumulator", \.initialAccumulator, .atLeast(0), "start of both moments"),
    ]

    /// Learning rate.
    public var lr = 1e-2
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-3
    /// Decoupled weight decay.
    public var weightDecay = 0.0
    /// Start of both moments.
    public var initialAccumulator = 1e-6

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var m = slot.take("exp_avg", Tensor.zeros(like: parameter) + initialAccumulator)
        var v = slot.take("exp_avg_sq", Tensor.zeros(like: parameter) + initialAccumulator)
        let rate = lr / (1 - pow(betas[0], Double(t)))
        let root = (1 - pow(betas[1], Double(t))).squareRoot()
        if FusedKernels.covers(parameter) {
            FusedKernels.yogi(
                &parameter, gradient, &m, &v,
                .init(
                    rate: rate, beta1: betas[0], beta2: betas[1], root: root, eps: eps,
                    shrink: 1 - lr * weightDecay))
        } else {
            parameter.scale(by: 1 - lr * weightDecay)
            let square = gradient.squared()
            m = m.moved(towards: gradient, by: 1 - betas[0])
            v = v.adding((v - square).sign() * square, scaledBy: betas[1] - 1)
            parameter.add(m / (v.squareRoot() * (1 / root) + eps), scaledBy: -rate)
        }
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_avg_sq"] = v
    }
}
