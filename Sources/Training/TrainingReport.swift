import RunLog
import Settings
import Structure

/// The numbers of a training run: what `descent train --json` prints and the run folder keeps.
public struct TrainingReport: Sendable, Codable, RunReport {
    /// Name of the method: the optimizer, or `cronos-am`.
    public var method: String
    /// The settings that were used; nil where objects were given.
    public var settings: TrainingSettings?
    /// All hyperparameters of the optimizer.
    public var optimizer: [String: SettingValue]
    /// All hyperparameters of the architecture, where it has a name.
    public var model: [String: SettingValue]?
    /// Elements of all parameters.
    public var parameters: Int
    /// Training rows, where the problem has such.
    public var rows: Int?
    /// Raw feature columns of a data set.
    public var columns: Int?
    /// Outputs of the network, on a data set.
    public var outputs: Int?
    /// Loss, by name.
    public var loss: String?
    /// Updates done.
    public var steps: Int
    /// Passes done.
    public var epochs: Double
    /// Scores at the end.
    public var trainScore: Double?
    /// Validation score at the end.
    public var validationScore: Double?
    /// Test score at the end.
    public var testScore: Double?
    /// Best validation score, or test score without a validation part, of all evaluations.
    public var bestScore: Double?
    /// Step of that.
    public var bestStep: Int?
    /// Mean loss over all training rows at the end.
    public var trainLoss: Double?
    /// That with the penalty, where there is one.
    public var objective: Double?
    /// Structure of the penalised parameters at the end.
    public var structure: NetworkStructure?
    /// Seconds of training, without evaluation.
    public var seconds: Double
    /// Seconds by phase.
    public var secondsByPhase: [String: Double]
    /// Largest resident memory.
    public var peakMemoryBytes: Int
    /// Why the run ended.
    public var termination: String
    /// Device and threads.
    public var device: String
    /// Threads inside one operation.
    public var threads: Int
    /// Hash of the training data.
    public var dataHash: String
    /// Version of LibTorch.
    public var torch: String
    /// What was decided or noticed.
    public var notices: [String]
    /// What is amiss with the result, as a loss far above where it began.
    public var warning: String?
    /// The evaluations.
    public var history: [HistoryPoint]
}
