import Datasets
import Estimators
import Interchange
import Torch
import Training

/// A model that can be applied to data, however it was trained.
protocol PredictiveModel {
    var task: PredictionTask { get }
    var classNames: [String] { get }
    var targetNames: [String] { get }
    var encoding: TableEncoding? { get }
    func outputs(_ features: Tensor) throws -> Tensor
}

extension TrainedModel: PredictiveModel {}
extension NetworkModel: PredictiveModel {}

/// The model of a file.
enum AnyModel {
    /// Reads a model of `descent fit` or of `descent train`.
    static func load(_ path: String) throws -> any PredictiveModel {
        let file = try SafeTensors.read(path)
        return file.metadata[NetworkModel.metadataKey] == nil
            ? try TrainedModel.load(path) : try NetworkModel.load(path)
    }
}
