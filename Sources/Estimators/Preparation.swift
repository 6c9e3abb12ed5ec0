import Datasets
import Torch

/// What stands around a network: how raw rows become its input, and what its outputs mean.
public struct Preparation: Sendable, Codable, Equatable {
    /// What is predicted.
    public var task: PredictionTask
    /// Class names, in the order of the outputs; empty for regression.
    public var classNames: [String]
    /// Names of the regression targets.
    public var targetNames: [String]
    /// Means that are added to the outputs, one or one for each; 0 for classification.
    public var targetMean: [Double]
    /// Scales of the outputs, one or one for each; 1 for classification.
    public var targetScale: [Double]
    /// Standardisation of the raw features, fitted on the training rows.
    public var standardiser: Standardiser
    /// How the columns of a table were encoded.
    public var encoding: TableEncoding?
    /// Names of the raw features; empty for images and arrays.
    public var featureNames: [String]
    /// Channels, height and width of image features, or height and width.
    public var imageShape: [Int]?
    /// Name of the training loss.
    public var loss: String

    /// Creates the preparation of a network for some data.
    public init(
        _ data: Dataset, task: PredictionTask, standardiser: Standardiser, targetMean: [Double] = [0],
        targetScale: [Double] = [1], loss: String
    ) {
        (self.task, classNames, targetNames) = (task, data.classNames, data.targetNames)
        (self.targetMean, self.targetScale, self.standardiser) = (targetMean, targetScale, standardiser)
        (encoding, featureNames, imageShape) = (data.encoding, data.featureNames, data.imageShape)
        self.loss = loss
    }

    package init(
        task: PredictionTask, classNames: [String], targetNames: [String], targetMean: [Double],
        targetScale: [Double], standardiser: Standardiser, encoding: TableEncoding?, featureNames: [String] = [],
        imageShape: [Int]? = nil, loss: String
    ) {
        (self.task, self.classNames, self.targetNames) = (task, classNames, targetNames)
        (self.targetMean, self.targetScale, self.standardiser) = (targetMean, targetScale, standardiser)
        (self.encoding, self.featureNames, self.imageShape, self.loss) = (encoding, featureNames, imageShape, loss)
    }

    /// The network's outputs in the units of the targets; class scores stay as they are.
    ///
    /// Values are in double precision: targets may be of any scale, and far from zero.
    package func values(_ raw: Tensor) -> Tensor {
        task == .regression ? raw.to(.float64) * Tensor(targetScale) + Tensor(targetMean) : raw
    }

    /// Why this, as a file may hold it, goes with no network; nil where it may.
    ///
    /// - Parameter outputs: columns of the network's output.
    package func fault(outputs: Int) -> String? {
        guard (1...1 << 31).contains(outputs) else { return "\(outputs) outputs" }
        switch task {
        case .classification where classNames.count != max(2, outputs):
            return "\(classNames.count) class names for \(outputs) outputs"
        case .regression where targetNames.count != outputs:
            return "\(targetNames.count) target names for \(outputs) outputs"
        default: break
        }
        let fits = { (numbers: [Double]) in [1, outputs].contains(numbers.count) && numbers.allSatisfy(\.isFinite) }
        guard fits(targetMean), fits(targetScale) else { return "scales that do not fit \(outputs) outputs" }
        guard (imageShape ?? []).allSatisfy({ $0 > 0 }) else { return "an image of \(imageShape ?? [])" }
        return standardiser.fault ?? encoding?.fault(features: standardiser.inputColumns)
    }
}

/// How far a network is from the optimum of its program, as its file keeps it.
public struct ModelCertificate: Sendable, Codable, Equatable {
    /// Training objective of the network.
    public var objective: Double
    /// Nil where no finite bound exists.
    public var dualBound: Double?
    /// `(objective − dualBound) / objective`; nil where no finite bound exists.
    public var relativeGap: Double?
    /// Penalty β of the program.
    public var penalty: Double
    /// What that says, in words.
    public var statement: String

    init(_ report: FitReport) {
        (objective, dualBound, relativeGap) = (report.objective, report.dualBound, report.relativeGap)
        (penalty, statement) = (report.penalty, report.certificate)
    }
}
