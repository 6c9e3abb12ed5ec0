import Torch

/// Zeros around the input of a convolution.
public enum Padding: Sendable, Equatable {
    /// So many on each side.
    case zeros(Int)
    /// As many as keep the size, for stride 1.
    case same
}

/// Cross-correlation over one or two positions, as `torch.nn.Conv1d` and `Conv2d`.
///
/// The weight is `outputs × inputs/groups × size` or `× size × size`, the bias `outputs`.
public struct Convolution: Module {
    /// Channels of the input.
    public var inputs: Int
    /// Channels of the output.
    public var outputs: Int
    /// Positions covered along each dimension.
    public var size: Int
    /// Positions moved between outputs.
    public var stride: Int
    /// Zeros around the input.
    public var padding: Padding
    /// Distance between covered positions.
    public var dilation: Int
    /// Groups of channels that do not see each other.
    public var groups: Int
    /// Whether a bias is added.
    public var hasBias: Bool
    /// First values of the weight.
    public var initialiser: Initialiser
    private let dimensions: Int

    private init(_ dimensions: Int, _ inputs: Int, _ outputs: Int, _ size: Int, _ options: Options) {
        self.dimensions = dimensions
        (self.inputs, self.outputs, self.size) = (inputs, outputs, size)
        (stride, padding, dilation, groups) = (options.stride, options.padding, options.dilation, options.groups)
        (hasBias, initialiser) = (options.bias, options.initialiser)
    }

    private typealias Options = (
        stride: Int, padding: Padding, dilation: Int, groups: Int, bias: Bool, initialiser: Initialiser
    )

    /// A convolution over `n × inputs × length`.
    public static func oneDimension(
        _ inputs: Int, _ outputs: Int, size: Int, stride: Int = 1, padding: Padding = .zeros(0), dilation: Int = 1,
        groups: Int = 1, bias: Bool = true, initialiser: Initialiser = .layerDefault
    ) -> Convolution {
        Convolution(1, inputs, outputs, size, (stride, padding, dilation, groups, bias, initialiser))
    }

    /// A convolution over `n × inputs × height × width`.
    public static func twoDimensions(
        _ inputs: Int, _ outputs: Int, size: Int, stride: Int = 1, padding: Padding = .zeros(0), dilation: Int = 1,
        groups: Int = 1, bias: Bool = true, initialiser: Initialiser = .layerDefault
    ) -> Convolution {
        Convolution(2, inputs, outputs, size, (stride, padding, dilation, groups, bias, initialiser))
    }

    /// Declares `weight` and `bias`.
    public func declare(_ declaration: inout Declaration) {
        let kernel = [Int](repeating: size, count: dimensions)
        declaration.parameter("weight", [outputs, inputs / groups] + kernel, initialiser)
        let fanIn = Double(inputs / groups * kernel.reduce(1, *))
        if hasBias { declaration.parameter("bias", [outputs], .uniform(1 / fanIn.squareRoot())) }
    }

    /// Maps `n × inputs × …` to `n × outputs × …`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        func each(_ number: Int) -> Value { .ints([Int](repeating: number, count: dimensions)) }
        let weight = Value.tensor(scope["weight"])
        let bias = hasBias ? Value.tensor(scope["bias"]) : .none
        switch padding {
        case .zeros(let count):
            let convolve = dimensions == 1 ? NetworkOp.conv1d : NetworkOp.conv2d
            return convolve(
                .tensor(x), weight, bias, each(stride), each(count), each(dilation), .int(groups))
        case .same:
            let convolve = dimensions == 1 ? NetworkOp.conv1dSame : NetworkOp.conv2dSame
            return convolve(
                .tensor(x), weight, bias, each(stride), .string("same"), each(dilation), .int(groups))
        }
    }
}

/// The transpose of a two-dimensional convolution, as `torch.nn.ConvTranspose2d`: weight `inputs × outputs × k × k`.
public struct ConvTranspose2d: Module {
    /// Channels of the input.
    public var inputs: Int
    /// Channels of the output.
    public var outputs: Int
    /// Positions covered along each dimension.
    public var size: Int
    /// Positions between inputs in the output.
    public var stride: Int
    /// Positions cut from each side of the output.
    public var padding: Int
    /// Positions added at the far side of the output.
    public var outputPadding: Int
    /// Whether a bias is added.
    public var hasBias: Bool

    /// Creates a layer.
    public init(
        _ inputs: Int, _ outputs: Int, size: Int, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
        bias: Bool = true
    ) {
        (self.inputs, self.outputs, self.size, self.stride) = (inputs, outputs, size, stride)
        (self.padding, self.outputPadding, hasBias) = (padding, outputPadding, bias)
    }

    /// Declares `weight` and `bias`.
    public func declare(_ declaration: inout Declaration) {
        declaration.parameter("weight", [inputs, outputs, size, size], .layerDefault)
        let fanIn = Double(outputs * size * size)
        if hasBias { declaration.parameter("bias", [outputs], .uniform(1 / fanIn.squareRoot())) }
    }

    /// Maps `n × inputs × h × w` to `n × outputs × h' × w'` with `h' = (h − 1) stride − 2 padding + size + outputPadding`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        NetworkOp.convTranspose2d(
            .tensor(x), .tensor(scope["weight"]), hasBias ? .tensor(scope["bias"]) : .none, .ints([stride, stride]),
            .ints([padding, padding]), .ints([outputPadding, outputPadding]))
    }
}
