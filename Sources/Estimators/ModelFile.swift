import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Torch

extension ConvexModel {
    /// Everything of a model that is not a tensor.
    private struct Header: Codable {
        /// 2: regression outputs are in units of `outputScale` around `outputMean`; 1: in those of the targets.
        var formatVersion = 2
        var formulation: Formulation
        var hasBias: Bool
        var task: PredictionTask
        var classNames: [String]
        var targetNames: [String]
        var featureNames: [String]
        var standardiser: Standardiser
        var encoding: TableEncoding?
        var imageShape: [Int]?
        var unitPattern: [Int]
        var unitGroup: [Int]
        var loss: String
        var facts: [String: String]
        var outputMean: [Double]?
        var outputScale: [Double]?
    }

    /// Writes a safetensors file with PyTorch's names: `layer1.weight` (hidden × inputs), `layer1.bias`,
    /// `layer2.weight` (outputs × hidden), `layer2.bias`, `input.mean`, `input.scale`, and the gates of gated networks.
    /// Regression outputs are multiplied by `output.scale` and shifted by `output.mean`, both in double precision: targets
    /// may be of a scale that single precision does not hold.
    ///
    /// - Throws: `InterchangeError` when the file cannot be written; nothing is left half-written.
    public func save(to path: String) throws {
        let inputs = network.hidden.shape[0] - (hasBias ? 1 : 0)
        let hidden = network.hidden.to(device: .cpu).to(.float32).transposed()
        let output = network.output.to(device: .cpu).to(.float32).transposed().contiguous()
        let outputs = output.shape[0]
        var tensors: [(name: String, array: ArrayData)] = [
            ("input.mean", ArrayData(standardiser.mean, shape: [inputs])),
            ("input.scale", ArrayData(standardiser.scale, shape: [inputs])),
            ("input.columns", ArrayData(standardiser.keptColumns.map(Int64.init), shape: [inputs])),
            ("layer1.weight", hidden.columns(0..<inputs).arrayData),
            ("layer1.bias", bias(hidden, inputs).arrayData),
            ("layer2.weight", output.arrayData),
            ("layer2.bias", ArrayData([Float](repeating: 0, count: outputs), shape: [outputs])),
        ]
        if task == .regression {
            tensors.append(("output.mean", ArrayData(outputMean, shape: [outputs])))
            tensors.append(("output.scale", ArrayData(outputScale, shape: [outputs])))
        }
        if let gates = network.gates?.to(device: .cpu).to(.float32).transposed() {
            tensors.append(("gates.weight", gates.columns(0..<inputs).arrayData))
            tensors.append(("gates.bias", bias(gates, inputs).arrayData))
            tensors.append(("gates.index", ArrayData(network.unitPattern.map(Int64.init), shape: [network.units])))
        }
        let header = Header(
            formulation: network.formulation, hasBias: hasBias, task: task, classNames: classNames,
            targetNames: targetNames, featureNames: featureNames, standardiser: standardiser, encoding: encoding,
            imageShape: imageShape, unitPattern: network.unitPattern, unitGroup: network.unitGroup, loss: loss,
            facts: facts, outputMean: outputMean, outputScale: outputScale)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let text = String(decoding: try encoder.encode(header), as: UTF8.self)
        try SafeTensors.write(SafeTensorsFile(tensors: tensors, metadata: ["descent": text, "format": "pt"]), to: path)
    }

    /// Shapes that the tensors of a file must have, so that a damaged one is an error and not a trap.
    private struct Sizes {
        let shapes: [String: [Int]]

        init(_ header: Header, _ file: SafeTensorsFile, _ path: String) throws {
            let inputs = header.standardiser.keptColumns.count
            let units = header.unitPattern.count
            let gates = file["gates.bias"]?.shape.first ?? 0
            let outputs = file["layer2.bias"]?.shape.first ?? 0
            shapes = [
                "layer1.weight": [units, inputs], "layer1.bias": [units], "layer2.weight": [outputs, units],
                "layer2.bias": [outputs], "gates.weight": [gates, inputs], "gates.bias": [gates],
            ]
            let fault =
                ModelFacts.fault(
                    task: header.task, classNames: header.classNames, targetNames: header.targetNames, outputs: outputs,
                    standardiser: header.standardiser, encoding: header.encoding)
                ?? Self.unitFault(header, units: units, gates: gates)
            if let fault {
                throw InterchangeError(
                    path: path, problem: "has metadata that do not go together: \(fault)",
                    advice: "The file is damaged: train again")
            }
        }

