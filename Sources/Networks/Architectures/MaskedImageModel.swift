import Settings
import Torch

/// A network that learns from its inputs alone: its outputs, `n × 2d`, are predictions and, behind them, what they
/// predict; zeros in both count as known.
public protocol SelfSupervisedArchitecture: Architecture {
    /// d.
    func predictions(input: InputShape) throws -> Int
    /// Whether inputs are shifted and scaled; not where they hold words.
    static var standardises: Bool { get }
}

/// Masked image modelling: a transformer sees some patches of an image and paints the others.
public struct MaskedImageModel: SelfSupervisedArchitecture {
    /// Name on the command line.
    public static let name = "masked_vit"
    /// One line of help.
    public static let summary = "transformer that paints hidden patches of images; needs no labels"
    /// Where it was published.
    public static let citation = "Xie et al., SimMIM, CVPR 2022, arXiv:2111.09886, with squared errors"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("patch", \.patch, .count(1), "side of a patch, a divisor of the image's sides"),
        Setting("hidden_share", \.hiddenShare, .decay, "share of the patches that are hidden"),
        Setting("width", \.width, .count(1), "length of a vector"),
        Setting("heads", \.heads, .count(1), "heads, a divisor of the width"),
        Setting("layers", \.layers, .counts(1...1000), "blocks"),
        Setting("feed_forward", \.feedForward, .count(1), "units of each feed-forward part"),
    ]
    /// Pixels are.
    public static let standardises = true

    /// Side of a patch.
    public var patch = 4
    /// Share of the patches that are hidden.
    public var hiddenShare = 0.6
    /// Length of a vector.
    public var width = 64
    /// Heads.
    public var heads = 4
    /// Blocks.
    public var layers = 4
    /// Units of each feed-forward part.
    public var feedForward = 256

    /// Creates a small model.
    public init() {}

    /// One for each pixel.
    public func predictions(input: InputShape) throws -> Int {
        _ = try input.requireImage(Self.name)
        return input.count
    }

    /// The network for an input.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        let image = try input.requireImage(Self.name)
        guard image.height % patch == 0, image.width % patch == 0 else {
            throw SettingError(Self.name, "patch is \(patch), no divisor of \(image.height) × \(image.width)")
        }
        guard width % heads == 0 else { throw SettingError(Self.name, "heads is \(heads), no divisor of \(width)") }
        return PaintingTransformer(settings: self, image: [image.channels, image.height, image.width])
    }
}

/// `project`, `mask_token`, `position`, `layers.0`, …, `norm`, `paint`.
struct PaintingTransformer: Module {
    let settings: MaskedImageModel
    let image: [Int]

    private var rows: Int { image[1] / settings.patch }
    private var columns: Int { image[2] / settings.patch }
    private var pixels: Int { image[0] * settings.patch * settings.patch }
    private var project: Linear { Linear(pixels, settings.width) }
    private var paint: Linear { Linear(settings.width, pixels) }
    private var layers: Sequential {
        Sequential(
            (0..<settings.layers).map { _ in
                TransformerLayer(settings.width, heads: settings.heads, feedForward: settings.feedForward)
            })
    }

    func declare(_ declaration: inout Declaration) {
        declaration.part("project", project)
        declaration.parameter("mask_token", [1, 1, settings.width], .normal(standardDeviation: 0.02), isLookup: true)
        declaration.parameter(
            "position", [1, rows * columns, settings.width], .normal(standardDeviation: 0.02), isLookup: true)
        declaration.part("layers", layers)
        declaration.part("norm", LayerNorm(settings.width))
        declaration.part("paint", paint)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let count = x.shape[0]
        let patches = x.reshaped(count, image[0], rows, settings.patch, columns, settings.patch)
            .permuted(0, 2, 4, 1, 3, 5).reshaped(count, rows * columns, pixels)
        let isHidden = hidden(x, scope)
        let seen = project(patches, scope.part("project")) * (isHidden * -1 + 1)
        let start = seen + scope["mask_token"] * isHidden + scope["position"]
        let encoded = LayerNorm(settings.width)(layers(start, scope.part("layers")), scope.part("norm"))
        let painted = paint(encoded, scope.part("paint")) * isHidden
        return Tensor.concatenate(
            [painted.reshaped(count, -1), (patches * isHidden).reshaped(count, -1)], dimension: 1)
    }

    /// 1 for patches that are hidden, `n × patches × 1`: drawn in training, always the same otherwise.
    private func hidden(_ x: Tensor, _ scope: Scope) -> Tensor {
        let count = rows * columns
        guard scope.isTraining else {
            var random = SplitMix64(seed: 0x51)
            let order = random.shuffled(Array(0..<count)).prefix(Int(settings.hiddenShare * Double(count)))
            var mask = [Double](repeating: 0, count: count)
            for index in order { mask[index] = 1 }
            return Tensor(mask, shape: [1, count, 1]).to(x.dtype).to(device: x.device)
        }
        // The engine's generator draws, which the trainer seeds for each step; what it drops is hidden.
        let ones = Tensor.zeros(like: x, shape: [x.shape[0], count, 1]) + 1
        let kept = Dropout(settings.hiddenShare)(ones, scope)
        return kept.isAbove(0).to(x.dtype) * -1 + 1
    }
}
