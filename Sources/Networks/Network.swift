import Torch

/// A module with its parameters and buffers.
public struct Network: Sendable {
    /// What computes.
    public let module: any Module
    /// What is trained.
    public var parameters: NamedTensors
    /// What is kept with it, as running means are.
    public var buffers: NamedTensors

    /// Creates a network with fresh parameters.
    ///
    /// - Parameters:
    ///   - seed: each parameter's values depend on it and on the parameter's name alone.
    ///   - dtype: floating-point type of the parameters.
    public init(_ module: any Module, seed: UInt64 = 0, dtype: DType = .float32, device: Device = .cpu) {
        var declaration = Declaration()
        module.declare(&declaration)
        self.module = module
        parameters = Self.made(declaration.parameters, seed, dtype, device)
        buffers = Self.made(declaration.buffers, seed, dtype, device)
    }

    /// Names of the parameters that a module declares.
    public static func parameterNames(of module: any Module) -> [String] {
        var declaration = Declaration()
        module.declare(&declaration)
        return declaration.parameters.map(\.name)
    }

    /// Names of the buffers that a module declares.
    public static func bufferNames(of module: any Module) -> [String] {
        var declaration = Declaration()
        module.declare(&declaration)
        return declaration.buffers.map(\.name)
    }

    /// Names of parameters that no penalty applies to: tables and tokens, what stays on a manifold, what says so.
    public static func unpenalisedNames(of module: any Module) -> Set<String> {
        Set(
            attributes(of: module).filter { $0.value.isLookup || !$0.value.isPenalised || $0.value.manifold != nil }
                .keys)
    }

    /// What a module says of its parameters.
    public static func attributes(of module: any Module) -> [String: ParameterAttributes] {
        var declaration = Declaration()
        module.declare(&declaration)
        return Dictionary(declaration.parameters.map { ($0.name, $0.attributes) }) { first, _ in first }
    }

    /// Elements of all parameters that a module declares, without making them; the largest number where there are more.
    public static func elementCount(of module: any Module) -> Int { shapes(of: module, \.parameters) }

    /// Elements of all parameters and buffers that a module declares, without making them, but for counters of batches:
    /// files of other libraries may lack these.
    public static func storedCount(of module: any Module) -> Int {
        let (parameters, buffers) = (shapes(of: module, \.parameters), shapes(of: module, \.buffers))
        let (sum, overflows) = parameters.addingReportingOverflow(buffers)
        return overflows ? .max : sum
    }

    private static func shapes(of module: any Module, _ part: (Declaration) -> [Declaration.Parameter]) -> Int {
        var declaration = Declaration()
        module.declare(&declaration)
        let counted = part(declaration).filter { !($0.shape.isEmpty && $0.name.hasSuffix("num_batches_tracked")) }
        let total = counted.reduce(0.0) { $0 + $1.shape.reduce(1.0) { $0 * Double($1) } }
        return total < 9e18 ? Int(total) : .max
    }

    private static func made(
        _ declared: [Declaration.Parameter], _ seed: UInt64, _ dtype: DType, _ device: Device
    ) -> NamedTensors {
        var made = NamedTensors()
        for parameter in declared {
            demand(made[parameter.name] == nil, "the parameter '\(parameter.name)' is declared twice")
            made[parameter.name] = parameter.initialiser.tensor(parameter.shape, name: parameter.name, seed: seed)
                .to(parameter.dtype ?? dtype).to(device: device)
        }
        return made
    }

