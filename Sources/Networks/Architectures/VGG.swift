import Settings
import Torch

/// VGG-19 with batch normalisation and one linear map behind, as is usual on CIFAR.
public struct VGG19: Architecture {
    /// Name on the command line.
    public static let name = "vgg19_bn"
    /// One line of help.
    public static let summary = "sixteen convolutions with batch normalisation"
    /// Where it was published.
    public static let citation = "Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, configuration E"
    /// It has none.
    public static let settings: [Setting<Self>] = []

    /// Creates the network.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        guard image.height >= 32, image.width >= 32 else {
            throw SettingError(Self.name, "needs images of 32 × 32 or more: five poolings halve them")
        }
        return VGG(image: [image.channels, image.height, image.width], outputs: outputs)
    }
}

/// torchvision's `features`, then a linear map `classifier` of the flattened maps.
struct VGG: FeatureNetwork {
    let image: [Int]
    let outputs: Int

    /// Channels of the convolutions; nil for a pooling.
    private static let plan: [Int?] = [
        64, 64, nil, 128, 128, nil, 256, 256, 256, 256, nil, 512, 512, 512, 512, nil, 512, 512, 512, 512, nil,
    ]

    private var body: Sequential {
        var channels = image[0]
        let parts = Self.plan.flatMap { width -> [any Module] in
            guard let width else { return [Pooling.max(size: 2)] }
            defer { channels = width }
            return [
                Convolution.twoDimensions(
                    channels, width, size: 3, padding: .zeros(1), initialiser: .kaimingNormalFanOut),
                BatchNorm(width), Activation.relu,
            ]
        }
        return Sequential(parts)
    }

    var featureCount: Int { 512 * (image[1] / 32) * (image[2] / 32) }

    func declareFeatures(_ declaration: inout Declaration) { declaration.part("features", body) }

    func declare(_ declaration: inout Declaration) {
        declareFeatures(&declaration)
        declaration.part("classifier", Linear(featureCount, outputs))
    }

    func features(_ x: Tensor, _ scope: Scope) -> Tensor {
        let maps = body(x.reshaped([-1] + image), scope.part("features"))
        return maps.reshaped(maps.shape[0], -1)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        Linear(featureCount, outputs)(features(x, scope), scope.part("classifier"))
    }
}
