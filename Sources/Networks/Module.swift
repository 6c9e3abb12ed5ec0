import Settings
import Torch

/// A network or a part of one: a value of its sizes, which declares its parameters and computes from them.
///
/// The parameters themselves live outside, in a ``NamedTensors``, so that optimizers, checkpoints and gradients are
/// functions of values. Names are PyTorch's: a part called `layers` with a part `0` that declares `weight` holds
/// `layers.0.weight`.
public protocol Module: Sendable {
    /// Declares parameters, buffers and parts, in PyTorch's order.
    func declare(_ declaration: inout Declaration)
    /// Computes the output; parameters and mode come from the scope.
    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor
}

extension Module {
    /// Declares nothing, as activations do.
    public func declare(_ declaration: inout Declaration) {}
}

/// A module whose evaluation can fail, as that of a program from a file can.
public protocol FallibleModule: Module {
    /// Computes the output.
    func evaluate(_ x: Tensor, _ scope: Scope) throws -> Tensor
}

/// What a module says of a parameter beside its shape; it travels to trainers and rules.
public struct ParameterAttributes: Sendable, Equatable {
    /// Whether its rows are looked up or added, as embeddings are, and not multiplied with.
    public var isLookup = false
    /// Whether it keeps its value while the others are trained.
    public var isFrozen = false
    /// Whether a penalty may apply to it, where its shape has one.
    public var isPenalised = true
    /// The manifold that it stays on, as `stiefel`; nil for none.
    public var manifold: NamedSettings?

    /// Creates attributes; those of a matrix that is trained unless given.
    public init(
        isLookup: Bool = false, isFrozen: Bool = false, isPenalised: Bool = true, manifold: NamedSettings? = nil
    ) {
        (self.isLookup, self.isFrozen) = (isLookup, isFrozen)
        (self.isPenalised, self.manifold) = (isPenalised, manifold)
    }
}

/// Collects what a module declares.
public struct Declaration {
    /// A parameter before it has values.
    struct Parameter {
        var name: String
        var shape: [Int]
        var initialiser: Initialiser
        var attributes = ParameterAttributes()
        var dtype: DType?
    }

    var parameters: [Parameter] = []
    var buffers: [Parameter] = []
    private var prefix = ""

    init() {}

    /// Declares a parameter that is trained.
    ///
    /// - Parameters:
    ///   - isLookup: whether its rows are looked up or added, as embeddings are, and not multiplied with.
    ///   - isFrozen: whether it keeps its first value, or that of a file, while the others are trained.
    public mutating func parameter(
        _ name: String, _ shape: [Int], _ initialiser: Initialiser, isLookup: Bool = false, isFrozen: Bool = false
    ) {
        parameter(name, shape, initialiser, ParameterAttributes(isLookup: isLookup, isFrozen: isFrozen))
    }

    /// Declares a parameter with all that is to be said of it.
    public mutating func parameter(
        _ name: String, _ shape: [Int], _ initialiser: Initialiser, _ attributes: ParameterAttributes
    ) {
        parameters.append(
            Parameter(name: prefix + name, shape: shape, initialiser: initialiser, attributes: attributes))
    }

    /// Declares a tensor that is kept with the parameters and not trained, as running means are.
    ///
    /// - Parameter dtype: its element type where that is not the network's.
    public mutating func buffer(_ name: String, _ shape: [Int], fill: Double, dtype: DType? = nil) {
        buffers.append(Parameter(name: prefix + name, shape: shape, initialiser: .constant(fill), dtype: dtype))
    }

    /// Declares a part; its names start with the part's own.
    public mutating func part(_ name: String, _ module: any Module) {
        let outer = prefix
        prefix += name + "."
        module.declare(&self)
        prefix = outer
    }
}

/// What a module sees while it computes: its parameters by their own names, and the mode.
public struct Scope {
    private let pass: Pass
    private let prefix: String

    init(pass: Pass, prefix: String = "") {
        self.pass = pass
        self.prefix = prefix
    }

    /// A parameter or buffer of the module.
    ///
    /// - Precondition: the module declared it.
    public subscript(name: String) -> Tensor {
        guard let tensor = pass.updates[prefix + name] ?? pass.tensors[prefix + name] else {
            fatalError("no parameter '\(prefix + name)': the module did not declare it")
        }
        return tensor
    }

    /// The scope of a part.
    public func part(_ name: String) -> Scope { Scope(pass: pass, prefix: prefix + name + ".") }

    /// Whether the module is trained: batch statistics are taken and units dropped.
    public var isTraining: Bool { pass.isTraining }

    /// Gives a buffer its next value, which holds after the pass.
    public func update(_ name: String, _ tensor: Tensor) { pass.updates[prefix + name] = tensor.detached() }
}

/// One evaluation of a network.
final class Pass {
    let tensors: [String: Tensor]
    let isTraining: Bool
    var updates: [String: Tensor] = [:]

    init(_ parameters: NamedTensors, _ buffers: NamedTensors, isTraining: Bool) {
        var all: [String: Tensor] = [:]
        all.reserveCapacity(parameters.count + buffers.count)
        for (name, tensor) in parameters.pairs { all[name] = tensor }
        for (name, tensor) in buffers.pairs { all[name] = tensor }
        tensors = all
        self.isTraining = isTraining
    }
}
