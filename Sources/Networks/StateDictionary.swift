import Interchange
import Torch

/// Parameters that a file does not hold as the network needs them.
public struct StateError: Error, CustomStringConvertible {
    /// The file.
    public var path: String
    /// One line for each fault: names that are missing, not known, or of another shape.
    public var faults: [String]

    /// One line; long lists are cut.
    public var description: String {
        let shown = faults.prefix(6).joined(separator: "; ")
        return "\(path) does not fit the network: \(shown)"
            + (faults.count > 6 ? "; and \(faults.count - 6) more" : "")
    }
}

extension Network {
    /// The parameters and buffers as a safetensors file that PyTorch's `load_state_dict` takes.
    public func stateDictionary(metadata: [String: String] = [:]) -> SafeTensorsFile {
        let tensors = (parameters.pairs + buffers.pairs).map { name, tensor in
            // PyTorch counts batches in whole numbers.
            (name: name, array: (name.hasSuffix("num_batches_tracked") ? tensor.to(.int64) : tensor).arrayData)
        }
        return SafeTensorsFile(tensors: tensors, metadata: metadata)
    }

    /// Replaces parameters and buffers by those of a safetensors file, as PyTorch or this library writes it.
    ///
    /// - Throws: `InterchangeError` for a file that cannot be read; as ``load(_:path:)``.
    public mutating func load(_ path: String) throws { try load(SafeTensors.read(path), path: path) }

    /// Replaces parameters and buffers by those of a file; nothing changes unless all fit.
    ///
    /// - Parameters:
    ///   - file: names as in PyTorch's state dict; element types are converted.
    ///   - path: named in errors.
    /// - Throws: `StateError` with every missing or unknown name and every shape that differs.
    public mutating func load(_ file: SafeTensorsFile, path: String) throws {
        var faults: [String] = []
        let found = Dictionary(file.tensors.map { ($0.name, $0.array) }) { first, _ in first }
        let known = Set(parameters.names + buffers.names)
        for (name, tensor) in parameters.pairs + buffers.pairs {
            guard let array = found[name] else {
                // Files of other libraries may lack the counter.
                if !name.hasSuffix("num_batches_tracked") { faults.append("'\(name)' \(tensor.shape) is missing") }
                continue
            }
            if array.shape != tensor.shape { faults.append("'\(name)' is \(array.shape), needed \(tensor.shape)") }
        }
        let unknown = file.tensors.map(\.name).filter { !known.contains($0) }
        faults += unknown.map { "'\($0)' is not a parameter of this network" }
        guard faults.isEmpty else { throw StateError(path: path, faults: faults) }
        func loaded(_ tensors: NamedTensors) -> NamedTensors {
            var copy = tensors
            for (name, tensor) in tensors.pairs {
                if let array = found[name] { copy[name] = Tensor(array).to(tensor.dtype).to(device: tensor.device) }
            }
            return copy
        }
        (parameters, buffers) = (loaded(parameters), loaded(buffers))
    }
}
