import Foundation
import Torch

/// Self-attention with several heads (Vaswani et al. 2017, section 3.2), as `torch.nn.MultiheadAttention`, computed by
/// LibTorch's fused kernel.
public struct MultiheadAttention: Module {
    /// Length of a vector.
    public var width: Int
    /// Number of heads, a divisor of the width.
    public var heads: Int
    /// Whether a position sees earlier ones only.
    public var isCausal: Bool
    /// Probability of dropping a weight in training.
    public var dropout: Double

    /// Creates a layer.
    public init(_ width: Int, heads: Int, causal: Bool = false, dropout: Double = 0) {
        demand(width % heads == 0, "\(heads) heads do not divide a width of \(width)")
        (self.width, self.heads, isCausal, self.dropout) = (width, heads, causal, dropout)
    }

    /// Declares `in_proj_weight`, `in_proj_bias`, `out_proj.weight` and `out_proj.bias`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("in_proj_weight", [3 * width, width], .xavierUniform)
        declaration.parameter("in_proj_bias", [3 * width], .zeros)
        declaration.part("out_proj", projection)
    }

    private var projection: Linear { Linear(width, width) }

    /// Maps `n × time × width` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let (rows, time) = (x.shape[0], x.shape[1])
        let joined = NetworkOp.linear(
            .tensor(x), .tensor(scope["in_proj_weight"]), .tensor(scope["in_proj_bias"]))
        let split = joined.reshaped(rows, time, 3, heads, width / heads).permuted(2, 0, 3, 1, 4)
        let mixed = NetworkOp.attention(
            .tensor(split.select(0, 0)), .tensor(split.select(0, 1)), .tensor(split.select(0, 2)), .none,
            .double(scope.isTraining ? dropout : 0), .bool(isCausal))
        return projection(mixed.transposed(1, 2).reshaped(rows, time, width), scope.part("out_proj"))
    }
}

/// One block of a transformer that normalises first, as `torch.nn.TransformerEncoderLayer` with `norm_first`.
public struct TransformerLayer: Module {
    /// Length of a vector.
    public var width: Int
    /// Number of heads.
    public var heads: Int
    /// Units of the feed-forward part.
    public var feedForward: Int
    /// Whether a position sees earlier ones only.
    public var isCausal: Bool
    /// Probability of dropping an element in training.
    public var dropout: Double

    /// Creates a block.
    public init(_ width: Int, heads: Int, feedForward: Int, causal: Bool = false, dropout: Double = 0) {
        (self.width, self.heads, self.feedForward) = (width, heads, feedForward)
        (isCausal, self.dropout) = (causal, dropout)
    }

    private var attention: MultiheadAttention {
        MultiheadAttention(width, heads: heads, causal: isCausal, dropout: dropout)
    }

    /// Declares `self_attn`, `linear1`, `linear2`, `norm1` and `norm2`.
    public func declare(_ declaration: inout Declaration) {
        declaration.part("self_attn", attention)
        declaration.part("linear1", Linear(width, feedForward))
        declaration.part("linear2", Linear(feedForward, width))
        declaration.part("norm1", LayerNorm(width))
        declaration.part("norm2", LayerNorm(width))
    }

    /// Maps `n × time × width` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let drop = Dropout(dropout)
        let seen = attention(LayerNorm(width)(x, scope.part("norm1")), scope.part("self_attn"))
        let middle = x + drop(seen, scope)
        let raised = Linear(width, feedForward)(LayerNorm(width)(middle, scope.part("norm2")), scope.part("linear1"))
        let active = drop(Activation.gelu()(raised), scope)
        return middle + drop(Linear(feedForward, width)(active, scope.part("linear2")), scope)
    }
}

/// Sines and cosines of positions (Vaswani et al. 2017, section 3.5), added to the input.
public struct SinusoidalPositions: Module {
    /// Length of a vector.
    public var width: Int

    /// Creates a layer.
    public init(_ width: Int) { self.width = width }

    /// The table, `length × width`, float64.
    public func table(_ length: Int) -> Tensor {
        let values = (0..<length).flatMap { position in
            (0..<width).map { column in
                let angle = Double(position) / pow(10_000, Double(column - column % 2) / Double(width))
                return column % 2 == 0 ? sin(angle) : cos(angle)
            }
        }
        return Tensor(values, shape: [length, width])
    }

    /// Maps `n × time × width` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        x + table(x.shape[1]).to(x.dtype).to(device: x.device)
    }
}
