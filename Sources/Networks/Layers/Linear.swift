import Torch

/// `y = x W' + b` on the last dimension, as `torch.nn.Linear`: weight `outputs × inputs`, bias `outputs`.
public struct Linear: Module {
    /// Length of the last dimension of the input.
    public var inputs: Int
    /// Length of the last dimension of the output.
    public var outputs: Int
    /// Whether a bias is added.
    public var hasBias: Bool
    /// First values of the weight.
    public var initialiser: Initialiser

    /// Creates a layer.
    public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, initialiser: Initialiser = .layerDefault) {
        (self.inputs, self.outputs, hasBias, self.initialiser) = (inputs, outputs, bias, initialiser)
    }

    /// Declares `weight` and `bias`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", [outputs, inputs], initialiser)
        if hasBias { declaration.parameter("bias", [outputs], .uniform(1 / Double(inputs).squareRoot())) }
    }

    /// Maps `… × inputs` to `… × outputs`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        NetworkOp.linear(.tensor(x), .tensor(scope["weight"]), hasBias ? .tensor(scope["bias"]) : .none)
    }
}

/// Rows of a table, by index, as `torch.nn.Embedding`: weight `count × width`.
public struct Embedding: Module {
    /// Number of indices.
    public var count: Int
    /// Length of a row.
    public var width: Int
    /// First values.
    public var initialiser: Initialiser

    /// Creates a table.
    public init(_ count: Int, _ width: Int, initialiser: Initialiser = .normal(standardDeviation: 1)) {
        (self.count, self.width, self.initialiser) = (count, width, initialiser)
    }

    /// Declares `weight`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", [count, width], initialiser, isLookup: true)
    }

    /// Maps `int64` indices of any shape to that shape with `width` behind it.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        NetworkOp.embedding(.tensor(scope["weight"]), .tensor(x.to(.int64)))
    }
}

/// Sets elements to zero with probability p in training and scales the others by `1/(1 − p)`, as `torch.nn.Dropout`.
public struct Dropout: Module {
    /// Probability of a zero, in [0, 1).
    public var probability: Double

    /// Creates a layer.
    public init(_ probability: Double) { self.probability = probability }

    /// Draws from the engine's generator, which the trainer seeds for each step.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        guard scope.isTraining, probability > 0 else { return x }
        return NetworkOp.dropout(.tensor(x), .double(probability), .bool(true))
    }
}
