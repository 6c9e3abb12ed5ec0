import Torch

/// A loss of outputs and targets, averaged over the batch, as PyTorch's of the same names.
public enum TrainingLoss: Sendable, Equatable {
    /// `−log softmax` of the class, of outputs `n × C` or `n × time × C` and `int64` classes; PyTorch's `cross_entropy`.
    case crossEntropy(smoothing: Double = 0)
    /// Logistic loss of one output each and classes 0 and 1; `binary_cross_entropy_with_logits`.
    case binaryCrossEntropy
    /// Mean square of all elements; `mse_loss`.
    case meanSquared
    /// Mean absolute value; `l1_loss`.
    case absolute
    /// Squares near 0, absolute values beyond δ; `huber_loss`.
    case huber(delta: Double = 1)

    /// Whether targets are classes.
    public var takesClasses: Bool {
        switch self {
        case .crossEntropy, .binaryCrossEntropy: true
        default: false
        }
    }

    /// The mean loss, of rank 0.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        switch self {
        case .crossEntropy(let smoothing):
            let flat = outputs.rank > 2 ? outputs.reshaped(-1, outputs.shape[outputs.rank - 1]) : outputs
            return NetworkOp.crossEntropy(
                .tensor(flat), .tensor(targets.reshaped(-1)), .none, .int(1), .int(-100), .double(smoothing))
        case .binaryCrossEntropy:
            let likeOutputs = targets.to(outputs.dtype).reshaped(outputs.shape)
            return NetworkOp.binaryCrossEntropy(.tensor(outputs), .tensor(likeOutputs))
        case .meanSquared: return NetworkOp.meanSquaredError(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)))
        case .absolute: return NetworkOp.l1(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)))
        case .huber(let delta):
            return NetworkOp.huber(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)), .int(1), .double(delta))
        }
    }
}
