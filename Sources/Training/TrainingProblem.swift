import Datasets
import Estimators
import Networks
import Proximal
import Settings
import Torch

/// Rows of one part of the data, as the network sees them.
struct TrainingRows {
    /// Standardised features, or tokens.
    var x: Tensor
    /// Classes, `int64`, or encoded targets, `n × C`.
    var y: Tensor
    /// The data they came from.
    var data: Dataset

    var count: Int { x.shape[0] }
}

/// Data, loss and sizes of a training run.
struct TrainingProblem {
    let task: PredictionTask
    let lossName: TrainingSettings.LossName
    let loss: TrainingLoss
    let outputs: Int
    let input: InputShape
    let standardiser: Standardiser
    let train: TrainingRows
    let validation: TrainingRows?
    let test: TrainingRows?
    /// Means and scales that regression targets were standardised with.
    let targetMean: [Double]
    let targetScale: [Double]
    let notices: [String]

    init(_ data: LoadedData, settings: TrainingSettings, device: Device) throws {
        let selfSupervised = try Self.selfSupervised(settings)
        task = selfSupervised == nil ? data.task : .regression
        let all = data.train
        lossName = selfSupervised == nil ? settings.loss ?? Self.defaultLoss(data) : .reconstruction
        loss = lossName.loss
        if selfSupervised == nil { try Self.check(lossName, data) }
        let parts = try all.split(holding: settings.validation, seed: settings.seed)
        let dtype: DType = settings.precision == .float64 ? .float64 : .float32
        let method: Standardisation =
            all.vocabulary != nil || selfSupervised.map({ !type(of: $0).standardises }) ?? false
            ? .none : all.imageShape == nil ? .perColumn : .global
        let fitted =
            settings.normalisation.map {
                Standardiser(columns: all.features.shape[1], mean: $0.mean, scale: $0.scale)
            } ?? Standardiser(fitting: parts.train.features, method: method)
        standardiser = fitted
        notices = all.notices + fitted.notices
        input = Self.inputShape(all, columns: fitted.keptColumns.count)
        if let selfSupervised {
            (targetMean, targetScale) = ([0], [1])
            outputs = 2 * (try selfSupervised.predictions(input: input))
            func rows(_ set: Dataset) throws -> TrainingRows {
                let x = try fitted.apply(set.features, dtype: dtype).to(device: device)
                return TrainingRows(x: x, y: Tensor.zeros(like: x, shape: [x.shape[0], 1]), data: set)
            }
            train = try rows(parts.train)
            validation = try parts.held.map(rows)
            test = try data.test.map(rows)
            return
        }
        let encoding = EncodedTargets(parts.train, task: data.task, loss: SquaredLoss(), dtype: .float64)
        (targetMean, targetScale) = (encoding.mean, encoding.scale)
        let takesClasses = loss.takesClasses
        func rows(_ set: Dataset) throws -> TrainingRows {
            let x = try fitted.apply(set.features, dtype: dtype).to(device: device)
            guard x.isFinite else {
                throw DataError(
                    subject: set.name, problem: "some values are too large for \(dtype)",
                    advice: "Rescale those columns, or ask for `precision` float64")
            }
            if takesClasses {
                return TrainingRows(x: x, y: Tensor(set.labels!.map(Int64.init)).to(device: device), data: set)
            }
            let y: Tensor
            if data.task == .regression {
                y = (set.targets!.to(.float64) - Tensor(encoding.mean)) / Tensor(encoding.scale)
            } else {
                y = EncodedTargets(set, task: data.task, loss: SquaredLoss(), dtype: .float64).matrix
            }
            return TrainingRows(x: x, y: y.to(dtype).to(device: device), data: set)
        }
        train = try rows(parts.train)
        validation = try parts.held.map(rows)
        test = try data.test.map(rows)
        outputs = lossName == .binaryCrossEntropy ? 1 : takesClasses ? all.classNames.count : train.y.shape[1]
    }

    /// The architecture, where it learns from the inputs alone.
    private static func selfSupervised(_ settings: TrainingSettings) throws -> (any SelfSupervisedArchitecture)? {
        let made = try ArchitectureCatalogue.make(settings.model, settings: settings.modelSettings)
        guard let found = made as? any SelfSupervisedArchitecture else { return nil }
        guard settings.loss == nil || settings.loss == .reconstruction else {
            throw SettingError(settings.model, "learns to reconstruct its input: leave the loss out")
        }
        return found
    }

    private static func defaultLoss(_ data: LoadedData) -> TrainingSettings.LossName {
        guard data.task == .classification else { return .meanSquared }
        return data.train.classNames.count == 2 ? .binaryCrossEntropy : .crossEntropy
    }

    private static func check(_ loss: TrainingSettings.LossName, _ data: LoadedData) throws {
        if data.task == .regression, loss.loss.takesClasses {
            throw SettingError("loss", "'\(loss.rawValue)' is for classes, but the target holds values: use mse")
        }
        if loss == .reconstruction {
            throw SettingError("loss", "'reconstruction' is for networks that learn from their inputs alone")
        }
        if loss == .binaryCrossEntropy, data.train.classNames.count != 2 {
            throw SettingError("loss", "'bce' is for two classes, these are \(data.train.classNames.count)")
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

    /// Accuracy, or R² for regression; of reconstructions the share of the sum of squares that is predicted.
    func score(_ outputs: Tensor, _ rows: TrainingRows) -> Double {
        if lossName == .reconstruction {
            // Of what was to be predicted, in the units that the network sees.
            let half = outputs.shape[1] / 2
            let wanted = outputs.columns(half..<2 * half)
            return 1 - (outputs.columns(0..<half) - wanted).squareSum / wanted.squareSum
        }
        switch task {
        case .classification: return Scoring.accuracy(outputs, rows.data.labels!)
        case .regression:
            let scaled = outputs.to(device: .cpu).to(.float64) * Tensor(targetScale) + Tensor(targetMean)
            return Scoring.determination(scaled, rows.data.targets!)
        }
    }
}
