import Proximal
import Settings
import Torch

/// Regularised adaptive momentumised dual averaging (Huang, Hsu and Lee, NeurIPS 2024, Algorithm 1): MADGRAD whose step
/// is solved together with the penalty.
///
/// `s = lr √t`, `α += s`, `V += s g`, `U += s g²`, `D = ∛U + ε`,
/// `w̃ = argmin ⟨V, w − w₀⟩ + ½ ⟨w − w₀, D (w − w₀)⟩ + α λψ(w)`, `w = (1 − c) w + c w̃`.
public struct RAMDA: StagedOptimizer, IterativeProximalOptimizer {
    /// Name on the command line.
    public static let name = "ramda"
    /// One line of help.
    public static let summary = "adaptive regularised dual averaging: MADGRAD that finds the structure and keeps it"
    /// Where the method was published.
    public static let citation = "Huang, Hsu and Lee, NeurIPS 2024, arXiv:2403.14398, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.lr, .share, .eps(\.eps)] + Setting.solvers

    /// Learning rate η.
    public var lr = 1e-2
    /// Share c₀ of the new point in the average; 0.1 is what others call a momentum of 0.9.
    public var momentum = 0.1
    /// Added to the cube root.
    public var eps = 1e-6
    /// `exact`, or `proximal_gradient` as the paper's experiments.
    public var solverName = "exact"
    /// `diagonal`, or `scalar`: the mean of D for each tensor, with which one prox is the exact solution.
    public var metric = "diagonal"
    /// Most iterations of a subproblem that has no closed form.
    public var maxIterations = 100
    /// Relative tolerance of such a subproblem.
    public var tolerance = 1e-6

    /// Creates the default optimizer.
    public init() {}

    /// The share and ε of a stage: ε falls with the rate.
    public func inStage(_ stage: Stage) -> RAMDA {
        var copy = self
        copy.momentum = ramped(stage)
        copy.eps = eps * stage.decay
        return copy
    }

    private func weight(_ t: Int) -> Double { lr * Double(t).squareRoot() }

    /// Adds the weighted gradient and its square.
    public func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int) {
        let s = weight(t)
        slot.tensors["x0"] = slot.tensors["x0"] ?? parameter + 0
        var v = slot.take("v", Tensor.zeros(like: parameter))
        var u = slot.take("u", Tensor.zeros(like: parameter))
        v.add(gradient, scaledBy: s)
        u.add(gradient.squared(), scaledBy: s)
        (slot.tensors["v"], slot.tensors["u"]) = (v, u)
        slot.numbers["alpha", default: 0] += s
    }

    /// The subproblem of equation 5.
    public func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem {
        guard let x0 = slot.tensors["x0"], let v = slot.tensors["v"], let u = slot.tensors["u"],
            let alpha = slot.numbers["alpha"]
        else { fatalError("\(Self.name): the state is empty") }
        let d = u.power(1.0 / 3) + eps
        return Subproblem(linear: d * x0 - v, metric: .diagonal(d), step: alpha, centre: x0)
    }

    /// All of a step in one pass.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool {
        guard GroupKernels.covers(parameter), FusedKernels.covers(parameter) else { return false }
        let x0 = slot.take("x0", parameter + 0)
        let s = weight(t)
        let alpha = slot.numbers["alpha", default: 0] + s
        var tensors = [
            FusedKernels.taken(&parameter), slot.take("v", Tensor.zeros(like: x0)),
            slot.take("u", Tensor.zeros(like: x0)),
        ]
        var norms = slot.take("norms", GroupKernels.noNorms(x0, penalty.grouping))
        GroupKernels.ramda(
            &tensors, gradient, start: x0, penalty.grouping, threshold: alpha * penalty.groupWeight(x0),
            share: momentum, weight: s, eps: eps, norms: &norms)
        slot.tensors["norms"] = norms
        (parameter, slot.tensors["v"], slot.tensors["u"]) = (tensors[0], tensors[1], tensors[2])
        (slot.tensors["x0"], slot.numbers["alpha"]) = (x0, alpha)
        return true
    }

    /// MADGRAD's kernel.
    public func fusedStep(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) -> Bool {
        guard FusedKernels.covers(parameter) else { return false }
        let x0 = slot.take("x0", parameter + 0)
        var v = slot.take("v", Tensor.zeros(like: x0))
        var u = slot.take("u", Tensor.zeros(like: x0))
        FusedKernels.madgrad(
            &parameter, gradient, &v, &u, x0, lambda: weight(t), momentum: 1 - momentum, eps: eps, weightDecay: 0)
        (slot.tensors["x0"], slot.tensors["v"], slot.tensors["u"]) = (x0, v, u)
        slot.numbers["alpha", default: 0] += weight(t)
        return true
    }
}
