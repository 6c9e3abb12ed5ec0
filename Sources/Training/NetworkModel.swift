import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Programs
import Settings
import Structure
import Torch

/// A trained network with everything needed to apply it to raw data.
public struct NetworkModel: Sendable {
    /// What a network needs besides its tensors and what stands around them.
    struct Body: Codable, Sendable {
        var architecture: String
        var settings: [String: SettingValue]
        var inputKind: String
        var inputSizes: [Int]
        var outputs: Int
        /// Hidden units of a two-layer head that replaced the architecture's own.
        var headUnits: Int?
        /// What the network computes, where it is no longer what its architecture builds.
        var program: Program?
    }

    var header: ModelHeader<Body>
    /// The network.
    public var network: Network

    /// How raw rows become its input, and what its outputs mean.
    public var preparation: Preparation { header.preparation }
    /// Name of the architecture.
    public var architecture: String { header.body.architecture }
    /// What is predicted.
    public var task: PredictionTask { preparation.task }
    /// Class names, in the order of the outputs; empty for regression.
    public var classNames: [String] { preparation.classNames }
    /// Names of the regression targets.
    public var targetNames: [String] { preparation.targetNames }
    /// How the columns of a table were encoded.
    public var encoding: TableEncoding? { preparation.encoding }
    /// Number of raw feature columns.
    public var inputColumns: Int { preparation.standardiser.inputColumns }
    /// Facts about the training run, for `descent inspect`.
    public var facts: [String: String] {
        get { header.facts }
        set { header.facts = newValue }
    }

    init(
        architecture: String, settings: [String: SettingValue], network: Network, facts: ProblemFacts,
        program: Program? = nil
    ) {
        let (kind, sizes) = facts.input.stored
        header = ModelHeader(
            kind: ModelFile.networkKind, preparation: facts.preparation,
            body: Body(
                architecture: architecture, settings: settings, inputKind: kind, inputSizes: sizes,
                outputs: facts.outputs, headUnits: (network.module as? HeadedNetwork)?.units, program: program))
        var onHost = network
        onHost.parameters = network.parameters.map { $0.to(device: .cpu) }
        onHost.buffers = network.buffers.map { $0.to(device: .cpu) }
        self.network = onHost
    }

    init(header: ModelHeader<Body>, network: Network) { (self.header, self.network) = (header, network) }

    /// Raw outputs, `n × C`: class scores, or predicted values in the units of the targets.
    ///
    /// - Throws: `DataError` when the number of columns differs from the training data's.
    public func outputs(_ features: Tensor) throws -> Tensor {
        let dtype = network.parameters.values.first?.dtype ?? .float32
        let step = max(1, min(4096, 2_000_000 / max(1, inputColumns)))
        let rows = features.shape[0]
        let blocks = try stride(from: 0, to: max(1, rows), by: step).map { start in
            let block = features.rows(start..<min(rows, start + step))
            return try checked(
                network.output(try preparation.standardiser.apply(block, dtype: dtype)), rows: block.shape[0])
        }
        let raw = Tensor.concatenate(blocks, dimension: 0)
        return preparation.values(raw)
    }

    /// What a network of a file computes may be anything.
    private func checked(_ outputs: Tensor, rows: Int) throws -> Tensor {
        guard outputs.shape == [rows, header.body.outputs], [.float32, .float64].contains(outputs.dtype) else {
            throw DataError(
                subject: architecture,
                problem: "the network gives \(outputs.dtype) of shape \(outputs.shape) for \(rows) rows, "
                    + "its file says \(header.body.outputs) outputs",
                advice: "The file is damaged: train again")
        }
        return outputs
    }

    /// Features of the network's last part, `n × featureCount`; what a convex head is solved on.
    ///
    /// - Throws: `DataError` when the number of columns differs, `SettingError` when it has no features.
    public func features(_ features: Tensor) throws -> Tensor {
        guard let extractor = network.module as? any FeatureNetwork else {
            throw SettingError(architecture, "has no features that another head could use")
        }
        let dtype = network.parameters.values.first?.dtype ?? .float32
        return network.features(try preparation.standardiser.apply(features, dtype: dtype), extractor)
    }

    // MARK: Files

    /// Writes a safetensors file whose tensors have PyTorch's names.
    ///
    /// - Throws: `InterchangeError` when the file cannot be written; nothing is left half-written.
    public func save(to path: String) throws {
        let metadata = [ModelFile.key: try header.text, "format": "pt"]
        try SafeTensors.write(network.stateDictionary(metadata: metadata), to: path)
    }

    /// Reads a model file: the file is data, and nothing of it runs but the calls that a program may make.
    ///
    /// - Throws: `InterchangeError` when the file is missing, damaged or no network; `StateError` when tensors do not
    ///   fit the architecture; `SettingError` for an architecture that cannot be made.
    public static func load(_ path: String) throws -> NetworkModel { try load(SafeTensors.read(path), path: path) }

