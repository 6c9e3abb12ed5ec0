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

    /// Makes loaded data of their parts.
    public init(train: Dataset, test: Dataset? = nil, task: PredictionTask) {
        self.train = train
        self.test = test
        self.task = task
    }
}
