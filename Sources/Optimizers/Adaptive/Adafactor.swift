import Foundation
import Settings
import Torch

/// Adafactor (Shazeer and Stern 2018), as `torch.optim.Adafactor`: row and column means stand for the second moment.
///
/// A matrix of `r × c` weights keeps `r + c` numbers. The step is relative to the size of the parameter and its own
/// root mean square is clipped at `d`.
public struct Adafactor: TensorOptimizer {
    /// Name on the command line.
    public static let name = "adafactor"
    /// One line of help.
    public static let summary = "second moments of matrices from row and column means; little memory"
    /// Where the method was published.
    public static let citation = "Shazeer and Stern, ICML 2018, arXiv:1804.04235, Algorithms 4 and 5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("beta2_decay", \.beta2Decay, .any, "power of the step number in the decay of the second moment"),
        Setting(
            "eps", \.eps, floors,
            "floors of the squared gradient (null: machine precision) and parameter size"),
        Setting("d", \.d, .above(0), "largest root mean square of a step"), .decoupledWeightDecay(\.weightDecay),
        .maximize(\.maximize),
    ]

    /// Null is machine precision.
    private static let floors = Hyperparameter.Range("a number ≥ 0 or null, and a number > 0") { value in
        guard case .list(let list) = value, list.count == 2, let size = list[1].number else { return false }
        return (list[0] == .null || (list[0].number ?? -1) >= 0) && size > 0
    }

    /// Learning rate.
    public var lr = 1e-2
    /// Power of the step number in the decay of the second moment.
    public var beta2Decay = -0.8
    /// Floors of the gradient (nil for machine precision) and of the parameter's size.
    public var eps: [Double?] = [nil, 1e-3]
    /// Largest root mean square of a step.
    public var d = 1.0
    /// Decoupled weight decay.
    public var weightDecay = 0.0
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let floor = eps[0] ?? parameter.dtype.epsilon
        let share = pow(Double(t), beta2Decay)
        let rate = max(eps[1] ?? 0, parameter.rootMeanSquare) * min(lr, 1 / Double(t).squareRoot())
        parameter.scale(by: 1 - lr * weightDecay)
        let square = gradient.squared()
        let estimate: Tensor
        if gradient.rank > 1 {
            let rows = square.mean(-1, keepingRank: true)
            let columns = square.mean(-2, keepingRank: true)
            let row = slot.take("row_var", Tensor.zeros(like: rows)).moved(towards: rows, by: share)
            let column = slot.take("col_var", Tensor.zeros(like: columns)).moved(towards: columns, by: share)
            slot.tensors["row_var"] = row
            slot.tensors["col_var"] = column
            estimate = row * column / row.mean(-2, keepingRank: true).clamped(min: floor)
        } else {
            estimate = slot.take("variance", Tensor.zeros(like: square)).moved(towards: square, by: share)
            slot.tensors["variance"] = estimate
        }
        let update = gradient / estimate.clamped(min: floor * floor).squareRoot()
        parameter.add(update, scaledBy: -rate / max(1, update.rootMeanSquare / d))
    }
}
