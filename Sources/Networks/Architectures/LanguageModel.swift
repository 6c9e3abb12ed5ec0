import Settings
import Torch

/// A decoder-only transformer that predicts the next token at every position.
public struct LanguageModel: Architecture {
    /// Name on the command line.
    public static let name = "transformer_lm"
    /// One line of help.
    public static let summary = "decoder-only transformer over tokens"
    /// Where it was published.
    public static let citation = "Radford et al. 2019, with the normalisation first"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("width", \.width, .count(1), "length of a vector"),
        Setting("heads", \.heads, .count(1), "heads, a divisor of the width"),
        Setting("layers", \.layers, .counts(1...1000), "blocks"),
        Setting("feed_forward", \.feedForward, .count(1), "units of each feed-forward part"),
        Setting("dropout", \.dropout, .decay, "probability of dropping an element"),
        Setting(
            "predicts", \.predicts, .oneOf(["every", "last"]), "what is predicted from: every position, or the last"),
    ]

    /// Length of a vector.
    public var width = 128
    /// Heads.
    public var heads = 4
    /// Blocks.
    public var layers = 2
    /// Units of each feed-forward part.
    public var feedForward = 512
    /// Probability of dropping an element.
    public var dropout = 0.0
    /// Whether outputs are given at every position or at the last.
    public var predicts = "last"

    /// Creates a small model.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        guard case .tokens(let vocabulary, let length) = input else {
            throw SettingError(Self.name, "takes tokens, but the data are \(input)")
        }
        guard width % heads == 0 else { throw SettingError(Self.name, "heads is \(heads), no divisor of \(width)") }
        return TokenTransformer(settings: self, vocabulary: vocabulary, length: length, outputs: outputs)
    }
}

/// `embedding`, `position`, `layers.0`, …, `norm`, `head`.
struct TokenTransformer: FeatureNetwork {
    let settings: LanguageModel
    let vocabulary: Int
    let length: Int
    let outputs: Int

    var featureCount: Int { settings.width }
    private var layers: Sequential {
        Sequential(
            (0..<settings.layers).map { _ in
                TransformerLayer(
                    settings.width, heads: settings.heads, feedForward: settings.feedForward, causal: true,
                    dropout: settings.dropout)
            })
    }
    private var head: Linear { Linear(settings.width, outputs, bias: false) }
    private var norm: LayerNorm { LayerNorm(settings.width) }
    private var positions: Embedding {
        Embedding(length, settings.width, initialiser: .normal(standardDeviation: 0.02))
    }
    private var words: Embedding {
        Embedding(vocabulary, settings.width, initialiser: .normal(standardDeviation: 0.02))
    }

    func declareFeatures(_ declaration: inout Declaration) {
        declaration.part("embedding", words)
        declaration.part("position", positions)
        declaration.part("layers", layers)
        declaration.part("norm", norm)
    }

    func declare(_ declaration: inout Declaration) {
        declareFeatures(&declaration)
        declaration.part("head", head)
    }

    private func encoded(_ x: Tensor, _ scope: Scope) -> Tensor {
        let tokens = x.to(.int64)
        let places = positions(Tensor.range(x.shape[1], device: x.device), scope.part("position"))
        let start = words(tokens, scope.part("embedding")) + places
        return norm(layers(start, scope.part("layers")), scope.part("norm"))
    }

    func features(_ x: Tensor, _ scope: Scope) -> Tensor { encoded(x, scope).select(1, x.shape[1] - 1) }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let vectors = settings.predicts == "every" ? encoded(x, scope) : features(x, scope)
        return head(vectors, scope.part("head"))
    }
}
