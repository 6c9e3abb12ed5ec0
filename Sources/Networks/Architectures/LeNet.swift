import Settings
import Torch

/// LeNet-5 with the widths that Caffe gave it: two convolutions of 5 × 5 with max pooling, then two linear maps.
public struct LeNet: Architecture {
    /// Name on the command line.
    public static let name = "lenet"
    /// One line of help.
    public static let summary = "two convolutions of 5 × 5 with max pooling, then two linear maps"
    /// Where it was published.
    public static let citation = "LeCun et al., Proc. IEEE 1998; the ConvNet of RAMDA's example, arXiv:2403.14398"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("channels", \.channels, .sizes, "channels of the two convolutions"),
        Setting("hidden", \.hidden, .count(1), "units of the hidden linear layer"),
    ]

    /// Channels of the two convolutions.
    public var channels = [20, 50]
    /// Units of the hidden linear layer.
    public var hidden = 500

    /// Creates the usual network.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        guard image.height >= 16, image.width >= 16 else {
            throw SettingError(
                Self.name, "needs images of 16 × 16 or more, these are \(image.height) × \(image.width)")
        }
        guard channels.count == 2 else { throw SettingError(Self.name, "channels are \(channels): give two numbers") }
        return LeNetChain(
            image: [image.channels, image.height, image.width], channels: channels, hidden: hidden, outputs: outputs)
    }
}

/// Named as PyTorch's `Sequential` of convolution, ReLU and pooling twice, flattening, linear map, ReLU, linear map.
struct LeNetChain: FeatureNetwork {
    let image: [Int]
    let channels: [Int]
    let hidden: Int
    let outputs: Int

    private var featureParts: [any Module] {
        [
            Convolution.twoDimensions(image[0], channels[0], size: 5), Activation.relu, Pooling.max(size: 2),
            Convolution.twoDimensions(channels[0], channels[1], size: 5), Activation.relu, Pooling.max(size: 2),
            Flatten(),
        ]
    }

    private var body: Sequential {
        Sequential(featureParts + [Linear(featureCount, hidden), Activation.relu, Linear(hidden, outputs)])
    }

    var featureCount: Int { channels[1] * (((image[1] - 4) / 2 - 4) / 2) * (((image[2] - 4) / 2 - 4) / 2) }

    func declareFeatures(_ declaration: inout Declaration) { Sequential(featureParts).declare(&declaration) }

    func declare(_ declaration: inout Declaration) { body.declare(&declaration) }

    func features(_ x: Tensor, _ scope: Scope) -> Tensor { Sequential(featureParts)(x.reshaped([-1] + image), scope) }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { body(x.reshaped([-1] + image), scope) }
}
