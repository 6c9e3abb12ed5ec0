import ConvexNetworks
import Datasets
import Torch

/// A fitted model with the report of its fit.
public struct FittedModel: Sendable {
    /// The model.
    public var model: TrainedModel
    /// The numbers of the fit, the certificate among them.
    public var report: FitReport

    /// Writes the model file.
    ///
    /// - Throws: `InterchangeError` when it cannot be written.
    public func save(to path: String) throws { try model.save(to: path) }
}

/// Trains two-layer classifiers as convex programs, without a learning rate.
///
/// ```swift
/// let fitted = try ConvexClassifier(neurons: 64).fit(x, labels)
/// let classes = try fitted.predict(newRows)
/// print(fitted.report.certificate)
/// ```
public struct ConvexClassifier: Sendable {
    /// How the model is chosen and trained.
    public var options: FitOptions

    /// Creates a classifier with hidden units chosen by the data's size unless given.
    public init(neurons: Int? = nil, options: FitOptions = FitOptions()) {
        self.options = options
        if let neurons { self.options.neurons = neurons }
    }

    /// Trains on features `n × d` and labels in `0..<classes`.
    ///
    /// - Throws: `DataError` for shapes, labels or values that cannot be used; `TorchError` when the engine fails.
    public func fit(_ features: Tensor, _ labels: [Int], classNames: [String]? = nil) throws -> FittedModel {
        let classes = max((labels.max() ?? -1) + 1, classNames?.count ?? 0)
        guard classNames == nil || classNames!.count == classes else {
            throw DataError(
                subject: "class names",
                problem: "there are \(classNames!.count) names, but label \(classes - 1) occurs",
                advice: "Give a name for each class")
        }
        guard features.rank == 2, features.shape[0] == labels.count, labels.count > 1, features.shape[1] > 0 else {
            throw DataError(
                subject: "training data", problem: "features \(features.shape) do not go with \(labels.count) labels",
                advice: "Give an n × d tensor and n labels, n at least 2")
        }
        guard Set(labels).count > 1, labels.allSatisfy({ $0 >= 0 }) else {
            throw DataError(
                subject: "labels", problem: "they hold fewer than two classes or negative numbers",
                advice: "Number the classes from 0")
        }
        guard features.isFinite else {
            throw DataError(
                subject: "features", problem: "they hold NaN or infinity", advice: "Fill or drop those rows")
        }
        let data = Dataset(
            name: "tensor", features: features, labels: labels,
            classNames: classNames ?? (0..<classes).map(String.init), targets: nil, targetNames: [], featureNames: [],
            imageShape: nil, notices: [])
        let loaded = LoadedData(train: data, test: nil, task: .classification)
        let (model, report) = try ModelTrainer(options: options).fit(loaded)
        return FittedModel(model: model, report: report)
    }
}

/// Trains two-layer regression networks as convex programs, without a learning rate.
public struct ConvexRegressor: Sendable {
    /// How the model is chosen and trained.
    public var options: FitOptions

    /// Creates a regressor with hidden units chosen by the data's size unless given.
    public init(neurons: Int? = nil, options: FitOptions = FitOptions()) {
        self.options = options
        if let neurons { self.options.neurons = neurons }
    }

    /// Trains on features `n × d` and targets `n × C`.
    ///
    /// - Throws: `DataError` for shapes or values that cannot be used; `TorchError` when the engine fails.
    public func fit(_ features: Tensor, _ targets: Tensor) throws -> FittedModel {
        let columns = targets.rank == 1 ? targets.reshaped(-1, 1) : targets
        guard features.rank == 2, features.shape[0] == columns.shape[0], columns.shape[0] > 1, features.shape[1] > 0
        else {
            throw DataError(
                subject: "training data", problem: "features \(features.shape) do not go with targets \(targets.shape)",
                advice: "Give an n × d tensor and an n × C tensor, n at least 2")
        }
        guard features.isFinite, columns.isFinite else {
            throw DataError(subject: "data", problem: "they hold NaN or infinity", advice: "Fill or drop those rows")
        }
        let data = Dataset(
            name: "tensor", features: features, labels: nil, classNames: [], targets: columns.to(.float64),
            targetNames: (0..<columns.shape[1]).map { "target\($0)" }, featureNames: [], imageShape: nil, notices: [])
        let loaded = LoadedData(train: data, test: nil, task: .regression)
        let (model, report) = try ModelTrainer(options: options).fit(loaded)
        return FittedModel(model: model, report: report)
    }
}

extension FittedModel {
    /// Predicted class of each row of features `n × d`.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func predict(_ features: Tensor) throws -> [Int] { try model.predictedLabels(features) }

    /// Outputs `n × C`: predicted values of a regression in the targets' units, scores of a classification.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func outputs(_ features: Tensor) throws -> Tensor { try model.outputs(features) }
}
