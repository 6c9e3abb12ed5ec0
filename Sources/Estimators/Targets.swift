import Datasets
import Proximal
import Torch

/// The target matrix of a loss, with the scaling that regression undoes afterwards.
public struct EncodedTargets: Sendable {
    /// Targets, `n × C`.
    public var matrix: Tensor
    /// Means taken off regression targets, one per output.
    public var mean: [Double]
    /// Scales divided out of regression targets, one per output.
    public var scale: [Double]

    /// Encodes class labels as the loss wants them, or standardises regression targets.
    ///
    /// - Parameter standardises: whether regression targets are shifted and scaled; else objectives are in their units.
    public init(_ data: Dataset, task: PredictionTask, loss: any Loss, dtype: DType, standardises: Bool = true) {
        guard task == .classification else {
            let raw = data.targets!.to(.float64)
            guard standardises else {
                (mean, scale) = (
                    [Double](repeating: 0, count: raw.shape[1]), [Double](repeating: 1, count: raw.shape[1])
                )
                matrix = raw.to(dtype)
                return
            }
            let moments = ColumnMoments(raw)
            mean = moments.mean
            // A constant target has nothing to scale.
            scale = zip(moments.deviation, ColumnMoments.areConstant(raw)).map { $1 ? 1 : $0 }
            matrix = ((raw - Tensor(mean)) / Tensor(scale)).to(dtype)
            return
        }
        let labels = data.labels!
        let classes = data.classNames.count
        let encoding = type(of: loss).encoding
        let column = Tensor(labels.map { Int64($0) })
        switch encoding {
        case .simplex:
            matrix = column.oneHot(classes).to(dtype)
        case .oneHot where classes > 2:
            matrix = column.oneHot(classes).to(dtype)
        case .signs where classes > 2:
            matrix = column.oneHot(classes).to(dtype) * 2 - 1
        default:
            matrix = (column.to(dtype) * 2 - 1).reshaped(-1, 1)
        }
        mean = [Double](repeating: 0, count: matrix.shape[1])
        scale = [Double](repeating: 1, count: matrix.shape[1])
    }

    /// Targets of a subset of rows.
    public func rows(_ indices: [Int]) -> Tensor { matrix.gathering(indices) }
}