    /// The output in evaluation mode.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        module(x, Scope(pass: Pass(parameters, buffers, isTraining: false)))
    }

    /// The output in evaluation mode, for networks whose module came from a file, too.
    ///
    /// - Throws: what a ``FallibleModule`` throws; nothing for other modules.
    public func output(_ x: Tensor) throws -> Tensor {
        guard let fallible = module as? any FallibleModule else { return self(x) }
        return try fallible.evaluate(x, Scope(pass: Pass(parameters, buffers, isTraining: false)))
    }

    /// Evaluates a loss of the output and its gradients with respect to some of the parameters.
    ///
    /// - Parameters:
    ///   - x: input of the module.
    ///   - loss: a scalar of the output.
    /// - Returns: the loss, and gradients in the order of the parameters that were asked for.
    /// - Throws: `TorchError` when the engine fails, as when memory runs out, and what `loss` throws.
    public mutating func lossAndGradients(
        _ x: Tensor, isTraining: Bool = true, castTo: DType? = nil, trained: Set<String>? = nil,
        loss: (Tensor) throws -> Tensor
    ) throws -> Differential {
        try lossAndGradients(isTraining: isTraining, castTo: castTo, trained: trained) { forward in
            try loss(forward(x))
        }
    }

    /// Evaluates a loss that calls the network as often as it likes, and its gradients.
    ///
    /// - Parameters:
    ///   - isTraining: whether batch statistics are taken, units dropped and buffers updated.
    ///   - castTo: type of the passes: parameters and inputs with a fraction are converted to it, outputs back to the
    ///     parameters' own, which gradients have too.
    ///   - trained: names of the parameters to differentiate; nil for all.
    ///   - loss: a scalar, given the network as a function of its input.
    /// - Returns: the loss, and gradients in the order of the parameters that were asked for.
    /// - Throws: `TorchError` when the engine fails, as when memory runs out, and what `loss` throws.
    public mutating func lossAndGradients(
        isTraining: Bool = true, castTo: DType? = nil, trained: Set<String>? = nil,
        loss: (_ forward: (Tensor) -> Tensor) throws -> Tensor
    ) throws -> Differential {
        let chosen = self.parameters.names.indices.filter { trained?.contains(self.parameters.names[$0]) ?? true }
        var updates: [String: Tensor] = [:]
        let (parameters, buffers, module) = (self.parameters, self.buffers, self.module)
        let own = parameters.values.first?.dtype
        let result = try valueAndGradients(at: chosen.map { parameters.values[$0] }) { leaves in
            var current = parameters
            for (position, leaf) in zip(chosen, leaves) { current.values[position] = leaf }
            if let castTo { Self.cast(&current, buffers, to: castTo) }
            let pass = Pass(current, buffers, isTraining: isTraining)
            let value = try loss { x in
                guard let castTo, let own else { return module(x, Scope(pass: pass)) }
                return module(x.dtype.isFloatingPoint ? x.to(castTo) : x, Scope(pass: pass)).to(own)
            }
            updates = pass.updates
            return value
        }
        for (name, tensor) in updates { self.buffers[name] = tensor }
        return result
    }

    /// Products of the Hessian of a loss with some vectors; buffers stay as they are.
    ///
    /// - Parameters:
    ///   - vectors: one for each parameter that is differentiated, of its shape.
    ///   - loss: a scalar, given the network in training mode as a function of its input.
    /// - Throws: as ``lossAndGradients(isTraining:castTo:trained:loss:)``; for what has no second derivative.
    public func hessianVectorProducts(
        _ vectors: [Tensor], trained: Set<String>? = nil, loss: (_ forward: (Tensor) -> Tensor) throws -> Tensor
    ) throws -> [Tensor] {
        let chosen = parameters.names.indices.filter { trained?.contains(parameters.names[$0]) ?? true }
        let inputs = chosen.map { parameters.values[$0] }
        return try Torch.hessianVectorProducts(at: inputs, vectors: vectors) { leaves in
            var current = parameters
            for (position, leaf) in zip(chosen, leaves) { current.values[position] = leaf }
            let pass = Pass(current, buffers, isTraining: true)
            return try loss { module($0, Scope(pass: pass)) }
        }.products
    }

    /// Converts parameters but those of layers with running statistics, which stay in their own type.
    private static func cast(_ parameters: inout NamedTensors, _ buffers: NamedTensors, to dtype: DType) {
        let suffix = "running_mean"
        let kept = Set(buffers.names.filter { $0.hasSuffix(suffix) }.map { $0.dropLast(suffix.count) })
        for (position, name) in parameters.names.enumerated() {
            let owner = name.lastIndex(of: ".").map { name[...$0] } ?? ""
            if !kept.contains(owner) { parameters.values[position] = parameters.values[position].to(dtype) }
        }
    }

    /// Number of trained elements.
    public var parameterCount: Int { parameters.elementCount }
}
