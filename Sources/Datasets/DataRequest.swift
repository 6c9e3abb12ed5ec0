import Torch

/// Which data to load and what to make of them.
public struct DataRequest: Sendable {
    /// A name in the catalogue, or the path of a file or of a folder with IDX files.
    public var source: String
    /// The path of a file with test rows; nil for the data set's own ones.
    public var test: String?
    /// The first folder to look for data sets of the catalogue in.
    public var dataFolder: String?
    /// What to predict: a column by name or number from 1, an array of an archive, or a file beside a `.npy` file.
    public var target: String?
    /// What to learn; nil to find it from the values of the target.
    public var task: PredictionTask?
    /// The classes to keep, relabelled in this order: their own numbers where every class is named by a whole number,
    /// otherwise their positions in the class names.
    public var classes: [Int]?
    /// How many training rows to draw, each class in proportion; nil for all.
    public var subset: Int?
    /// The seed of that draw.
    public var seed: UInt64
    /// How the training file was encoded: the file is read alike, and may lack the target and consist of one row.
    public var encoding: TableEncoding?
    /// Whether a model is to be applied to the rows: they need no target, and one row is enough.
    public var isForPrediction = false
    /// Whether rows without a target will do, as for networks that learn from their inputs alone.
    public var mayLackTarget = false

    /// Makes a request for all rows of `source`, with everything else as it is found there.
    public init(
        source: String, test: String? = nil, dataFolder: String? = nil, target: String? = nil,
        task: PredictionTask? = nil,
        classes: [Int]? = nil, subset: Int? = nil, seed: UInt64 = 0, encoding: TableEncoding? = nil
    ) {
        self.source = source
        self.test = test
        self.dataFolder = dataFolder
        self.target = target
        self.task = task
        self.classes = classes
        self.subset = subset
        self.seed = seed
        self.encoding = encoding
    }
}

/// Training rows, test rows where there are any, and the task they pose.
public struct LoadedData: Sendable {
    /// The rows to train on.
    public var train: Dataset
    /// The rows to test on, with the same columns and classes.
    public var test: Dataset?
    /// What there is to learn.
    public var task: PredictionTask

    /// The number of classes, or of targets to predict.
    public var outputs: Int { max(1, train.classNames.count, train.targetNames.count) }

    /// What tells the test rows from others: scores of another set would be of another history. Empty without any.
    package var testIdentity: String { test.map { "\ntests \($0.hash)" } ?? "" }

    /// Throws where the rows have nothing to predict.
    ///
    /// - Throws: `DataError` that says which networks can do without.
    package func requireTarget() throws {
        for set in [train, test].compactMap(\.self) {
            guard task == .classification ? set.labels == nil : set.targets == nil else { continue }
            throw DataError(
                subject: set.name, problem: "its rows have no \(task == .classification ? "labels" : "targets")",
                advice: "Only networks that learn from their inputs alone can be trained on such rows")
        }
    }

    /// Makes loaded data of their parts.
    public init(train: Dataset, test: Dataset? = nil, task: PredictionTask) {
        self.train = train
        self.test = test
        self.task = task
    }
}

extension LoadedData {
    /// Rows with a class each, from arrays.
    ///
    /// - Parameters:
    ///   - features: `n × d`.
    ///   - classes: n numbers in `0..<classes`.
    ///   - classNames: a name for each class; their numbers unless given.
    ///   - test: rows to test on.
    /// - Throws: `DataError` for shapes, labels or values that cannot be used.
    public init(
        _ features: Tensor, classes: [Int], classNames: [String]? = nil, test: (features: Tensor, classes: [Int])? = nil
    ) throws {
        let labels = classes + (test?.classes ?? [])
        let count = max((labels.max() ?? -1) + 1, classNames?.count ?? 0)
        guard classNames == nil || classNames!.count == count else {
            throw DataError(
                subject: "class names", problem: "there are \(classNames!.count) names, but label \(count - 1) occurs",
                advice: "Give a name for each class")
        }
        guard Set(classes).count > 1, labels.allSatisfy({ $0 >= 0 }) else {
            throw DataError(
                subject: "labels", problem: "they hold fewer than two classes or negative numbers",
                advice: "Number the classes from 0")
        }
        let names = classNames ?? (0..<count).map(String.init)
        func rows(_ x: Tensor, _ y: [Int], least: Int) throws -> Dataset {
            try Self.check(x, rows: y.count, least: least, "\(y.count) labels", "n labels")
            return Dataset(name: "tensor", features: x, labels: y, classNames: names)
        }
        self.init(
            train: try rows(features, classes, least: 2),
            test: try test.map { try rows($0.features, $0.classes, least: 1) }, task: .classification)
    }

    /// Rows with values to predict, from arrays.
    ///
    /// - Parameters:
    ///   - features: `n × d`.
    ///   - targets: `n × C`, or n numbers.
    ///   - test: rows to test on.
    /// - Throws: `DataError` for shapes or values that cannot be used.
    public init(
        _ features: Tensor, targets: Tensor, test: (features: Tensor, targets: Tensor)? = nil
    ) throws {
        func rows(_ x: Tensor, _ y: Tensor, least: Int) throws -> Dataset {
            let columns = y.rank == 1 ? y.reshaped(-1, 1) : y
            try Self.check(
                x, rows: columns.rank == 2 ? columns.shape[0] : -1, least: least, "targets \(y.shape)",
                "an n × C tensor")
            guard columns.isFinite else {
                throw DataError(
                    subject: "targets", problem: "they hold NaN or infinity", advice: "Fill or drop those rows")
            }
            return Dataset(
                name: "tensor", features: x, targets: columns.to(.float64),
                targetNames: (0..<columns.shape[1]).map { "target\($0)" })
        }
        self.init(
            train: try rows(features, targets, least: 2),
            test: try test.map { try rows($0.features, $0.targets, least: 1) }, task: .regression)
        guard test.map({ _ in self.test?.targetNames == train.targetNames }) ?? true else {
            throw DataError(
                subject: "test targets", problem: "they have another number of columns", advice: "Give the same targets"
            )
        }
    }

    private static func check(
        _ x: Tensor, rows: Int, least: Int, _ found: String, _ wanted: String
    ) throws {
        guard x.rank == 2, x.shape[0] == rows, rows >= least, x.shape[1] > 0 else {
            throw DataError(
                subject: "training data", problem: "features \(x.shape) do not go with \(found)",
                advice: "Give an n × d tensor and \(wanted), n at least \(least)")
        }
        guard x.isFinite else {
            throw DataError(
                subject: "features", problem: "they hold NaN or infinity", advice: "Fill or drop those rows")
        }
    }
}
