import Foundation
import Settings
import Torch

/// SOAP (Vyas et al. 2025, Algorithm 3): Adam in the eigenbasis of Shampoo's preconditioners.
///
/// The first step only starts the preconditioners. The basis is refreshed by one step of orthogonal iteration, a QR
/// factorisation, every `precondition_frequency` steps. Sides above `max_precondition_dim`, and vectors unless `precondition_1d`
/// is on, stay in their own coordinates: for them SOAP is Adam.
public struct SOAP: TensorOptimizer {
    /// Name on the command line.
    public static let name = "soap"
    /// One line of help.
    public static let summary = "Adam in the eigenbasis of Shampoo's preconditioners"
    /// Where the method was published.
    public static let citation = "Vyas et al., ICLR 2025, arXiv:2409.11321, Algorithm 3"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .decoupledWeightDecay(\.weightDecay),
        Setting("precondition_frequency", \.preconditionFrequency, .count(1), "steps between new bases"),
        Setting("max_precondition_dim", \.maxPreconditionDim, .count(1), "longest side with a basis of its own"),
        Setting("precondition_1d", \.precondition1d, .flag, "give vectors a basis of their own, too"),
    ]

    /// Learning rate.
    public var lr = 3e-3
    /// Decay rates of the first moment, and of the second moment and the preconditioners.
    public var betas = [0.95, 0.95]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Decoupled weight decay, after the step.
    public var weightDecay = 1e-2
    /// Steps between new bases.
    public var preconditionFrequency = 10
    /// Longest side with a basis of its own.
    public var maxPreconditionDim = 10_000
    /// Whether vectors have a basis of their own, too.
    public var precondition1d = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let sides =
            gradient.rank < (precondition1d ? 1 : 2)
            ? [] : (0..<gradient.rank).filter { gradient.shape[$0] <= maxPreconditionDim }
        guard t > 1 else {
            for side in sides { accumulate(gradient, side: side, slot: &slot) }
            for side in sides { slot.tensors["q\(side)"] = eigenbasis(slot.tensors["gg\(side)"]) }
            slot.tensors["exp_avg"] = Tensor.zeros(like: gradient)
            slot.tensors["exp_avg_sq"] = Tensor.zeros(like: gradient)
            return
        }
        let k = Double(t - 1)
        let m = slot.take("exp_avg", gradient).moved(towards: gradient, by: 1 - betas[0])
        let projected = rotated(gradient, sides: sides, slot: slot, back: false)
        let v = slot.take("exp_avg_sq", gradient).moved(towards: projected.squared(), by: 1 - betas[1])
        slot.tensors["exp_avg"] = m
        slot.tensors["exp_avg_sq"] = v
        let rate = lr * (1 - pow(betas[1], k)).squareRoot() / (1 - pow(betas[0], k))
        let step = rotated(m, sides: sides, slot: slot, back: false) / (v.squareRoot() + eps)
        parameter.add(rotated(step, sides: sides, slot: slot, back: true), scaledBy: -rate)
        parameter.scale(by: 1 - lr * weightDecay)
        for side in sides { accumulate(gradient, side: side, slot: &slot) }
        if (t - 1) % preconditionFrequency == 0 {
            for side in sides { refresh(side: side, slot: &slot) }
        }
    }

    /// `GG ← β GG + (1 − β) G G'` of one side.
    private func accumulate(_ g: Tensor, side: Int, slot: inout Slot) {
        let moved = g.transposed(0, side)
        let matrix = moved.reshaped(moved.shape[0], -1)
        let product = matrix.times(matrix.transposed())
        slot.tensors["gg\(side)"] = slot.take("gg\(side)", Tensor.zeros(like: product))
            .moved(towards: product, by: 1 - betas[1])
    }

    /// Eigenvectors, those of large eigenvalues first.
    private func eigenbasis(_ matrix: Tensor?) -> Tensor? {
        guard let matrix, let (_, vectors) = try? matrix.to(.float64).symmetricEigen() else { return nil }
        return vectors.gathering(Array((0..<matrix.shape[0]).reversed()), dimension: 1).to(matrix.dtype)
    }

    /// One step of orthogonal iteration, with the second moments in the new order of the basis.
    private func refresh(side: Int, slot: inout Slot) {
        guard let q = slot.tensors["q\(side)"]?.to(.float64), let gg = slot.tensors["gg\(side)"]?.to(.float64),
            let v = slot.tensors["exp_avg_sq"]
        else { return }
        let values = q.transposedTimes(gg.times(q)).diagonal.doubles()
        // Equal values keep their order.
        let order = values.indices.sorted { (values[$0], -$0) > (values[$1], -$1) }
        slot.tensors["exp_avg_sq"] = v.gathering(order, dimension: side)
        guard let basis = try? gg.times(q.gathering(order, dimension: 1)).qr().q else { return }
        slot.tensors["q\(side)"] = basis.to(v.dtype)
    }

    /// Coordinates in the basis, or back from it.
    private func rotated(_ g: Tensor, sides: [Int], slot: Slot, back: Bool) -> Tensor {
        var result = g
        for side in sides {
            guard let q = slot.tensors["q\(side)"] else { continue }
            let moved = result.transposed(0, side)
            let matrix = moved.reshaped(moved.shape[0], -1)
            result = (back ? q.times(matrix) : q.transposedTimes(matrix)).reshaped(moved.shape).transposed(0, side)
        }
        return result
    }
}
