import ConvexNetworks
import Datasets
import Interchange
import Torch

/// A trained network with everything needed to apply it to raw data.
public struct ConvexModel: Sendable {
    /// The network on standardised features with a trailing column of ones when `hasBias`.
    public var network: TwoLayerNetwork
    /// Whether a column of ones is appended.
    public var hasBias: Bool
    /// How raw rows become its input, and what its outputs mean.
    public var preparation: Preparation
    /// How far it is from the optimum of its program, where that was proven.
    public var certificate: ModelCertificate?
    /// Facts about the training run, for `descent inspect`.
    public var facts: [String: String]

    /// Standardisation of the raw features.
    public var standardiser: Standardiser { preparation.standardiser }
    /// What is predicted.
    public var task: PredictionTask { preparation.task }
    /// Class names, in the order of the outputs; empty for regression.
    public var classNames: [String] { preparation.classNames }
    /// Names of the regression targets.
    public var targetNames: [String] { preparation.targetNames }
    /// How the columns of a table were encoded.
    public var encoding: TableEncoding? { preparation.encoding }
    /// Name of the training loss.
    public var loss: String { preparation.loss }

    /// Number of raw feature columns.
    public var inputColumns: Int { standardiser.inputColumns }

    /// The features as the network sees them: standardised, with the bias column, `n × d'`.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func design(_ features: Tensor, dtype: DType = .float32) throws -> Tensor {
        try standardiser.apply(features, dtype: dtype, appendingOnes: hasBias)
    }

    /// Raw outputs, `n × C`: class scores, or predicted values in the units of the targets.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func outputs(_ features: Tensor) throws -> Tensor {
        // A block of rows at a time: the scaled copy of wide or long data stays small beside them.
        let step = max(1, 16_000_000 / max(1, inputColumns))
        let rows = features.shape[0]
        let blocks = try stride(from: 0, to: max(1, rows), by: step).map { start in
            let block = rows > step ? features.rows(start..<min(rows, start + step)) : features
            return network.predict(try design(block, dtype: network.hidden.dtype))
        }
        let raw = blocks.count == 1 ? blocks[0] : Tensor.concatenate(blocks, dimension: 0)
        return preparation.values(raw)
    }

    /// Class index of each row.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func predictedLabels(_ features: Tensor) throws -> [Int] { Scoring.labels(try outputs(features)) }

    /// Accuracy on labelled data, or the mean R² over targets for regression.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func score(_ data: Dataset) throws -> Double {
        let outputs = try outputs(data.features)
        switch task {
        case .classification: return Scoring.accuracy(outputs, data.labels ?? [])
        case .regression: return Scoring.determination(outputs, data.targets!)
        }
    }
}

/// Scores of predictions.
public enum Scoring {
    /// Predicted class of each row of outputs: the sign for one column, the largest otherwise.
    public static func labels(_ outputs: Tensor) -> [Int] {
        let index = outputs.shape[1] == 1 ? outputs.isAbove(0).to(.int64).reshaped(-1) : outputs.argmax(1)
        return index.to(device: .cpu).array(of: Int64.self).map { Int($0) }
    }

    /// Share of rows whose predicted class is the label.
    public static func accuracy(_ outputs: Tensor, _ labels: [Int]) -> Double {
        guard !labels.isEmpty else { return 0 }
        let hits = zip(Self.labels(outputs), labels).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
        return Double(hits) / Double(labels.count)
    }

    /// Coefficient of determination R², averaged over targets; a constant target counts 1 when it is met, else 0.
    public static func determination(_ outputs: Tensor, _ targets: Tensor) -> Double {
        // In units of the targets' spread, whose square is a number at any scale.
        let moments = ColumnMoments(targets)
        let areConstant = ColumnMoments.areConstant(targets)
        let unit = Tensor(zip(moments.deviation, areConstant).map { $1 || !$0.isFinite || $0 == 0 ? 1 : $0 })
        let truth = (targets.to(.float64) - Tensor(moments.mean)) / unit
        let found = (outputs.to(device: .cpu).to(.float64) - Tensor(moments.mean)) / unit
        let residual = (truth - found).squared().sum(0)
        let spread = (truth - truth.mean(0, keepingRank: true)).squared().sum(0)
        let (errors, spreads, units) = (residual.doubles(), spread.doubles(), unit.doubles())
        let rows = Double(targets.shape[0])
        let scores = errors.indices.map { column -> Double in
            guard areConstant[column] else { return 1 - errors[column] / spreads[column] }
            let size = moments.mean[column] / units[column]
            return errors[column] <= 1e-10 * rows * size * size ? 1 : 0
        }
        return scores.reduce(0, +) / Double(max(1, scores.count))
    }

    /// Counts of rows by true class (first index) and predicted class.
    public static func confusion(_ outputs: Tensor, _ labels: [Int], classes: Int) -> [[Double]] {
        var counts = [[Double]](repeating: [Double](repeating: 0, count: classes), count: classes)
        for (predicted, label) in zip(Self.labels(outputs), labels) where predicted < classes {
            counts[label][predicted] += 1
        }
        return counts
    }
}
