import Datasets
import Estimators
import Interchange
import Torch

/// A model that can be applied to raw rows, however it was trained.
public protocol PredictiveModel: Sendable {
    /// How raw rows become its input, and what its outputs mean.
    var preparation: Preparation { get }
    /// Facts about the training run, for `descent inspect`.
    var facts: [String: String] { get set }
    /// What is predicted.
    var task: PredictionTask { get }
    /// Class names, in the order of the outputs; empty for regression.
    var classNames: [String] { get }
    /// Names of the regression targets.
    var targetNames: [String] { get }
    /// How the columns of a table were encoded.
    var encoding: TableEncoding? { get }
    /// Number of raw feature columns.
    var inputColumns: Int { get }
    /// Raw outputs, `n × C`: class scores, or predicted values in the units of the targets.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    func outputs(_ features: Tensor) throws -> Tensor
    /// Writes the model file.
    ///
    /// - Throws: `InterchangeError` when it cannot be written; nothing is left half-written.
    func save(to path: String) throws
}

extension ConvexModel: PredictiveModel {}
extension NetworkModel: PredictiveModel {}

/// Reads a model file, of a convex fit or of a network.
///
/// - Throws: `InterchangeError` when the file is missing, damaged or no model; `StateError` and `SettingError` for
///   networks that do not fit their file.
public func loadModel(_ path: String) throws -> any PredictiveModel {
    let file = try SafeTensors.read(path)
    return try ModelFile.kind(file, path: path).kind == ModelFile.convexKind
        ? try ConvexModel.load(file, path: path) : try NetworkModel.load(file, path: path)
}
