import Settings
import Torch

/// Products of the Hessian, at the parameters that a step starts from, with one vector of each parameter's shape.
public typealias HessianProducts = (_ vectors: [Tensor]) throws -> [Tensor]

/// An optimizer that asks for products of the Hessian with vectors of its choice.
///
/// Random vectors come from ``OptimizerState/draw(_:)``, so that a run that goes on from a checkpoint draws the same.
public protocol CurvatureOptimizer: Optimizer {
    /// Moves the parameters by one step.
    ///
    /// - Parameter products: exact products, of the same batch as the gradients; each costs about two more gradients.
    /// - Throws: what `products` throws.
    func step(
        _ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState, products: HessianProducts
    ) throws
}

extension CurvatureOptimizer {
    /// Not for such optimizers: gradients alone are not enough.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        fatalError("\(Self.name) needs products of the Hessian: call step(_:gradients:state:products:)")
    }
}

/// What an optimizer may know of a parameter beside its values.
public struct ParameterInfo: Sendable, Equatable {
    /// Name, as in the model file.
    public var name: String
    /// Length of each dimension.
    public var shape: [Int]
    /// Whether its rows are looked up or added, as embeddings are, and not multiplied with.
    public var isLookup: Bool
    /// The manifold that it stays on; nil for none.
    public var manifold: NamedSettings?

    /// Creates what is known of a parameter.
    public init(name: String, shape: [Int], isLookup: Bool = false, manifold: NamedSettings? = nil) {
        (self.name, self.shape, self.isLookup, self.manifold) = (name, shape, isLookup, manifold)
    }
}

/// An optimizer whose step depends on the names or attributes of its parameters.
public protocol InformedOptimizer: Optimizer {
    /// The optimizer for these parameters, in the order in which steps see them. Called once, before the first step and
    /// where a run goes on.
    func informed(of parameters: [ParameterInfo]) -> Self
}

extension UpdateRule {
    /// The rule for these parameters: it keeps them on their manifolds, and optimizers that want to know of theirs do.
    ///
    /// - Throws: `SettingError` for a manifold that is not known or does not fit its parameter.
    public func informed(of parameters: [ParameterInfo], assignment: [[Int]]) throws -> UpdateRule {
        var rule = self
        for (place, parameter) in parameters.enumerated() {
            guard let named = parameter.manifold else { continue }
            let manifold = try ManifoldCatalogue.catalogue.make(named)
            if let fault = manifold.fault(for: parameter.shape) {
                throw SettingError(parameter.name, "the manifold \(named.name) \(fault)")
            }
            rule.manifolds[place] = manifold
        }
        for (index, positions) in zip(groups.indices, assignment) {
            guard let optimizer = groups[index].optimizer as? any InformedOptimizer else { continue }
            rule.groups[index].optimizer = optimizer.informed(of: positions.map { parameters[$0] })
        }
        return rule
    }
}

extension OptimizerState {
    /// Draws from the generator that is part of the state: a checkpoint keeps where it is.
    public mutating func draw<Result>(_ body: (inout SplitMix64) throws -> Result) rethrows -> Result {
        // Halves are whole numbers that a double holds.
        func half(_ name: String) -> UInt64? { shared.numbers[name].flatMap { UInt64(exactly: $0) } }
        var random =
            if let high = half("random.high"), let low = half("random.low") {
                SplitMix64(seed: high << 32 | low & 0xFFFF_FFFF)
            } else {
                SplitMix64(mixing: seed, 0x0B7)
            }
        defer {
            shared.numbers["random.high"] = Double(random.position >> 32)
            shared.numbers["random.low"] = Double(random.position & 0xFFFF_FFFF)
        }
        return try body(&random)
    }
}
