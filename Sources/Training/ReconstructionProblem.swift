import Datasets
import Estimators
import Networks
import Settings
import Torch

/// Rows without labels: a network paints what it does not see of them; the share of the sum of squares that it gets
/// right is the score.
struct ReconstructionProblem: DatasetProblem {
    /// The loss of networks that learn from their inputs alone; none of outputs and targets.
    static let lossName = "reconstruction"

    let facts: ProblemFacts
    let fingerprint: String
    let testIdentity: String
    private let train: FeatureRows
    private let validation: FeatureRows?
    private let test: FeatureRows?
    private var loader: BatchLoader
    private let dataNotices: [String]

    init(
        _ data: LoadedData, architecture: any SelfSupervisedArchitecture, settings: TrainingSettings, device: Device
    ) throws {
        guard settings.loss == nil || settings.loss?.name == Self.lossName else {
            throw SettingError(settings.model, "learns to reconstruct its input: leave the loss out")
        }
        let parts = try data.train.split(holding: settings.validation, seed: settings.seed)
        let standardiser = Standardiser(
            parts.train, settings.normalisation,
            standardises: data.train.vocabulary == nil && type(of: architecture).standardises)
        let dtype: DType = settings.precision == .float64 ? .float64 : .float32
        func rows(_ set: Dataset) throws -> FeatureRows {
            try FeatureRows(set.features, standardiser, dtype: dtype, device: device, name: set.name)
        }
        train = try rows(parts.train)
        validation = try parts.held.map(rows)
        test = try data.test.map(rows)
        let input = SupervisedProblem.inputShape(data.train, columns: standardiser.keptColumns.count)
        let outputs = 2 * (try architecture.predictions(input: input))
        var preparation = Preparation(data.train, task: .regression, standardiser: standardiser, loss: Self.lossName)
        preparation.classNames = []
        preparation.targetNames = (0..<outputs).map { "output\($0)" }
        facts = ProblemFacts(input: input, outputs: outputs, preparation: preparation)
        dataNotices = data.train.notices + standardiser.notices
        (fingerprint, testIdentity) = (data.train.hash, data.testIdentity)
        loader = try BatchLoader(x: train, y: nil, input: input, settings: settings.batches)
    }

    var batchesPerEpoch: Int { loader.batchesPerEpoch }
    var rows: Int? { train.count }
    var notices: [String] { dataNotices + loader.notices }
    func batch(_ number: Int) throws -> Tensor { try loader.batch(number).x }
    func weight(of batch: Tensor) -> Double { Double(batch.shape[0]) }
    func name(ofBatch number: Int) -> String { loader.name(of: number) }
    mutating func prepare(for module: any Module) throws { loader = try loader.prepared(for: module) }
    func loss(_ batch: Tensor, _ forward: (Tensor) -> Tensor) -> Tensor { loss(of: forward(batch)) }

    func scores(_ network: Network) throws -> Scores {
        Scores(
            validation: try validation.map { score(try network.outputs(of: $0)) },
            test: try test.map { score(try network.outputs(of: $0)) })
    }

    func trainingScores(_ network: Network) throws -> (loss: Double, score: Double?) {
        let outputs = try network.outputs(of: train)
        return (loss(of: outputs).scalar, score(outputs))
    }

    /// Predictions, and behind them what they predict.
    private func halves(_ outputs: Tensor) -> (predicted: Tensor, wanted: Tensor) {
        let half = outputs.shape[1] / 2
        return (outputs.columns(0..<half), outputs.columns(half..<2 * half))
    }

    private func loss(of outputs: Tensor) -> Tensor {
        let (predicted, wanted) = halves(outputs)
        return MeanSquaredError()(predicted, wanted)
    }

    private func score(_ outputs: Tensor) -> Double {
        let (predicted, wanted) = halves(outputs)
        return 1 - (predicted - wanted).squareSum / wanted.squareSum
    }
}
