import Networks
import Programs
import Torch

/// What one row costs a network.
public struct Cost: Sendable, Codable, Equatable {
    /// Elements of parameters and buffers.
    public var parameters: Int
    /// Bytes of those.
    public var bytes: Int
    /// Multiplications with additions for one row, of linear maps, convolutions, recurrent layers and attention.
    public var multiplyAdds: Int

    /// Counts a program.
    ///
    /// - Throws: `ProgramError` where it cannot be run.
    public init(_ program: Program, _ network: Network, input: InputShape) throws {
        let tensors = network.parameters.values + network.buffers.values
        parameters = tensors.reduce(0) { $0 + $1.count }
        bytes = tensors.reduce(0) { $0 + $1.count * $1.dtype.byteCount }
        var sum = 0
        let x = Tensor.zeros([1, input.count], dtype: network.parameters.values.first?.dtype ?? .float32)
        _ = try program.values(
            x,
            observe: { index, arguments, results in sum += Self.count(program.steps[index].name, arguments, results) }
        ) { network.tensor(program.parameters[$0].name) }
        multiplyAdds = sum
    }

    private static func count(_ name: String, _ arguments: [Value], _ results: [Value]) -> Int {
        guard case .tensor(let x)? = arguments.first, case .tensor(let y)? = results.first else { return 0 }
        switch name {
        case "linear", "conv1d", "conv2d":
            guard case .tensor(let weight) = arguments[1] else { return 0 }
            return y.count * weight.shape.dropFirst().reduce(1, *)
        case "conv_transpose2d":
            guard case .tensor(let weight) = arguments[1] else { return 0 }
            return x.count * weight.shape.dropFirst().reduce(1, *)
        case "lstm", "gru":
            guard case .tensors(let weights) = arguments[2] else { return 0 }
            return x.shape[0] * x.shape[1] * weights.filter { $0.rank == 2 }.reduce(0) { $0 + $1.count }
        case "scaled_dot_product_attention":
            guard case .tensor(let keys) = arguments[1] else { return 0 }
            return 2 * x.count * keys.shape[2]
        default: return 0
        }
    }
}
