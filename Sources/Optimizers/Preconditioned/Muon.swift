import Foundation
import Settings
import Torch

/// Muon (Jordan et al. 2024), as `torch.optim.Muon`: the momentum of a matrix, made nearly orthogonal.
///
/// Five quintic Newton–Schulz steps replace the singular values of the momentum by values near 1. They run in the
/// precision of the parameters, where the references round to bfloat16. Tensors that are no matrices take AdamW steps.
public struct Muon: TensorOptimizer {
    /// Name on the command line.
    public static let name = "muon"
    /// One line of help.
    public static let summary = "orthogonalised momentum for matrices, AdamW for the rest"
    /// Where the method was published.
    public static let citation = "Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al., arXiv:2502.16982"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .decoupledWeightDecay(\.weightDecay), .momentum(\.momentum),
        Setting("nesterov", \.nesterov, .flag, "look ahead along the momentum"),
        Setting("ns_steps", \.nsSteps, .count(1), "Newton-Schulz steps"),
        Setting("eps", \.eps, .above(0), "smallest norm that divides the momentum"),
        Setting(
            "adjust_lr_fn", \.adjustLrFn, .oneOf(["original", "match_rms_adamw"]), "how the shape changes the rate"),
        Setting("adamw_lr", \.adamwLr, .atLeast(0), "learning rate of tensors that are no matrices"),
    ]

    /// Learning rate.
    public var lr = 1e-3
    /// Decoupled weight decay.
    public var weightDecay = 0.1
    /// Decay rate of the momentum.
    public var momentum = 0.95
    /// Whether to look ahead along the momentum.
    public var nesterov = true
    /// Newton–Schulz steps.
    public var nsSteps = 5
    /// Smallest norm that divides the momentum.
    public var eps = 1e-7
    /// How the shape changes the rate.
    public var adjustLrFn = "original"
    /// Learning rate of tensors that are no matrices.
    public var adamwLr = 1e-3

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        guard parameter.rank == 2 else {
            var adamw = AdamW()
            adamw.lr = adamwLr
            adamw.weightDecay = weightDecay
            return adamw.update(&parameter, gradient: gradient, slot: &slot, t: t)
        }
        let buffer = slot.take("momentum_buffer", Tensor.zeros(like: gradient))
            .moved(towards: gradient, by: 1 - momentum)
        slot.tensors["momentum_buffer"] = buffer
        let direction = nesterov ? gradient.moved(towards: buffer, by: momentum) : buffer
        let (rows, columns) = (Double(parameter.shape[0]), Double(parameter.shape[1]))
        let factor =
            adjustLrFn == "original"
            ? max(1, rows / columns).squareRoot() : 0.2 * max(rows, columns).squareRoot()
        parameter.scale(by: 1 - lr * weightDecay)
        parameter.add(orthogonalised(direction), scaledBy: -lr * factor)
    }

    /// `X ← aX + (bA + cA²) X` with `A = XX'`, from the matrix over its Frobenius norm.
    func orthogonalised(_ matrix: Tensor) -> Tensor {
        let isTall = matrix.shape[0] > matrix.shape[1]
        var x = isTall ? matrix.transposed() : matrix
        x = x * (1 / max(matrix.norm, eps))
        for _ in 0..<nsSteps {
            let a = x.times(x.transposed())
            x = (x * 3.4445) + ((a * -4.7750) + (a.times(a) * 2.0315)).times(x)
        }
        return isTall ? x.transposed() : x
    }
}
