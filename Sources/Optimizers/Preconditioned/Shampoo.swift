import Foundation
import Settings
import Torch

/// Shampoo (Gupta, Koren and Singer 2018, Algorithms 1 and 2): each side of a tensor has its own preconditioner.
///
/// `L ← L + G G'`, and the gradient is multiplied by `L^{−1/(2k)}` on each of its `k` sides. Large sides are cut into
/// blocks (Anil et al. 2020), and `grafting` takes the length of the step from another optimizer, the direction from
/// Shampoo.
///
/// Inverse roots are computed at the first step and then every `preconditioning_compute_steps`; pytorch-optimizer's
/// Shampoo leaves them zero, and so the parameters where they are, until that many steps have passed.
public struct Shampoo: TensorOptimizer {
    /// Name on the command line.
    public static let name = "shampoo"
    /// One line of help.
    public static let summary = "a preconditioner for each side of a matrix, with blocks and grafting"
    /// Where the method was published.
    public static let citation = "Gupta, Koren and Singer, ICML 2018, arXiv:1802.09568; grafting: Agarwal et al. 2020"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .momentum(\.momentum), .weightDecay(\.weightDecay),
        Setting("matrix_eps", \.matrixEps, .above(0), "start of the preconditioners' diagonal"),
        Setting(
            "preconditioning_compute_steps", \.preconditioningComputeSteps, .count(1), "steps between new inverse roots"
        ),
        Setting("block_size", \.blockSize, .count(1), "longest side of a block with a preconditioner of its own"),
        Setting("grafting", \.grafting, .oneOf(["none", "sgd", "adagrad", "rmsprop"]), "whose step length is taken"),
    ]

    /// Learning rate.
    public var lr = 1e-1
    /// Share of the last preconditioned gradient in the gradient.
    public var momentum = 0.0
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Start of the preconditioners' diagonal.
    public var matrixEps = 1e-6
    /// Steps between new inverse roots.
    public var preconditioningComputeSteps = 1
    /// Longest side of a block.
    public var blockSize = 1024
    /// Whose step length is taken.
    public var grafting = "none"

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        var g = gradient
        if momentum > 0 { g = g.moved(towards: slot.take("momentum_buffer", g), by: momentum) }
        g = g.adding(weightDecay: weightDecay, of: parameter)
        let length = graftedLength(g, slot: &slot)
        var direction = g
        for side in 0..<g.rank { direction = preconditioned(direction, by: g, side: side, slot: &slot, t: t) }
        slot.tensors["momentum_buffer"] = momentum > 0 ? direction : nil
        if let length { direction = direction * (length / max(direction.norm, 1e-300)) }
        parameter.add(direction, scaledBy: -lr)
    }

    /// `direction` multiplied on one side by the inverse root of that side's preconditioner, block by block.
    private func preconditioned(
        _ direction: Tensor, by g: Tensor, side: Int, slot: inout Slot, t: Int
    ) -> Tensor {
        let turned = g.transposed(0, side)
        let gradient = turned.reshaped(turned.shape[0], -1)
        let moved = direction.transposed(0, side)
        let matrix = moved.reshaped(moved.shape[0], -1)
        var pieces: [Tensor] = []
        for start in stride(from: 0, to: matrix.shape[0], by: blockSize) {
            let range = start..<min(matrix.shape[0], start + blockSize)
            let block = gradient.rows(range)
            let name = "side\(side)_block\(start / blockSize)"
            var factor = slot.take(name, Tensor.identity(block.shape[0], dtype: g.dtype, device: g.device) * matrixEps)
            factor.addProduct(block, block.transposed())
            if (t - 1) % preconditioningComputeSteps == 0 || slot.tensors[name + "_root"] == nil {
                slot.tensors[name + "_root"] = factor.inverseRoot(2 * g.rank) ?? slot.tensors[name + "_root"]
            }
            slot.tensors[name] = factor
            let rows = matrix.rows(range)
            pieces.append(slot.tensors[name + "_root"].map { $0.times(rows) } ?? rows)
        }
        let joined = pieces.count == 1 ? pieces[0] : Tensor.concatenate(pieces, dimension: 0)
        return joined.reshaped(moved.shape).transposed(0, side)
    }

    /// Length of the step of the optimizer that is grafted; nil without grafting.
    private func graftedLength(_ g: Tensor, slot: inout Slot) -> Double? {
        switch grafting {
        case "sgd": return g.norm
        case "adagrad", "rmsprop":
            let old = slot.take("graft", Tensor.zeros(like: g))
            let square = grafting == "adagrad" ? old + g.squared() : old.moved(towards: g.squared(), by: 0.01)
            slot.tensors["graft"] = square
            return (g / (square.squareRoot() + 1e-10)).norm
        default: return nil
        }
    }
}

extension Tensor {
    /// `A^{−1/power}` of a symmetric positive definite matrix, in double precision; nil where the iteration fails.
    func inverseRoot(_ power: Int) -> Tensor? {
        guard let (values, vectors) = try? to(.float64).symmetricEigen() else { return nil }
        let largest = values.doubles().last ?? 0
        // Round-off may leave tiny eigenvalues negative.
        let floored = values.clamped(min: Swift.max(largest * 1e-16, 1e-300))
        return vectors.times((vectors * floored.power(-1 / Double(power))).transposed()).to(dtype)
    }
}
