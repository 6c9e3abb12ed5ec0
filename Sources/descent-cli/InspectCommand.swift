import ArgumentParser
import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Torch
import Training

/// `descent inspect`
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a model file is.",
        discussion: """
            Shows a Descent model's kind, sizes, classes and certificate, and the tensors of any safetensors file.

              descent inspect runs/fashion-mnist
            """)

    @Argument(help: "A model file, or the run folder that holds it.") var model: String

    mutating func run() throws {
        let path = ModelPath.resolve(model)
        let file = try SafeTensors.read(path)
        if file.metadata["descent"] != nil { describe(try TrainedModel.load(path)) }
        if file.metadata[NetworkModel.metadataKey] != nil { describe(try NetworkModel.load(path)) }
        for (name, array) in file.tensors {
            let label = name.padding(toLength: 16, withPad: " ", startingAt: 0)
            print("\(label)  \(array.elementType.rawValue)  \(array.shape)")
        }
    }

    private func describe(_ model: NetworkModel) {
        print("\(model.architecture) network, \(model.task.rawValue), \(model.network.parameterCount) parameters")
        if !model.classNames.isEmpty { print("classes: \(model.classNames.joined(separator: ", "))") }
        if model.task == .regression { print("targets: \(model.targetNames.joined(separator: ", "))") }
        for (name, value) in model.facts.sorted(by: { $0.key < $1.key }) { print("\(name): \(value)") }
    }

    private func describe(_ model: TrainedModel) {
        let kind = model.network.formulation == .relu ? "two-layer ReLU network" : "two-layer gated ReLU network"
        print("\(kind), \(model.task.rawValue), \(model.loss) loss")
        print("\(model.inputColumns) inputs, \(model.network.units) hidden units, \(model.network.outputs) outputs")
        if !model.classNames.isEmpty { print("classes: \(model.classNames.joined(separator: ", "))") }
        if model.task == .regression { print("targets: \(model.targetNames.joined(separator: ", "))") }
        for (name, value) in model.facts.sorted(by: { $0.key < $1.key }) { print("\(name): \(value)") }
    }
}
