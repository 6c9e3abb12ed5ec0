import CTorch

/// A scalar with its gradients.
public struct Differential: Sendable {
    /// The value of the function, of rank 0.
    public var value: Tensor
    /// Gradients, one for each input, of its shape.
    public var gradients: [Tensor]
}

/// Evaluates a scalar function of tensors and its gradients by reverse-mode differentiation.
///
/// Only what is computed from `inputs` inside `body` is recorded, and the record is gone when the call returns: values
/// elsewhere never carry graphs, and parameters can be changed in place afterwards.
///
/// - Parameters:
///   - inputs: floating-point tensors to differentiate with respect to.
///   - body: computes a tensor with one element from aliases of the inputs.
/// - Returns: the value and one gradient for each input: zero for inputs that the value does not depend on.
/// - Throws: what `body` throws; `TorchError` when the engine cannot differentiate, or runs out of memory.
public func valueAndGradients(
    at inputs: [Tensor], of body: ([Tensor]) throws -> Tensor
) throws -> Differential {
    let leaves = try inputs.map { try $0.leaf() }
    let value = try Gradients.enabled { try body(leaves) }
    demand(value.count == 1, "the gradient of a tensor of shape \(value.shape): sum it first")
    return Differential(value: value.detached(), gradients: try value.gradients(leaves))
}

/// Evaluates a scalar function, its gradients, and the product of its Hessian with some vectors.
///
/// - Parameter vectors: one for each input, of its shape.
/// - Returns: the value and gradients, and `∇²f v`, one for each input.
/// - Throws: as ``valueAndGradients(at:of:)``.
public func hessianVectorProducts(
    at inputs: [Tensor], vectors: [Tensor], of body: ([Tensor]) throws -> Tensor
) throws -> (differential: Differential, products: [Tensor]) {
    demand(inputs.count == vectors.count, "\(vectors.count) vectors for \(inputs.count) inputs")
    let leaves = try inputs.map { try $0.leaf() }
    return try Gradients.enabled {
        let value = try body(leaves)
        let gradients = try value.gradients(leaves, createGraph: true)
        let inner = zip(gradients, vectors).reduce(Tensor.zeros(like: value, shape: [])) { $0 + ($1.0 * $1.1).sum() }
        let products = try inner.gradients(leaves)
        let plain = Differential(value: value.detached(), gradients: gradients.map { $0.detached() })
        return (plain, products)
    }
}

/// Recording of graphs, a state of the thread.
enum Gradients {
    /// Records in `body`, and puts the state back as it was.
    static func enabled<R>(_ body: () throws -> R) rethrows -> R {
        let before = ct_grad_enabled()
        ct_set_grad_enabled(1)
        defer { ct_set_grad_enabled(before) }
        return try body()
    }
}

/// Runs `body` without recording: for what is computed beside a differentiated value, as statistics are.
public func withoutGradients<R>(_ body: () throws -> R) rethrows -> R {
    let before = ct_grad_enabled()
    ct_set_grad_enabled(0)
    defer { ct_set_grad_enabled(before) }
    return try body()
}

extension Tensor {
    /// The same values outside of any graph; the storage is shared.
    public func detached() -> Tensor {
        var result: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        guard ct_tensor_detached(pointer, &result, &message) == 0, let result else {
            fatalError("detached: \(message.map { String(cString: $0) } ?? "failed")")
        }
        return Tensor(owning: result)
    }

    fileprivate func leaf() throws(TorchError) -> Tensor {
        var result: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        guard ct_tensor_leaf(pointer, &result, &message) == 0, let result else {
            throw Self.failure("leaf", [self], message)
        }
        return Tensor(owning: result)
    }

    fileprivate func gradients(_ leaves: [Tensor], createGraph: Bool = false) throws(TorchError) -> [Tensor] {
        var results = [OpaquePointer?](repeating: nil, count: leaves.count)
        var message: UnsafeMutablePointer<CChar>?
        let handles: [OpaquePointer?] = leaves.map { $0.pointer }
        let status = withExtendedLifetime(leaves) {
            ct_gradients(pointer, handles, Int64(leaves.count), createGraph ? 1 : 0, &results, &message)
        }
        guard status == 0 else { throw Self.failure("backward", [self], message) }
        return results.map { Tensor(owning: $0!) }
    }

    private static func failure(
        _ operation: String, _ operands: [Tensor], _ message: UnsafeMutablePointer<CChar>?
    ) -> TorchError {
        defer { ct_string_free(message) }
        return TorchError(
            operation: operation, operands: operands.map(\.summary),
            message: message.map { String(cString: $0) } ?? "failed")
    }
}
