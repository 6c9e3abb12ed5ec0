import Torch

/// Normalises each channel over the batch (Ioffe and Szegedy 2015), as `torch.nn.BatchNorm1d` and `BatchNorm2d`.
///
/// In training by the batch's mean and variance, which also move the running ones; in evaluation by the running ones.
public struct BatchNorm: Module {
    /// Channels: the second dimension of the input.
    public var channels: Int
    /// Added to the variance.
    public var epsilon: Double
    /// Share of the new batch in the running statistics.
    public var momentum: Double

    /// Creates a layer.
    public init(_ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1) {
        (self.channels, self.epsilon, self.momentum) = (channels, epsilon, momentum)
    }

    /// Declares `weight`, `bias`, `running_mean`, `running_var` and `num_batches_tracked`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", [channels], .ones)
        declaration.parameter("bias", [channels], .zeros)
        declaration.buffer("running_mean", [channels], fill: 0)
        declaration.buffer("running_var", [channels], fill: 1)
        declaration.buffer("num_batches_tracked", [], fill: 0)
    }

    /// Maps `n × channels × …` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        // The engine writes into the running statistics, so it gets copies of its own.
        let mean = scope.isTraining ? scope["running_mean"] + 0 : scope["running_mean"]
        let variance = scope.isTraining ? scope["running_var"] + 0 : scope["running_var"]
        let result = NetworkOp.batchNorm(
            .tensor(x), .tensor(scope["weight"]), .tensor(scope["bias"]), .tensor(mean), .tensor(variance),
            .bool(scope.isTraining), .double(momentum), .double(epsilon), .bool(true))
        if scope.isTraining {
            scope.update("running_mean", mean)
            scope.update("running_var", variance)
            scope.update("num_batches_tracked", scope["num_batches_tracked"] + 1)
        }
        return result
    }
}

/// Normalises over the last dimensions (Ba, Kiros and Hinton 2016), as `torch.nn.LayerNorm`.
public struct LayerNorm: Module {
    /// The last dimensions of the input.
    public var shape: [Int]
    /// Added to the variance.
    public var epsilon: Double

    /// Creates a layer.
    public init(_ shape: Int..., epsilon: Double = 1e-5) { (self.shape, self.epsilon) = (shape, epsilon) }

    /// Declares `weight` and `bias`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", shape, .ones)
        declaration.parameter("bias", shape, .zeros)
    }

    /// Maps `… × shape` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        NetworkOp.layerNorm(
            .tensor(x), .ints(shape), .tensor(scope["weight"]), .tensor(scope["bias"]), .double(epsilon))
    }
}

/// Normalises groups of channels (Wu and He 2018), as `torch.nn.GroupNorm`.
public struct GroupNorm: Module {
    /// Number of groups, a divisor of the channels.
    public var groups: Int
    /// Channels: the second dimension of the input.
    public var channels: Int
    /// Added to the variance.
    public var epsilon: Double

    /// Creates a layer.
    public init(_ groups: Int, _ channels: Int, epsilon: Double = 1e-5) {
        (self.groups, self.channels, self.epsilon) = (groups, channels, epsilon)
    }

    /// Declares `weight` and `bias`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", [channels], .ones)
        declaration.parameter("bias", [channels], .zeros)
    }

    /// Maps `n × channels × …` to the same shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        NetworkOp.groupNorm(
            .tensor(x), .int(groups), .tensor(scope["weight"]), .tensor(scope["bias"]), .double(epsilon))
    }
}
