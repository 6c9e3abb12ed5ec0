import Datasets
import Foundation
import Networks
import RunLog
import Settings
import TestSupport
import Torch
@_exported import TestFiles

@testable import Training

extension TrainingSettings {
    /// A small network that learns quickly.
    static func small(_ optimizer: String = "adamw", lr: Double? = 1e-2, epochs: Double = 4) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.model = "mlp"
        settings.modelSettings = ["hidden": .list([.number(16), .number(16)])]
        settings.optimizer = optimizer
        if let lr { settings.optimizerSettings["lr"] = .number(lr) }
        settings.epochs = epochs
        settings.batch = 64
        settings.seed = 5
        return settings
    }
}

/// Data of the catalogue that are made.
func made(_ name: String) throws -> LoadedData { try loadData(DataRequest(source: name)) }

/// Trains with the process's generator to itself.
func trained(
    _ settings: TrainingSettings, _ data: LoadedData, from checkpoint: String? = nil,
    observe: (RunEvent<NetworkModel>) -> Directive = { _ in .proceed }
) throws -> (model: NetworkModel, report: TrainingReport) {
    try Engine.exclusively {
        try settings.fit(data, resumingFrom: checkpoint, observe: observe)
    }
}

extension NamedTensors {
    /// All elements, for comparison bit by bit.
    var bits: [UInt64] { values.flatMap { $0.doubles() }.map(\.bitPattern) }
}
