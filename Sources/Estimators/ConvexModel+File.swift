import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Torch

extension ConvexModel {
    /// What two layers of a convex program need besides.
    private struct Body: Codable, Sendable {
        var formulation: Formulation
        var hasBias: Bool
        var unitPattern: [Int]
        var unitGroup: [Int]
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
            tensors.append(("output.mean", ArrayData(preparation.targetMean, shape: [outputs])))
            tensors.append(("output.scale", ArrayData(preparation.targetScale, shape: [outputs])))
        }
        if let gates = network.gates?.to(device: .cpu).to(.float32).transposed() {
            tensors.append(("gates.weight", gates.columns(0..<inputs).arrayData))
            tensors.append(("gates.bias", bias(gates, inputs).arrayData))
            tensors.append(("gates.index", ArrayData(network.unitPattern.map(Int64.init), shape: [network.units])))
        }
        let header = ModelHeader(
            kind: ModelFile.convexKind, preparation: preparation, certificate: certificate, facts: facts,
            body: Body(
                formulation: network.formulation, hasBias: hasBias, unitPattern: network.unitPattern,
                unitGroup: network.unitGroup))
        let metadata = [ModelFile.key: try header.text, "format": "pt"]
        try SafeTensors.write(SafeTensorsFile(tensors: tensors, metadata: metadata), to: path)
    }

    /// Shapes that the tensors of a file must have, so that a damaged one is an error and not a trap.
    private struct Sizes {
        let shapes: [String: [Int]]

        init(_ header: ModelHeader<Body>, _ file: SafeTensorsFile, _ path: String) throws {
            let inputs = header.preparation.standardiser.keptColumns.count
            let units = header.body.unitPattern.count
            let gates = file["gates.bias"]?.shape.first ?? 0
            let outputs = file["layer2.bias"]?.shape.first ?? 0
            shapes = [
                "layer1.weight": [units, inputs], "layer1.bias": [units], "layer2.weight": [outputs, units],
                "layer2.bias": [outputs], "gates.weight": [gates, inputs], "gates.bias": [gates],
            ]
            let fault =
                header.preparation.fault(outputs: outputs) ?? Self.unitFault(header.body, units: units, gates: gates)
            if let fault { throw ModelFile.damaged(path, fault) }
        }

        private static func unitFault(_ body: Body, units: Int, gates: Int) -> String? {
            guard body.unitGroup.count == units else { return "\(body.unitGroup.count) groups of \(units) units" }
            guard body.formulation == .relu || body.unitPattern.allSatisfy({ (0..<gates).contains($0) }) else {
                return "a unit has a gate that is not there"
            }
            return nil
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
    package static func load(_ file: SafeTensorsFile, path: String) throws -> ConvexModel {
        let kind = try ModelFile.kind(file, path: path)
        guard kind.kind == ModelFile.convexKind else {
            throw InterchangeError(
                path: path, problem: "holds a network of descent train", advice: "Give a model that descent fit wrote")
        }
        let header =
            kind.version < ModelFile.version ? try earlier(file, path) : try ModelHeader<Body>(file, path: path)
        let sizes = try Sizes(header, file, path)
        let tensor = { (name: String) throws -> Tensor in
            guard let array = file[name], array.shape == sizes.shapes[name] else {
                throw InterchangeError(
                    path: path, problem: "lacks the tensor '\(name)' of shape \(sizes.shapes[name] ?? [])",
                    advice: "The file is damaged: train again")
            }
            return Tensor(array.floats(), shape: array.shape)
        }
        let hidden = try joined(tensor("layer1.weight"), tensor("layer1.bias"), header.body.hasBias)
        let output = try tensor("layer2.weight").transposed().contiguous()
        var network = TwoLayerNetwork(hidden: hidden, output: output)
        network.formulation = header.body.formulation
        network.unitPattern = header.body.unitPattern
        network.unitGroup = header.body.unitGroup
        if header.body.formulation == .gated {
            network.gates = try joined(tensor("gates.weight"), tensor("gates.bias"), header.body.hasBias)
        }
        return ConvexModel(
            network: network, hasBias: header.body.hasBias, preparation: header.preparation,
            certificate: header.certificate, facts: header.facts)
    }

    /// The header of versions 1, whose last layer holds the scales of the targets, and 2.
    private static func earlier(_ file: SafeTensorsFile, _ path: String) throws -> ModelHeader<Body> {
        struct Header: Decodable {
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
        do {
            let old = try JSONDecoder().decode(Header.self, from: Data((file.metadata[ModelFile.key] ?? "").utf8))
            let bias = file["layer2.bias"]?.doubles() ?? []
            let preparation = Preparation(
                task: old.task, classNames: old.classNames, targetNames: old.targetNames,
                targetMean: old.outputMean ?? bias, targetScale: old.outputScale ?? bias.map { _ in 1 },
                standardiser: old.standardiser, encoding: old.encoding, featureNames: old.featureNames,
                imageShape: old.imageShape, loss: old.loss)
            return ModelHeader(
                kind: ModelFile.convexKind, preparation: preparation, facts: old.facts,
                body: Body(
                    formulation: old.formulation, hasBias: old.hasBias, unitPattern: old.unitPattern,
                    unitGroup: old.unitGroup))
        } catch {
            throw ModelFile.unreadable(path, error)
        }
    }

    /// `inputs (+ 1) × units` from PyTorch's weight and bias.
    private static func joined(_ weight: Tensor, _ bias: Tensor, _ hasBias: Bool) -> Tensor {
        let columns = weight.transposed()
        return hasBias
            ? Tensor.concatenate([columns, bias.reshaped(1, -1)], dimension: 0) : columns.contiguous()
    }
}
