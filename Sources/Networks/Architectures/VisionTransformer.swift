import Settings
import Torch

/// A transformer over patches of an image.
public struct VisionTransformer: Architecture {
    /// Name on the command line.
    public static let name = "vit"
    /// One line of help.
    public static let summary = "transformer over patches of an image"
    /// Where it was published.
    public static let citation = "Dosovitskiy et al., ICLR 2021, arXiv:2010.11929"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("patch", \.patch, .count(1), "side of a patch, a divisor of the image's sides"),
        Setting("width", \.width, .count(1), "length of a vector"),
        Setting("heads", \.heads, .count(1), "heads, a divisor of the width"),
        Setting("layers", \.layers, .counts(1...1000), "blocks"),
        Setting("feed_forward", \.feedForward, .count(1), "units of each feed-forward part"),
        Setting("dropout", \.dropout, .decay, "probability of dropping an element"),
    ]

    /// Side of a patch.
    public var patch = 4
    /// Length of a vector.
    public var width = 64
    /// Heads.
    public var heads = 4
    /// Blocks.
    public var layers = 4
    /// Units of each feed-forward part.
    public var feedForward = 128
    /// Probability of dropping an element.
    public var dropout = 0.0

    /// Creates a small transformer.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        guard image.height % patch == 0, image.width % patch == 0 else {
            throw SettingError(Self.name, "patch is \(patch), no divisor of \(image.height) × \(image.width)")
        }
        guard width % heads == 0 else { throw SettingError(Self.name, "heads is \(heads), no divisor of \(width)") }
        return PatchTransformer(
            settings: self, image: [image.channels, image.height, image.width], outputs: outputs)
    }
}

/// torchvision's vision transformer: `conv_proj`, `class_token`, `encoder`, `heads.head`.
struct PatchTransformer: FeatureNetwork {
    let settings: VisionTransformer
    let image: [Int]
    let outputs: Int

    private var width: Int { settings.width }
    private var patches: Int { (image[1] / settings.patch) * (image[2] / settings.patch) }
    var featureCount: Int { width }

    private var projection: Convolution {
        .twoDimensions(image[0], width, size: settings.patch, stride: settings.patch, initialiser: .lecunNormal)
    }

    private var block: EncoderBlock { EncoderBlock(settings: settings) }

    func declareFeatures(_ declaration: inout Declaration) {
        declaration.parameter("class_token", [1, 1, width], .zeros, isLookup: true)
        declaration.part("conv_proj", projection)
        declaration.part("encoder", Encoder(self))
    }

    func declare(_ declaration: inout Declaration) {
        declareFeatures(&declaration)
        declaration.part("heads", head)
    }

    private var head: Sequential { Sequential(named: [("head", Linear(width, outputs, initialiser: .zeros))]) }

    func features(_ x: Tensor, _ scope: Scope) -> Tensor {
        let maps = projection(x.reshaped([-1] + image), scope.part("conv_proj"))
        let vectors = maps.reshaped(maps.shape[0], width, patches).transposed(1, 2)
        let token = scope["class_token"].expanded(maps.shape[0], 1, width)
        let encoded = Encoder(self)(Tensor.concatenate([token, vectors], dimension: 1), scope.part("encoder"))
        return encoded.select(1, 0)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { head(features(x, scope), scope.part("heads")) }

    /// `pos_embedding`, `layers.encoder_layer_0`, …, `ln`.
    private struct Encoder: Module {
        let owner: PatchTransformer
        init(_ owner: PatchTransformer) { self.owner = owner }

        private var layers: Sequential {
            Sequential(named: (0..<owner.settings.layers).map { ("encoder_layer_\($0)", owner.block) })
        }

        func declare(_ declaration: inout Declaration) {
            declaration.parameter(
                "pos_embedding", [1, owner.patches + 1, owner.width], .normal(standardDeviation: 0.02), isLookup: true)
            declaration.part("layers", layers)
            declaration.part("ln", LayerNorm(owner.width, epsilon: 1e-6))
        }

        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            let placed = Dropout(owner.settings.dropout)(x + scope["pos_embedding"], scope)
            return LayerNorm(owner.width, epsilon: 1e-6)(layers(placed, scope.part("layers")), scope.part("ln"))
        }
    }

    /// `ln_1`, `self_attention`, `ln_2`, `mlp.0`, `mlp.3`.
    private struct EncoderBlock: Module {
        let settings: VisionTransformer
        private var norm: LayerNorm { LayerNorm(settings.width, epsilon: 1e-6) }
        private var attention: MultiheadAttention { MultiheadAttention(settings.width, heads: settings.heads) }

        private var raise: Sequential {
            Sequential(
                Linear(settings.width, settings.feedForward, initialiser: .xavierUniform), Activation.gelu(),
                Dropout(settings.dropout),
                Linear(settings.feedForward, settings.width, initialiser: .xavierUniform), Dropout(settings.dropout))
        }

        func declare(_ declaration: inout Declaration) {
            declaration.part("ln_1", norm)
            declaration.part("self_attention", attention)
            declaration.part("ln_2", norm)
            declaration.part("mlp", raise)
        }

        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            let seen = attention(norm(x, scope.part("ln_1")), scope.part("self_attention"))
            let middle = x + Dropout(settings.dropout)(seen, scope)
            return middle + raise(norm(middle, scope.part("ln_2")), scope.part("mlp"))
        }
    }
}
