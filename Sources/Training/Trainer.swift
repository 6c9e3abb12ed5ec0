import Datasets
import Estimators
import Foundation
import Networks
import Optimizers
import RunLog
import Settings
import Torch

/// What a trainer reports while it runs.
public struct TrainerEvent {
    /// Where the run is.
    public var progress: RunLog.Progress
    /// The evaluation, when one was just made.
    public var point: TrainingPoint?
    /// Whether this is the best evaluation so far.
    public var isBest = false
    /// What is to be said before the first step: which parameters have a penalty and which none.
    public var announcement: [String] = []
    /// Whether the run has ended: what a checkpoint written now holds is where it stopped.
    public var isFinal = false
    /// Batches done: grows throughout a run, resumed or not.
    public var batches: Int
    /// Evaluations made so far, but for the one before the first step.
    public var evaluations: Int
    /// Writes a checkpoint to a path, by way of a temporary file.
    public var writeCheckpoint: (String) throws -> Void
    /// Makes the model at hand.
    public var model: () -> NetworkModel
}

/// A loss that is no longer a number.
public struct NonFiniteError: Error, CustomStringConvertible {
    /// One line: step, batch and the largest gradients.
    public var description: String
}

/// Trains a network by stochastic steps.
///
/// Rows are shuffled by seed and epoch, dropout and augmentation drawn by seed and step, so that a run that is resumed
/// from any checkpoint equals one that was never interrupted, bit for bit on a CPU with the same number of threads.
public struct Trainer {
    /// What to do.
    public var settings: TrainingSettings
    /// Where it runs.
    public var device: Device

    /// Creates a trainer.
    public init(settings: TrainingSettings = TrainingSettings(), device: Device = .cpu) {
        (self.settings, self.device) = (settings, device)
    }

    /// Trains on `data.train` and scores on `data.test` where there is one.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and settings.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: `SettingError`, `DataError` and `InterchangeError` for input that cannot be used; `NonFiniteError`
    ///   when the loss stops being a number; `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, resumingFrom checkpoint: String? = nil,
        observe: (TrainerEvent) -> Directive = { _ in .proceed }
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        try settings.validate()
        if let head = settings.head {
            var run = try AlternatingTraining(
                settings: settings, head: head, device: device, data: data, checkpoint: checkpoint)
            return try run.execute(observe)
        }
        var run = try StochasticTraining(settings: settings, device: device, data: data, checkpoint: checkpoint)
        return try run.execute(observe)
    }
}
