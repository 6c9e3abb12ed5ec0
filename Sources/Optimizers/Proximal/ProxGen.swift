import Foundation
import Proximal
import Settings
import Torch

/// ProxGen with Adam's metric (Yun, Lozano and Yang 2021, Algorithm 1): Adam's step solved together with the penalty.
///
/// `w ← (1 − lr · weight_decay) w` in the form for AdamW; `D = √v/√(1 − β₂ᵗ) + ε`;
/// `w = argmin ⟨lr/(1 − β₁ᵗ) m, v⟩ + ½ ⟨v − w, D (v − w)⟩ + lr λψ(v)`.
public struct ProxGen: ProximalOptimizer, IterativeProximalOptimizer {
    /// Name on the command line.
    public static let name = "proxgen"
    /// One line of help.
    public static let summary = "Adam's or AdamW's step solved together with the penalty"
    /// Where the method was published.
    public static let citation = "Yun, Lozano and Yang, NeurIPS 2021, arXiv:2006.07065, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        [
            .lr, .betas(\.betas), .eps(\.eps), Setting("weight_decay", \.weightDecay, .atLeast(0), "weight decay"),
            Setting(
                "decoupled_weight_decay", \.isDecoupled, .flag,
                "decay beside the gradient, as AdamW; else in it, as Adam"),
            Setting("amsgrad", \.amsgrad, .flag, "keep the largest second moment"),
        ] + Setting.solvers

    /// Learning rate η.
    public var lr = 1e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Weight decay.
    public var weightDecay = 0.0
    /// Whether decay is beside the gradient, as in AdamW, or in it, as in Adam.
    public var isDecoupled = true
    /// Whether the largest second moment so far is kept.
    public var amsgrad = false
    /// `exact`, or `proximal_gradient` as the paper's experiments.
    public var solverName = "exact"
    /// `diagonal`, or `scalar`: the mean of D for each tensor.
    public var metric = "diagonal"
    /// Most iterations of a subproblem that has no closed form.
    public var maxIterations = 100
    /// Relative tolerance of such a subproblem.
    public var tolerance = 1e-6

    /// Creates the default optimizer.
    public init() {}

    /// Moves the moments.
    public func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int) {
        let g = isDecoupled ? gradient : gradient.adding(weightDecay: weightDecay, of: parameter)
        AdamMoments.advance(&slot, parameter: parameter, gradient: g, betas: betas)
        guard amsgrad, let v = slot.tensors["v"] else { return }
        slot.tensors["v_max"] = slot.tensors["v_max"].map { $0.maximum(v) } ?? v
    }

    /// The subproblem of Algorithm 1.
    public func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem {
        guard let m = slot.tensors["m"], let v = slot.tensors[amsgrad ? "v_max" : "v"] else {
            fatalError("\(Self.name): the state is empty")
        }
        let (first, root) = AdamMoments.corrections(betas, t)
        let d = v.squareRoot() / root + eps
        let centre = parameter * shrink
        let linear = (d * centre).adding(m, scaledBy: -lr / first)
        return Subproblem(linear: linear, metric: .diagonal(d), step: lr, centre: centre)
    }

    /// Factor of the parameter before the step.
    private var shrink: Double { isDecoupled ? 1 - lr * weightDecay : 1 }

    /// All of a step in one pass.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool {
        guard !amsgrad, isDecoupled || weightDecay == 0 else { return false }
        let (first, root) = AdamMoments.corrections(betas, t)
        return AdamMoments.fusedStep(
            &parameter, gradient, &slot, penalty, betas: betas, rootFactor: 1 / root, eps: eps,
            shrink: shrink, rate: lr / first, step: lr)
    }
}

