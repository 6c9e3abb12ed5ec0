import Settings
import Torch

/// First layers of a residual network.
public enum Stem: String, Sendable, CaseIterable, SettingConvertible {
    /// A 7 × 7 convolution with stride 2 and a pooling, for large images.
    case imagenet
    /// A 3 × 3 convolution, for images of 32 × 32.
    case cifar

    static let range = Hyperparameter.Range.oneOf(allCases.map(\.rawValue))
    static let summary = "first layers: for large images, or for those of 32 × 32"
}

/// ResNet-18.
public struct ResNet18: Architecture {
    /// Name on the command line.
    public static let name = "resnet18"
    /// One line of help.
    public static let summary = "residual network of 18 layers"
    /// Where it was published.
    public static let citation = "He, Zhang, Ren and Sun, CVPR 2016, arXiv:1512.03385, table 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("stem", \.stem, Stem.range, Stem.summary)]

    /// First layers.
    public var stem = Stem.cifar

    /// Creates the network for small images.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        return ResNet(
            image: [image.channels, image.height, image.width], outputs: outputs, stem: stem, blocks: [2, 2, 2, 2],
            isBottleneck: false)
    }
}

/// ResNet-50.
public struct ResNet50: Architecture {
    /// Name on the command line.
    public static let name = "resnet50"
    /// One line of help.
    public static let summary = "residual network of 50 layers with bottlenecks"
    /// Where it was published.
    public static let citation = "He, Zhang, Ren and Sun, CVPR 2016, arXiv:1512.03385, table 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("stem", \.stem, Stem.range, Stem.summary)]

    /// First layers.
    public var stem = Stem.imagenet

    /// Creates the network for large images.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        return ResNet(
            image: [image.channels, image.height, image.width], outputs: outputs, stem: stem, blocks: [3, 4, 6, 3],
            isBottleneck: true)
    }
}

/// torchvision's residual network: `conv1`, `bn1`, `layer1` to `layer4`, `fc`.
struct ResNet: FeatureNetwork {
    let image: [Int]
    let outputs: Int
    let stem: Stem
    let blocks: [Int]
    let isBottleneck: Bool

    private var expansion: Int { isBottleneck ? 4 : 1 }

    var featureCount: Int { 512 * expansion }

    private var first: Convolution {
        stem == .imagenet
            ? .twoDimensions(
                image[0], 64, size: 7, stride: 2, padding: .zeros(3), bias: false, initialiser: .kaimingNormalFanOut)
            : .twoDimensions(image[0], 64, size: 3, padding: .zeros(1), bias: false, initialiser: .kaimingNormalFanOut)
    }

    private func layer(_ index: Int) -> Sequential {
        let width = 64 << index
        let entering = index == 0 ? 64 : 32 << index
        return Sequential(
            (0..<blocks[index]).map { k in
                ResNetBlock(
                    inputs: k == 0 ? (index == 0 ? 64 : entering * expansion) : width * expansion, width: width,
                    stride: k == 0 && index > 0 ? 2 : 1, isBottleneck: isBottleneck)
            })
    }

    func declareFeatures(_ declaration: inout Declaration) {
        declaration.part("conv1", first)
        declaration.part("bn1", BatchNorm(64))
        for index in 0..<4 { declaration.part("layer\(index + 1)", layer(index)) }
    }

    func declare(_ declaration: inout Declaration) {
        declareFeatures(&declaration)
        declaration.part("fc", Linear(featureCount, outputs))
    }

    func features(_ x: Tensor, _ scope: Scope) -> Tensor {
        var maps = BatchNorm(64)(first(x.reshaped([-1] + image), scope.part("conv1")), scope.part("bn1")).relu()
        if stem == .imagenet { maps = Pooling.max(size: 3, stride: 2, padding: 1)(maps, scope) }
        for index in 0..<4 { maps = layer(index)(maps, scope.part("layer\(index + 1)")) }
        return maps.mean(2, 3)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        Linear(featureCount, outputs)(features(x, scope), scope.part("fc"))
    }
}

/// torchvision's `BasicBlock` and `Bottleneck`: `conv1`, `bn1`, …, and `downsample` where the shape changes.
struct ResNetBlock: Module {
    let inputs: Int
    let width: Int
    let stride: Int
    let isBottleneck: Bool

    private var outputs: Int { isBottleneck ? 4 * width : width }

    private func convolution(_ inputs: Int, _ outputs: Int, size: Int, stride: Int = 1) -> Convolution {
        .twoDimensions(
            inputs, outputs, size: size, stride: stride, padding: .zeros(size / 2), bias: false,
            initialiser: .kaimingNormalFanOut)
    }

    private var convolutions: [Convolution] {
        isBottleneck
            ? [
                convolution(inputs, width, size: 1), convolution(width, width, size: 3, stride: stride),
                convolution(width, outputs, size: 1),
            ]
            : [convolution(inputs, width, size: 3, stride: stride), convolution(width, width, size: 3)]
    }

    private var shortcut: Sequential? {
        guard stride != 1 || inputs != outputs else { return nil }
        return Sequential(convolution(inputs, outputs, size: 1, stride: stride), BatchNorm(outputs))
    }

    func declare(_ declaration: inout Declaration) {
        for (k, convolution) in convolutions.enumerated() {
            declaration.part("conv\(k + 1)", convolution)
            declaration.part("bn\(k + 1)", BatchNorm(convolution.outputs))
        }
        if let shortcut { declaration.part("downsample", shortcut) }
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        var y = x
        for (k, convolution) in convolutions.enumerated() {
            y = BatchNorm(convolution.outputs)(convolution(y, scope.part("conv\(k + 1)")), scope.part("bn\(k + 1)"))
            if k + 1 < convolutions.count { y = y.relu() }
        }
        return (y + (shortcut.map { $0(x, scope.part("downsample")) } ?? x)).relu()
    }
}
