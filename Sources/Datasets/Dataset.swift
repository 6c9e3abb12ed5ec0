import Interchange
import Torch

/// Rows of features, with the class or the numbers to predict for each.
public struct Dataset: Sendable {
    /// The name in the catalogue, or the file's name without its extension.
    public var name: String
    /// The features, n × d, on the CPU: float64 from tables, float64 files and wide integers, otherwise float32.
    public var features: Tensor
    /// The class index of each row; nil for regression and for rows to predict.
    public var labels: [Int]?
    /// The name of each class, in class order.
    public var classNames: [String]
    /// The numbers to predict, n × C, float64; nil for classification and for rows to predict.
    public var targets: Tensor?
    /// The name of each of the C targets, or of the one column that holds the classes.
    public var targetNames: [String]
    /// The name of each feature; empty for images and arrays.
    public var featureNames: [String]
    /// Height and width of each row's image, behind its channels where it has several; nil for what is not known to be one.
    public var imageShape: [Int]?
    /// Number of different tokens, where features are tokens and not numbers.
    public var vocabulary: Int?
    /// What was decided or repaired while reading, one sentence each.
    public var notices: [String]
    /// How the columns and classes of the file became numbers, for reading another file alike.
    public var encoding: TableEncoding?

    /// Makes a data set of features n × d, with n labels or targets n × C where they are known.
    public init(
        name: String, features: Tensor, labels: [Int]? = nil, classNames: [String] = [], targets: Tensor? = nil,
        targetNames: [String] = [], featureNames: [String] = [], imageShape: [Int]? = nil, notices: [String] = [],
        encoding: TableEncoding? = nil
    ) {
        self.name = name
        self.features = features
        self.labels = labels
        self.classNames = classNames
        self.targets = targets
        self.targetNames = targetNames
        self.featureNames = featureNames
        self.imageShape = imageShape
        self.notices = notices
        self.encoding = encoding
    }

    /// What is said of images of bytes, in every file format.
    static let scaledPixels = "the images' bytes were divided by 255: pixels are from 0 to 1"

    /// The number of rows n.
    public var count: Int { features.shape[0] }

    /// The FNV-1a 64 hash of the bytes of features, labels (as int64) and targets, as 16 hexadecimal digits.
    public var hash: String {
        var hash = FNV1a()
        features.withBytes { hash.add($0) }
        (labels ?? []).map(Int64.init).withUnsafeBytes { hash.add($0) }
        targets?.withBytes { hash.add($0) }
        return hash.digits
    }

    /// The rows at the given positions, in that order, which may repeat.
    public func rows(_ indices: [Int]) -> Dataset {
        var result = self
        result.features = features.gathering(indices)
        result.labels = labels.map { labels in indices.map { labels[$0] } }
        result.targets = targets?.gathering(indices)
        return result
    }

    /// The rows to train on and those held back for validation, each class in proportion; nil for a fraction of 0.
    ///
    /// Throws where one of the parts would be too small.
    public func split(holding fraction: Double, seed: UInt64) throws -> (train: Dataset, held: Dataset?) {
        guard fraction > 0 else { return (self, nil) }
        let parts =
            labels.map { Split.stratified(labels: $0, fraction: fraction, seed: seed) }
            ?? Split.random(count: count, fraction: fraction, seed: seed)
        guard parts.train.count > 1, !parts.held.isEmpty else {
            throw DataError(
                "`validation` \(fraction)",
                "leaves \(parts.train.count) of \(count) rows to train on and \(parts.held.count) to score",
                "Choose a fraction that leaves two rows or more to train on and one to score")
        }
        return (rows(parts.train), rows(parts.held))
    }
}
