import Datasets
import Estimators
import Networks
import Programs
import Proximal
import Settings
import Structure
import Torch

/// Rows of one part of the data, as the network sees them.
struct TrainingRows {
    /// Standardised features, or tokens.
    var x: FeatureRows
    /// Classes, `int64`, or encoded targets, `n × C`.
    var y: Tensor
    /// The data they came from.
    var data: Dataset

    var count: Int { x.count }
}

/// How rows become batches.
struct BatchSettings {
    /// Rows of a batch.
    var size = 128
    /// What is done to training images.
    var augmentation = Augmentation()
    /// Seed of the order of rows and of augmentation.
    var seed: UInt64 = 0
}

/// What a model file keeps of its problem.
struct ProblemFacts {
    var input: InputShape
    var outputs: Int
    var preparation: Preparation
}

/// A problem on a data set, whose networks can be kept as models.
protocol DatasetProblem: Problem {
    var facts: ProblemFacts { get }
    /// What tells its test rows from others.
    var testIdentity: String { get }
}

/// Rows with classes or values to predict: accuracy or R² is the score.
///
/// Columns are standardised with the training rows' means and scales, images with one mean and one scale for all pixels.
/// Rows are shuffled by seed and epoch. Features of a large `.npy` file stay there, unless rows are held out of them: a
/// batch reads its own.
public struct SupervisedProblem: DatasetProblem {
    let facts: ProblemFacts
    let train: TrainingRows
    let validation: TrainingRows?
    let test: TrainingRows?
    let loss: any TrainingLoss
    private var loader: BatchLoader
    private let dataNotices: [String]

    /// What the network reads.
    public var input: InputShape { facts.input }
    /// What the network must give for a row: scores of classes, or values.
    public var outputs: Int { facts.outputs }
    /// The data's hash.
    public let fingerprint: String
    /// Batch, loss, and what the rows were made with.
    public let identity: String
    let testIdentity: String

    /// Makes the problem of some data.
    ///
    /// - Parameters:
    ///   - loss: nil for the usual one of the task.
    ///   - batch: rows of a batch, ≥ 1.
    ///   - validation: share of the training rows that is held out, in [0, 1).
    ///   - normalisation: what columns are shifted and divided by; measured on the training rows unless given.
    ///   - precision: type of the features.
    ///   - seed: of the order of rows, the held-out part and augmentation.
    /// - Throws: `SettingError` for a loss that does not go with the data; `DataError` for values that the type does not
    ///   hold.
    public init(
        _ data: LoadedData, loss: (any TrainingLoss)? = nil, batch: Int = 128, validation: Double = 0,
        normalisation: TrainingSettings.Normalisation? = nil, augmentation: Augmentation = Augmentation(),
        precision: TrainingSettings.Precision = .float32, seed: UInt64 = 0, device: Device = .cpu
    ) throws {
        try data.requireTarget()
        try Self.check(batch: batch, validation: validation, normalisation)
        let all = data.train
        let loss = loss ?? Self.defaultLoss(data)
        try Self.check(loss, data)
        self.loss = loss
        let takesClasses = type(of: loss).takesClasses
        let parts = try all.split(holding: validation, seed: seed)
        let standardiser = Standardiser(parts.train, normalisation, standardises: all.vocabulary == nil)
        let encoding = EncodedTargets(parts.train, task: data.task, loss: SquaredLoss(), dtype: .float64)
        let maker = RowMaker(
            standardiser: standardiser, dtype: precision == .float64 ? .float64 : .float32, device: device,
            task: data.task, takesClasses: takesClasses, mean: encoding.mean, scale: encoding.scale)
        train = try maker.rows(parts.train)
        self.validation = try parts.held.map(maker.rows)
        test = try data.test.map(maker.rows)
        facts = ProblemFacts(
            input: Self.inputShape(all, columns: standardiser.keptColumns.count),
            outputs: type(of: loss).isBinary
                ? 1 : takesClasses ? all.classNames.count : train.y.shape[1],
            preparation: Preparation(
                all, task: data.task, standardiser: standardiser, targetMean: encoding.mean,
                targetScale: encoding.scale, loss: loss.text))
        dataNotices = all.notices + standardiser.notices
        fingerprint = all.hash
        testIdentity = data.testIdentity
        identity =
            "batch \(batch), \(facts.preparation.loss), validation \(validation), \(augmentation), seed \(seed), \(precision), "
            + (normalisation.map { "\($0.mean) \($0.scale)" } ?? "measured") + testIdentity
        loader = try BatchLoader(
            x: train.x, y: train.y, input: facts.input,
            settings: BatchSettings(size: batch, augmentation: augmentation, seed: seed))
    }

    // MARK: Problem

    /// Batches of a pass over the training rows; the last may be smaller.
    public var batchesPerEpoch: Int { loader.batchesPerEpoch }
    /// That of its rows.
    public var place: (dtype: DType, device: Device)? { (train.x.dtype, train.x.device) }
    /// Training rows.
    public var rows: Int? { train.count }
    /// What was decided while the data were read and cut into batches.
    public var notices: [String] { dataNotices + loader.notices }
    /// Features and targets of a batch, in the order of its epoch.
    public func batch(_ number: Int) throws -> (x: Tensor, y: Tensor) { try loader.batch(number) }
    /// Rows of a batch.
    public func weight(of batch: (x: Tensor, y: Tensor)) -> Double { Double(batch.x.shape[0]) }
    /// A batch with its first rows.
    public func name(ofBatch number: Int) -> String { loader.name(of: number) }
    /// Merges a last batch of one row where the network normalises over batches.
    public mutating func prepare(for module: any Module) throws { loader = try loader.prepared(for: module) }

