import Proximal
import Settings
import Torch

/// Proximal stochastic gradients with momentum and a unit step (Yang et al. 2020, as RMDA's and RAMDA's papers run it).
///
/// `m = (1 − c) m + c g`, `w = prox_{lr λψ}(w − lr m)`. The original takes a convex combination of `w` and the prox,
/// which never gives exact zeros.
public struct ProxSGD: ProximalOptimizer {
    /// Name on the command line.
    public static let name = "proxsgd"
    /// One line of help.
    public static let summary = "stochastic gradients with momentum, then the prox of the penalty"
    /// Where the method was published.
    public static let citation = "Yang et al., ICLR 2020; unit step: arXiv:2403.14398, section 4"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("momentum", \.momentum, .positiveShare, "share of the new gradient in the mean"),
    ]

    /// Learning rate η.
    public var lr = 0.1
    /// Share c of the new gradient in the mean.
    public var momentum = 0.1

    /// Creates the default optimizer.
    public init() {}

    /// Moves the mean of gradients.
    public func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int) {
        var m = slot.take("m", Tensor.zeros(like: parameter))
        m.scale(by: 1 - momentum)
        m.add(gradient, scaledBy: momentum)
        slot.tensors["m"] = m
    }

    /// `½ ‖v − (w − η m)‖² + η λψ(v)`
    public func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem {
        guard let m = slot.tensors["m"] else { fatalError("\(Self.name): the state is empty") }
        return Subproblem(linear: parameter.adding(m, scaledBy: -lr), metric: .scalar(1), step: lr)
    }

    /// All of a step in one pass.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool {
        guard GroupKernels.covers(parameter), FusedKernels.covers(parameter) else { return false }
        let weight = penalty.groupWeight(parameter)
        var norms = slot.take("norms", GroupKernels.noNorms(parameter, penalty.grouping))
        var tensors = [slot.take("m", Tensor.zeros(like: parameter))]
        tensors.insert(FusedKernels.taken(&parameter), at: 0)
        GroupKernels.mean(
            &tensors, gradient, start: nil, penalty.grouping, threshold: lr * weight, share: 1,
            numbers: [1 - momentum, momentum, 1, lr], norms: &norms)
        (parameter, slot.tensors["m"], slot.tensors["norms"]) = (tensors[0], tensors[1], norms)
        return true
    }
}