    /// Reads the content of a model file; `path` is named in errors.
    static func load(_ file: SafeTensorsFile, path: String) throws -> NetworkModel {
        let kind = try ModelFile.kind(file, path: path)
        guard kind.kind == ModelFile.networkKind else {
            throw InterchangeError(
                path: path, problem: "is no network of descent train", advice: "Train it with descent train")
        }
        let header =
            kind.version < ModelFile.version ? try earlier(file, path) : try ModelHeader<Body>(file, path: path)
        func damaged(_ problem: String) -> InterchangeError { ModelFile.damaged(path, problem) }
        if let fault = header.fault { throw damaged(fault) }
        guard let input = InputShape(stored: header.body.inputKind, header.body.inputSizes) else {
            throw damaged("an input of kind '\(header.body.inputKind)'")
        }
        let module = try header.body.module(input)
        // Before any parameter is made: the file must hold them all.
        let held = file.tensors.reduce(0) { $0 + $1.array.count }
        guard Network.storedCount(of: module) <= held else {
            throw damaged("the network has more parameters than the file's \(held) numbers")
        }
        let first = file.tensors.first { !$0.name.hasSuffix("num_batches_tracked") }
        var network = Network(module, dtype: first?.array.elementType == .float64 ? .float64 : .float32)
        try network.load(file, path: path)
        let model = NetworkModel(header: header, network: network)
        do {
            _ = try model.outputs(Tensor.zeros([1, model.inputColumns]))
        } catch {
            throw damaged("\(error)")
        }
        return model
    }

    /// The header of version 1.
    private static func earlier(_ file: SafeTensorsFile, _ path: String) throws -> ModelHeader<Body> {
        struct Rest: Decodable {
            var task: PredictionTask
            var classNames: [String]
            var targetNames: [String]
            var targetMean: [Double]
            var targetScale: [Double]
            var standardiser: Standardiser
            var encoding: TableEncoding?
            var loss: String
            var facts: [String: String]
        }
        do {
            let data = Data((file.metadata[ModelFile.earlierNetworkKey] ?? "").utf8)
            let body = try JSONDecoder().decode(Body.self, from: data)
            let rest = try JSONDecoder().decode(Rest.self, from: data)
            let preparation = Preparation(
                task: rest.task, classNames: rest.classNames, targetNames: rest.targetNames,
                targetMean: rest.targetMean, targetScale: rest.targetScale, standardiser: rest.standardiser,
                encoding: rest.encoding, loss: rest.loss)
            return ModelHeader(
                kind: ModelFile.networkKind, preparation: preparation, facts: rest.facts, body: body)
        } catch {
            throw ModelFile.unreadable(path, error)
        }
    }
}

extension ModelHeader<NetworkModel.Body> {
    /// Why these facts, as a file may hold them, describe no network; nil where they may.
    fileprivate var fault: String? {
        let size = body.inputSizes.reduce(1.0) { $0 * Double($1) }
        guard body.inputSizes.allSatisfy({ $0 > 0 }), size <= 0x1p31 else {
            return "an input of sizes \(body.inputSizes)"
        }
        if let units = body.headUnits, !(1...1 << 31).contains(units) { return "a head of \(units) units" }
        if let fault = preparation.fault(outputs: body.outputs) { return fault }
        let (input, columns) = (
            InputShape(stored: body.inputKind, body.inputSizes)?.count, preparation.standardiser.keptColumns.count
        )
        return input == columns ? nil : "\(columns) columns for an input of \(input ?? 0)"
    }
}

extension NetworkModel.Body {
    /// What computes: the program, or what the architecture builds.
    fileprivate func module(_ input: InputShape) throws -> any Module {
        if let program { return program }
        let architecture = try ArchitectureCatalogue.make(self.architecture, settings: settings)
        let module = try architecture.network(input: input, outputs: outputs)
        guard let units = headUnits, let base = module as? any FeatureNetwork else { return module }
        return HeadedNetwork(base: base, units: units, outputs: outputs)
    }
}

extension InputShape {
    fileprivate var stored: (String, [Int]) {
        switch self {
        case .features(let count): ("features", [count])
        case .image(let channels, let height, let width): ("image", [channels, height, width])
        case .tokens(let vocabulary, let length): ("tokens", [vocabulary, length])
        }
    }

    init?(stored kind: String, _ sizes: [Int]) {
        switch (kind, sizes.count) {
        case ("features", 1): self = .features(sizes[0])
        case ("image", 3): self = .image(channels: sizes[0], height: sizes[1], width: sizes[2])
        case ("tokens", 2): self = .tokens(vocabulary: sizes[0], length: sizes[1])
        default: return nil
        }
    }
}
