import Proximal
import Settings
import Torch

/// Regularised modernised dual averaging (Huang and Lee, ICLR 2022, Algorithm 1): the state is the weighted sum of all
/// gradients since the stage began.
///
/// `s = lr √t`, `α += s`, `V += s g`, `w̃ = prox_{(α/√t) λψ}(w₀ − V/√t)`, `w = (1 − c) w + c w̃`.
public struct RMDA: StagedOptimizer {
    /// Name on the command line.
    public static let name = "rmda"
    /// One line of help.
    public static let summary = "regularised dual averaging with momentum: finds the structure and keeps it"
    /// Where the method was published.
    public static let citation = "Huang and Lee, ICLR 2022, arXiv:2106.00165, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.lr, .share]

    /// Learning rate η.
    public var lr = 0.1
    /// Share c₀ of the new point in the average; 0.1 is what others call a momentum of 0.9.
    public var momentum = 0.1

    /// Creates the default optimizer.
    public init() {}

    /// The share of a stage.
    public func inStage(_ stage: Stage) -> RMDA {
        var copy = self
        copy.momentum = ramped(stage)
        return copy
    }

    /// Adds the weighted gradient.
    public func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int) {
        let s = lr * Double(t).squareRoot()
        slot.tensors["x0"] = slot.tensors["x0"] ?? parameter + 0
        var v = slot.take("v", Tensor.zeros(like: parameter))
        v.add(gradient, scaledBy: s)
        slot.tensors["v"] = v
        slot.numbers["alpha", default: 0] += s
    }

    /// `½ √t ‖w − w₀‖² + ⟨V, w⟩ + α λψ(w)`
    public func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem {
        let root = Double(t).squareRoot()
        guard let x0 = slot.tensors["x0"], let v = slot.tensors["v"], let alpha = slot.numbers["alpha"] else {
            fatalError("\(Self.name): the state is empty")
        }
        return Subproblem(linear: x0 * root - v, metric: .scalar(root), step: alpha)
    }

    /// All of a step in one pass.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool {
        guard GroupKernels.covers(parameter), FusedKernels.covers(parameter) else { return false }
        let x0 = slot.take("x0", parameter + 0)
        let (root, s) = (Double(t).squareRoot(), lr * Double(t).squareRoot())
        let alpha = slot.numbers["alpha", default: 0] + s
        var norms = slot.take("norms", GroupKernels.noNorms(x0, penalty.grouping))
        var tensors = [FusedKernels.taken(&parameter), slot.take("v", Tensor.zeros(like: x0))]
        GroupKernels.mean(
            &tensors, gradient, start: x0, penalty.grouping, threshold: alpha * penalty.groupWeight(x0),
            share: momentum, numbers: [1, s, root, 1], norms: &norms)
        (parameter, slot.tensors["v"]) = (tensors[0], tensors[1])
        (slot.tensors["x0"], slot.tensors["norms"], slot.numbers["alpha"]) = (x0, norms, alpha)
        return true
    }
}