    /// The mean loss over the rows of a batch.
    public func loss(_ batch: (x: Tensor, y: Tensor), _ forward: (Tensor) -> Tensor) -> Tensor {
        // Words are numbers of rows: half precision would round them.
        loss(forward(facts.input.isTokens ? batch.x.to(.int64) : batch.x), batch.y)
    }

    /// Accuracy, or R² for regression, on held-out and test rows.
    public func scores(_ network: Network) throws -> Scores {
        Scores(
            validation: try validation.map { score(try network.outputs(of: $0.x), $0) },
            test: try test.map { score(try network.outputs(of: $0.x), $0) })
    }

    /// Loss and score on all training rows.
    public func trainingScores(_ network: Network) throws -> (loss: Double, score: Double?) {
        let outputs = try network.outputs(of: train.x)
        return (loss(outputs, train.y).scalar, score(outputs, train))
    }

    /// Accuracy, or R² for regression.
    func score(_ outputs: Tensor, _ rows: TrainingRows) -> Double {
        switch facts.preparation.task {
        case .classification: return Scoring.accuracy(outputs, rows.data.labels!)
        case .regression:
            let scaled =
                facts.preparation.values(outputs.to(device: .cpu))
            return Scoring.determination(scaled, rows.data.targets!)
        }
    }

    /// Raw features as the network reads them.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func standardised(_ features: Tensor) throws -> Tensor {
        try train.x.standardised(features)
    }

    /// A network of any module with everything that raw data need: its file goes to `descent predict`, `shrink` and
    /// `inspect`, and to PyTorch.
    ///
    /// The module is written down as the calls that it makes in evaluation mode.
    ///
    /// - Throws: `TraceError` for a module whose calls depend on its input in another way than by the number of rows, and
    ///   for one that makes calls that a file may not make.
    public func model(_ network: Network) throws -> NetworkModel {
        var network = network
        network.parameters = network.parameters.map { $0.to(device: .cpu) }
        network.buffers = network.buffers.map { $0.to(device: .cpu) }
        let traced = try Program.tracing(network, input: input)
        try traced.program.checkCalls()
        return NetworkModel(
            architecture: "\(type(of: network.module))", settings: [:], network: traced.network, facts: facts,
            program: traced.program)
    }

    // MARK: Set-up

    private static func check(
        batch: Int, validation: Double, _ normalisation: TrainingSettings.Normalisation?
    ) throws {
        try SettingError.require((1...1_000_000_000).contains(batch), "batch", batch, "a whole number ≥ 1")
        try SettingError.require((0..<1).contains(validation), "validation", validation, "a number in [0, 1)")
        let scale = normalisation?.scale ?? 1
        try SettingError.require(scale > 0 && scale.isFinite, "normalisation.scale", scale, "a number > 0")
    }

    private static func defaultLoss(_ data: LoadedData) -> any TrainingLoss {
        guard data.task == .classification else { return MeanSquaredError() }
        return data.train.classNames.count == 2 ? BinaryCrossEntropy() : CrossEntropy()
    }

    private static func check(_ loss: any TrainingLoss, _ data: LoadedData) throws {
        let kind = type(of: loss)
        if data.task == .regression, kind.takesClasses {
            throw SettingError("loss", "'\(kind.name)' is for classes, but the target holds values: use mse")
        }
        if kind.isBinary, data.train.classNames.count != 2 {
            throw SettingError("loss", "'\(kind.name)' is for two classes, these are \(data.train.classNames.count)")
        }
    }

    static func inputShape(_ data: Dataset, columns: Int) -> InputShape {
        if let vocabulary = data.vocabulary { return .tokens(vocabulary: vocabulary, length: columns) }
        switch data.imageShape {
        case let shape? where shape.count == 2: return .image(channels: 1, height: shape[0], width: shape[1])
        case let shape? where shape.count == 3: return .image(channels: shape[0], height: shape[1], width: shape[2])
        default: return .features(columns)
        }
    }
}

/// Makes rows of parts of the data alike.
private struct RowMaker {
    let standardiser: Standardiser
    let dtype: DType
    let device: Device
    let task: PredictionTask
    let takesClasses: Bool
    let mean: [Double]
    let scale: [Double]

    func rows(_ set: Dataset) throws -> TrainingRows {
        let x = try FeatureRows(set.features, standardiser, dtype: dtype, device: device, name: set.name)
        if takesClasses {
            return TrainingRows(x: x, y: Tensor(set.labels!.map(Int64.init)).to(device: device), data: set)
        }
        let y =
            task == .regression
            ? (set.targets!.to(.float64) - Tensor(mean)) / Tensor(scale)
            : EncodedTargets(set, task: task, loss: SquaredLoss(), dtype: .float64).matrix
        return TrainingRows(x: x, y: y.to(dtype).to(device: device), data: set)
    }
}

extension Standardiser {
    /// What shifts and scales training rows: each column, or all pixels of images alike.
    init(_ train: Dataset, _ normalisation: TrainingSettings.Normalisation?, standardises: Bool) {
        let method: Standardisation = !standardises ? .none : train.imageShape == nil ? .perColumn : .global
        self =
            normalisation.map { Standardiser(columns: train.features.shape[1], mean: $0.mean, scale: $0.scale) }
            ?? Standardiser(fitting: train.features, method: method)
    }
}