/// ProxSSI (Deleu and Bengio 2021, Algorithm 1): as ProxGen, with a metric that is not corrected for its start.
///
/// `D = √v + ε`, the step is `lr √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/D`, weights decay behind it, and the prox has strength
/// `lr λ`: at first the penalty is many times as strong as ProxGen's.
public struct ProxSSI: ProximalOptimizer {
    /// Name on the command line.
    public static let name = "proxssi"
    /// One line of help.
    public static let summary = "AdamW's step with the penalty in its uncorrected metric (Newton's method)"
    /// Where the method was published.
    public static let citation = "Deleu and Bengio 2021, arXiv:2102.03869, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .decoupledWeightDecay(\.weightDecay),
    ]

    /// Learning rate η.
    public var lr = 1e-3
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-6
    /// Decoupled weight decay, behind the step.
    public var weightDecay = 0.0

    /// Creates the default optimizer.
    public init() {}

    /// Moves the moments.
    public func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int) {
        AdamMoments.advance(&slot, parameter: parameter, gradient: gradient, betas: betas)
    }

    /// The weighted prox behind an AdamW step.
    public func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem {
        guard let m = slot.tensors["m"], let v = slot.tensors["v"] else {
            fatalError("\(Self.name): the state is empty")
        }
        let (first, root) = AdamMoments.corrections(betas, t)
        let d = v.squareRoot() + eps
        let shrink = 1 - lr * weightDecay
        let linear = (d * (parameter * shrink)).adding(m, scaledBy: -shrink * lr * root / first)
        return Subproblem(linear: linear, metric: .diagonal(d), step: lr)
    }

    /// All of a step in one pass.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool {
        let (first, root) = AdamMoments.corrections(betas, t)
        let shrink = 1 - lr * weightDecay
        return AdamMoments.fusedStep(
            &parameter, gradient, &slot, penalty, betas: betas, rootFactor: 1, eps: eps, shrink: shrink,
            rate: shrink * lr * root / first, step: lr)
    }
}

/// The moments that proximal forms of Adam share.
enum AdamMoments {
    static func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, betas: [Double]) {
        var m = slot.take("m", Tensor.zeros(like: parameter))
        var v = slot.take("v", Tensor.zeros(like: parameter))
        m.scale(by: betas[0])
        m.add(gradient, scaledBy: 1 - betas[0])
        v.scale(by: betas[1])
        v.add(gradient.squared(), scaledBy: 1 - betas[1])
        (slot.tensors["m"], slot.tensors["v"]) = (m, v)
    }

    /// `1 − β₁ᵗ` and `√(1 − β₂ᵗ)`.
    static func corrections(_ betas: [Double], _ t: Int) -> (first: Double, root: Double) {
        (1 - pow(betas[0], Double(t)), (1 - pow(betas[1], Double(t))).squareRoot())
    }

    static func fusedStep(
        _ parameter: inout Tensor, _ gradient: Tensor, _ slot: inout Slot, _ penalty: GroupLassoPenalty,
        betas: [Double], rootFactor: Double, eps: Double, shrink: Double, rate: Double, step: Double
    ) -> Bool {
        guard GroupKernels.covers(parameter), FusedKernels.covers(parameter) else { return false }
        let weight = penalty.groupWeight(parameter)
        var norms = slot.take("norms", GroupKernels.noNorms(parameter, penalty.grouping))
        // No other reference may be left, or the kernel would write to copies.
        var tensors = [
            slot.take("m", Tensor.zeros(like: parameter)), slot.take("v", Tensor.zeros(like: parameter)),
        ]
        tensors.insert(FusedKernels.taken(&parameter), at: 0)
        GroupKernels.adam(
            &tensors, gradient, penalty.grouping, threshold: step * weight,
            numbers: [betas[0], 1 - betas[0], betas[1], 1 - betas[1], rootFactor, eps, shrink, rate],
            norms: &norms)
        slot.tensors["norms"] = norms
        (parameter, slot.tensors["m"], slot.tensors["v"]) = (tensors[0], tensors[1], tensors[2])
        return true
    }
}
