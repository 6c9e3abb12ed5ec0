import Torch

/// Element-wise non-linearities, with PyTorch's names and formulas.
public enum Activation: Module, Equatable {
    case relu
    /// `x` above 0, `slope · x` below.
    case leakyReLU(slope: Double = 0.01)
    /// `x Φ(x)`, or its approximation by tanh (Hendrycks and Gimpel 2016).
    case gelu(approximate: Bool = false)
    /// `x σ(x)`.
    case silu
    case tanh
    case sigmoid
    /// `log(1 + eˣ)`.
    case softplus
    /// `x` above 0, `α (eˣ − 1)` below.
    case elu(alpha: Double = 1)

    /// Maps any shape to itself.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { self(x) }

    /// The activation of every element.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .relu: x.relu()
        case .leakyReLU(let slope): NetworkOp.leakyRelu(.tensor(x), .double(slope))
        case .gelu(let approximate): NetworkOp.gelu(.tensor(x), .string(approximate ? "tanh" : "none"))
        case .silu: NetworkOp.silu(.tensor(x))
        case .tanh: NetworkOp.tanh(.tensor(x))
        case .sigmoid: x.sigmoid()
        case .softplus: NetworkOp.softplus(.tensor(x))
        case .elu(let alpha): NetworkOp.elu(.tensor(x), .double(alpha))
        }
    }
}
