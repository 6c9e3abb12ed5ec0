import Torch

/// Largest or mean element of each window, as `torch.nn.MaxPool2d`, `AvgPool2d` and `AdaptiveAvgPool2d`.
public enum Pooling: Module {
    /// The largest element; the stride is the size unless given.
    case max(size: Int, stride: Int? = nil, padding: Int = 0)
    /// The mean, zeros of the padding included.
    case average(size: Int, stride: Int? = nil, padding: Int = 0)
    /// Means of as many windows as the output has positions.
    case adaptiveAverage(height: Int, width: Int)

    /// Maps `n × channels × h × w` to fewer positions.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        func both(_ number: Int) -> Value { .ints([number, number]) }
        switch self {
        case .max(let size, let stride, let padding):
            return NetworkOp.maxPool2d(.tensor(x), both(size), both(stride ?? size), both(padding))
        case .average(let size, let stride, let padding):
            return NetworkOp.avgPool2d(.tensor(x), both(size), both(stride ?? size), both(padding))
        case .adaptiveAverage(let height, let width):
            return NetworkOp.adaptiveAvgPool2d(.tensor(x), .ints([height, width]))
        }
    }
}

/// Joins all dimensions but the first, as `torch.nn.Flatten`.
public struct Flatten: Module {
    /// Creates a layer.
    public init() {}
    /// Maps `n × …` to `n × product`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { x.reshaped(x.shape[0], -1) }
}

/// Gives rows the shape of images or sequences, as `torch.nn.Unflatten`.
public struct Unflatten: Module {
    /// Shape of one row.
    public var shape: [Int]
    /// Creates a layer.
    public init(_ shape: [Int]) { self.shape = shape }
    /// Maps `n × …` to `n × shape`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { x.reshaped([x.shape[0]] + shape) }
}
