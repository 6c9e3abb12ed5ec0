import Settings
import Torch

/// The convolutional network of the CRONOS paper: two convolutions with pooling, then two linear maps.
public struct CNN: Architecture {
    /// Name on the command line.
    public static let name = "cnn"
    /// One line of help.
    public static let summary = "two convolutions with pooling, then two linear maps"
    /// Where it was published.
    public static let citation = "Feng, Frangella and Pilanci 2024, arXiv:2411.01088"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("channels", \.channels, .count(1), "channels of each convolution"),
        Setting("hidden", \.hidden, .count(1), "units of the hidden linear layer"),
    ]

    /// Channels of each convolution.
    public var channels = 32
    /// Units of the hidden linear layer.
    public var hidden = 16

    /// Creates the paper's network.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        guard image.height >= 4, image.width >= 4 else {
            throw SettingError(Self.name, "needs images of 4 × 4 or more, these are \(image.height) × \(image.width)")
        }
        return ConvolutionalChain(
            image: [image.channels, image.height, image.width], channels: channels, hidden: hidden, outputs: outputs)
    }
}

/// Named as PyTorch's `Sequential` of convolution, ReLU and pooling twice, flattening, linear map, ReLU, linear map.
public struct ConvolutionalChain: FeatureNetwork {
    let image: [Int]
    let channels: Int
    let hidden: Int
    let outputs: Int

    private var featureParts: [any Module] {
        [
            Convolution.twoDimensions(image[0], channels, size: 3, padding: .same), Activation.relu,
            Pooling.average(size: 2), Convolution.twoDimensions(channels, channels, size: 3, padding: .same),
            Activation.relu, Pooling.average(size: 2), Flatten(),
        ]
    }

    private var body: Sequential {
        Sequential(featureParts + [Linear(featureCount, hidden), Activation.relu, Linear(hidden, outputs)])
    }

    /// Declares the parts.
    public func declare(_ declaration: inout Declaration) { body.declare(&declaration) }

    /// Maps images, or rows of their elements, to `n × outputs`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { body(x.reshaped([-1] + image), scope) }

    /// Number of features.
    public var featureCount: Int { channels * (image[1] / 4) * (image[2] / 4) }

    /// Declares the convolutions.
    public func declareFeatures(_ declaration: inout Declaration) { Sequential(featureParts).declare(&declaration) }

    /// The flattened output of the convolutions.
    public func features(_ x: Tensor, _ scope: Scope) -> Tensor {
        Sequential(featureParts)(x.reshaped([-1] + image), scope)
    }
}
