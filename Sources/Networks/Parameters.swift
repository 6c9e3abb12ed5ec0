import Torch

/// Tensors with dotted names, in the order in which the module declares them.
public struct NamedTensors: Sendable {
    /// Names, as in PyTorch's state dict.
    public private(set) var names: [String] = []
    /// The tensors, in the order of the names.
    public var values: [Tensor] = [] {
        didSet { demand(values.count == names.count, "\(values.count) tensors for \(names.count) names") }
    }
    private var positions: [String: Int] = [:]

    /// Creates an empty collection.
    public init() {}

    /// The tensor of a name.
    public subscript(name: String) -> Tensor? {
        get { positions[name].map { values[$0] } }
        set {
            guard let newValue else { fatalError("'\(name)' cannot be removed") }
            if let position = positions[name] {
                values[position] = newValue
            } else {
                append(name, newValue)
            }
        }
    }

    /// Number of tensors.
    public var count: Int { names.count }
    /// Number of elements of all tensors.
    public var elementCount: Int { values.reduce(0) { $0 + $1.count } }
    /// Names with their tensors.
    public var pairs: [(name: String, tensor: Tensor)] { zip(names, values).map { ($0, $1) } }

    /// The same names with other tensors.
    public func replacing(_ tensors: [Tensor]) -> NamedTensors {
        var copy = self
        copy.values = tensors
        return copy
    }

    /// The same names with each tensor changed.
    public func map(_ transform: (Tensor) throws -> Tensor) rethrows -> NamedTensors {
        replacing(try values.map(transform))
    }

    private mutating func append(_ name: String, _ tensor: Tensor) {
        positions[name] = names.count
        names.append(name)
        // The names come first: `values` checks that there are as many.
        values.append(tensor)
    }
}
