import Settings
import Torch

/// What a network is given: rows of numbers, images, or tokens.
public enum InputShape: Sendable, Equatable {
    /// `n × count`.
    case features(Int)
    /// `n × channels × height × width`, or the same elements as rows.
    case image(channels: Int, height: Int, width: Int)
    /// `n × length` whole numbers below `vocabulary`.
    case tokens(vocabulary: Int, length: Int)

    /// Elements of one row.
    public var count: Int {
        switch self {
        case .features(let count): count
        case .image(let channels, let height, let width): channels * height * width
        case .tokens(_, let length): length
        }
    }

    /// Whether the input holds tokens.
    public var isTokens: Bool { if case .tokens = self { true } else { false } }
}

/// A kind of network with its sizes, before it knows its input and outputs.
///
/// One file holds one architecture or family; one line in ``ArchitectureCatalogue`` makes it known everywhere.
public protocol Architecture: Configurable {
    /// The network for an input and a number of outputs.
    ///
    /// - Throws: `SettingError` when it cannot take such an input.
    func network(input: InputShape, outputs: Int) throws -> any Module
}

/// A network that ends in a linear map of features, which another head can replace.
///
/// Everything before the last two linear maps of an MLP or a small convolutional network, and before the only one of a
/// deep network, counts as features.
public protocol FeatureNetwork: Module {
    /// Number of features.
    var featureCount: Int { get }
    /// Declares what the features are computed with.
    func declareFeatures(_ declaration: inout Declaration)
    /// The features, `n × featureCount`.
    func features(_ x: Tensor, _ scope: Scope) -> Tensor
}

/// The architectures by name.
public enum ArchitectureCatalogue {
    /// All architectures.
    public static var all: [any Architecture.Type] { catalogue.all.compactMap { $0 as? any Architecture.Type } }

    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any Architecture>(
        "network",
        [
            TwoLayer.self, MLP.self, CNN.self, LeNet.self, VGG19.self, ResNet18.self, ResNet50.self,
            VisionTransformer.self,
            LanguageModel.self, MaskedImageModel.self, SpeechSynthesis.self,
        ])

    /// Creates an architecture with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` with the nearest names, or with the range that a value is outside of.
    public static func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> any Architecture {
        try catalogue.make(name, settings: settings)
    }
}

extension InputShape {
    /// Channels, height and width of images.
    ///
    /// - Throws: `SettingError` for other inputs.
    func requireImage(_ name: String) throws -> (channels: Int, height: Int, width: Int) {
        guard case .image(let channels, let height, let width) = self else {
            throw SettingError(name, "takes images, but the data are \(self): choose 'mlp' or 'two_layer'")
        }
        return (channels, height, width)
    }
}
