import ConvexNetworks
import Datasets
import RunLog
import Torch

/// A fitted model with the report of its fit.
public struct FittedModel: Sendable {
    /// The model.
    public var model: ConvexModel
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
    /// - Parameters:
    ///   - test: rows to score on, which nothing is chosen by.
    ///   - observe: receives progress; may stop the fit.
    /// - Throws: `DataError` for shapes, labels or values that cannot be used; `TorchError` when the engine fails.
    public func fit(
        _ features: Tensor, _ labels: [Int], classNames: [String]? = nil,
        test: (features: Tensor, classes: [Int])? = nil,
        observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> FittedModel {
        let data = try LoadedData(features, classes: labels, classNames: classNames, test: test)
        let (model, report) = try ConvexTrainer(options: options).fit(data, observe: observe)
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
    /// - Parameters:
    ///   - test: rows to score on, which nothing is chosen by.
    ///   - observe: receives progress; may stop the fit.
    /// - Throws: `DataError` for shapes or values that cannot be used; `TorchError` when the engine fails.
    public func fit(
        _ features: Tensor, _ targets: Tensor, test: (features: Tensor, targets: Tensor)? = nil,
        observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> FittedModel {
        let data = try LoadedData(features, targets: targets, test: test)
        let (model, report) = try ConvexTrainer(options: options).fit(data, observe: observe)
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