        private static func unitFault(_ header: Header, units: Int, gates: Int) -> String? {
            guard header.unitGroup.count == units else { return "\(header.unitGroup.count) groups of \(units) units" }
            guard header.formulation == .relu || header.unitPattern.allSatisfy({ (0..<gates).contains($0) }) else {
                return "a unit has a gate that is not there"
            }
            let shape = header.imageShape ?? []
            return shape.allSatisfy { $0 > 0 } ? nil : "an image of \(shape)"
        }
    }

    private func bias(_ rows: Tensor, _ inputs: Int) -> Tensor {
        hasBias ? rows.columns(inputs..<inputs + 1).reshaped(-1) : Tensor.zeros([rows.shape[0]])
    }

    /// Reads a file that `save(to:)` wrote.
    ///
    /// - Throws: `InterchangeError` when the file is damaged or is not a Descent model.
    public static func load(_ path: String) throws -> ConvexModel { try load(SafeTensors.read(path), path: path) }

    /// Reads the content of a model file; `path` is named in errors.
    static func load(_ file: SafeTensorsFile, path: String) throws -> ConvexModel {
        guard let text = file.metadata["descent"] else {
            throw InterchangeError(
                path: path, problem: "is a safetensors file, but not a Descent model (no 'descent' metadata)",
                advice: "Give a model.safetensors that descent fit wrote")
        }
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(text.utf8))
        } catch {
            throw InterchangeError(
                path: path, problem: "has metadata this version of Descent cannot read",
                advice: "Train the model again, or use the version that wrote it")
        }
        guard [1, 2].contains(header.formatVersion) else {
            throw InterchangeError(
                path: path, problem: "has format version \(header.formatVersion), and this Descent reads 1 and 2",
                advice: "Use the version that wrote it")
        }
        let sizes = try Sizes(header, file, path)
        let tensor = { (name: String) throws -> Tensor in
            guard let array = file[name], array.shape == sizes.shapes[name] else {
                throw InterchangeError(
                    path: path, problem: "lacks the tensor '\(name)' of shape \(sizes.shapes[name] ?? [])",
                    advice: "The file is damaged: train again")
            }
            return Tensor(array.floats(), shape: array.shape)
        }
        let hidden = try joined(tensor("layer1.weight"), tensor("layer1.bias"), header.hasBias)
        let output = try tensor("layer2.weight").transposed().contiguous()
        var network = TwoLayerNetwork(hidden: hidden, output: output)
        network.formulation = header.formulation
        network.unitPattern = header.unitPattern
        network.unitGroup = header.unitGroup
        if header.formulation == .gated {
            network.gates = try joined(tensor("gates.weight"), tensor("gates.bias"), header.hasBias)
        }
        let bias = try tensor("layer2.bias").doubles()
        let (mean, scale) = (header.outputMean ?? bias, header.outputScale ?? bias.map { _ in 1 })
        guard [mean, scale].allSatisfy({ $0.count == bias.count && $0.allSatisfy(\.isFinite) }) else {
            throw InterchangeError(
                path: path, problem: "has metadata that do not go together: scales that do not fit its outputs",
                advice: "The file is damaged: train again")
        }
        return ConvexModel(
            network: network, standardiser: header.standardiser, hasBias: header.hasBias, task: header.task,
            classNames: header.classNames, targetNames: header.targetNames, outputMean: mean,
            outputScale: scale, featureNames: header.featureNames, encoding: header.encoding,
            imageShape: header.imageShape, loss: header.loss, facts: header.facts)
    }

    /// `inputs (+ 1) × units` from PyTorch's weight and bias.
    private static func joined(_ weight: Tensor, _ bias: Tensor, _ hasBias: Bool) -> Tensor {
        let columns = weight.transposed()
        return hasBias
            ? Tensor.concatenate([columns, bias.reshaped(1, -1)], dimension: 0) : columns.contiguous()
    }
}
