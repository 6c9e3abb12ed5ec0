import Estimators
import Settings
import Torch
import Training

/// The settings of a run by names, which train it again.
public enum RunSettings: Sendable, Equatable {
    /// Of `descent fit`.
    case fit(FitSettings)
    /// Of `descent train`.
    case train(TrainingSettings)
}

/// What made a run: `config.json` of its folder.
public struct RunConfiguration: Sendable, Codable {
    /// Grows whenever a setting changes its meaning; files of another version are refused.
    public static let currentVersion = 1
    /// The version of this file.
    public var formatVersion = RunConfiguration.currentVersion
    /// Who asked for it: the command line, or `descent library`.
    public var command: [String]
    /// Version of Descent.
    public var version = Version.text
    /// Version of LibTorch.
    public var torch = Runtime.version
    /// Settings of `descent fit`.
    public var fit: FitSettings?
    /// Settings of `descent train`.
    public var training: TrainingSettings?

    /// Creates the configuration of a run.
    public init(command: [String], settings: RunSettings? = nil) {
        self.command = command
        switch settings {
        case .fit(let settings): fit = settings
        case .train(let settings): training = settings
        case nil: break
        }
    }
}
