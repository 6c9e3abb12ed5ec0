import Settings
import Torch

/// A loss of outputs and targets, averaged over the batch, as PyTorch's of the same names.
///
/// A new one is a type here, a line in ``TrainingLossCatalogue`` and its reference numbers for the tests.
public protocol TrainingLoss: Configurable {
    /// Whether targets are classes.
    static var takesClasses: Bool { get }
    /// Whether there are two classes with one output between them.
    static var isBinary: Bool { get }
    /// What the loss is called in the catalogue of convex losses; nil where there is none.
    static var convexName: String? { get }

    /// The mean loss, of rank 0.
    ///
    /// - Parameters:
    ///   - outputs: `n × C`, or `n × time × C` for classes.
    ///   - targets: `int64` classes, or values of the outputs' shape.
    func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor
}

extension TrainingLoss {
    /// Most losses are for values.
    public static var takesClasses: Bool { false }
    /// Most losses have an output for each class or value.
    public static var isBinary: Bool { false }
    /// None.
    public static var convexName: String? { nil }
}

/// The losses by name.
public enum TrainingLossCatalogue {
    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any TrainingLoss>(
        "loss",
        [
            CrossEntropy.self, BinaryCrossEntropy.self, MeanSquaredError.self, MeanAbsoluteError.self, HuberError.self,
        ],
        synonyms: ["softmax": "cross_entropy", "logistic": "bce", "squared": "mse", "absolute": "l1"])

    /// Creates a loss.
    ///
    /// - Throws: `SettingError` with the nearest names, or with the range that a value is outside of.
    public static func make(_ named: NamedSettings) throws -> any TrainingLoss { try catalogue.make(named) }
}

/// `−log softmax` of the class; PyTorch's `cross_entropy`.
public struct CrossEntropy: TrainingLoss {
    /// Name on the command line.
    public static let name = "cross_entropy"
    /// One line of help.
    public static let summary = "log loss of classes: minus the logarithm of the softmax"
    /// Where it was published.
    public static let citation = "Szegedy et al., CVPR 2016, arXiv:1512.00567, for the smoothing"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("smoothing", \.smoothing, .decay, "share of the label that is spread over all classes")
    ]
    /// Targets are classes.
    public static let takesClasses = true
    /// Without smoothing.
    public static let convexName: String? = "softmax"

    /// Share of the label that is spread over all classes, in [0, 1).
    public var smoothing = 0.0

    /// Creates the loss without smoothing.
    public init() {}

    /// The mean loss.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        let flat = outputs.rank > 2 ? outputs.reshaped(-1, outputs.shape[outputs.rank - 1]) : outputs
        return NetworkOp.crossEntropy(
            .tensor(flat), .tensor(targets.reshaped(-1)), .none, .int(1), .int(-100), .double(smoothing))
    }
}

/// Logistic loss of one output each and classes 0 and 1; `binary_cross_entropy_with_logits`.
public struct BinaryCrossEntropy: TrainingLoss {
    /// Name on the command line.
    public static let name = "bce"
    /// One line of help.
    public static let summary = "log loss of two classes with one output between them"
    /// Where it was published.
    public static let citation = "Cox, JRSS B 20(2), 1958"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// Targets are classes.
    public static let takesClasses = true
    /// One output.
    public static let isBinary = true
    /// The same function.
    public static let convexName: String? = "logistic"

    /// Creates the loss.
    public init() {}

    /// The mean loss.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        let likeOutputs = targets.to(outputs.dtype).reshaped(outputs.shape)
        return NetworkOp.binaryCrossEntropy(.tensor(outputs), .tensor(likeOutputs))
    }
}

/// Mean square of all elements; `mse_loss`.
public struct MeanSquaredError: TrainingLoss {
    /// Name on the command line.
    public static let name = "mse"
    /// One line of help.
    public static let summary = "mean of squared differences"
    /// Where it was published.
    public static let citation = "Gauss, 1809"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// Half of it, summed.
    public static let convexName: String? = "squared"

    /// Creates the loss.
    public init() {}

    /// The mean loss.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        NetworkOp.meanSquaredError(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)))
    }
}

/// Mean absolute value; `l1_loss`.
public struct MeanAbsoluteError: TrainingLoss {
    /// Name on the command line.
    public static let name = "l1"
    /// One line of help.
    public static let summary = "mean of absolute differences: values with many outliers"
    /// Where it was published.
    public static let citation = "Laplace, 1774"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []

    /// Creates the loss.
    public init() {}

    /// The mean loss.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        NetworkOp.l1(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)))
    }
}

/// Squares near 0, absolute values beyond δ; `huber_loss`.
public struct HuberError: TrainingLoss {
    /// Name on the command line.
    public static let name = "huber"
    /// One line of help.
    public static let summary = "squared for small differences, absolute beyond delta: values with outliers"
    /// Where it was published.
    public static let citation = "Huber, Ann. Math. Statist. 35(1), 1964"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("delta", \.delta, .above(0), "difference at which it turns from squares to absolute values")
    ]
    /// The same function, summed.
    public static let convexName: String? = "huber"

    /// Difference at which it turns from squares to absolute values, > 0.
    public var delta = 1.0

    /// Creates the loss with δ = 1.
    public init() {}

    /// The mean loss.
    public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        NetworkOp.huber(.tensor(outputs), .tensor(targets.reshaped(outputs.shape)), .int(1), .double(delta))
    }
}
