import Settings
import Torch

/// A chain of linear maps with ReLU between them.
public struct MLP: Architecture {
    /// Name on the command line.
    public static let name = "mlp"
    /// One line of help.
    public static let summary = "linear maps with ReLU between them"
    /// Where it was published.
    public static let citation = "the 4-layer network of CRONOS-AM: Feng, Frangella and Pilanci 2024, arXiv:2411.01088"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("hidden", \.hidden, .sizes, "units of each hidden layer"),
        Setting("bias", \.bias, .flag, "add biases"),
    ]

    /// Units of each hidden layer.
    public var hidden = [256, 256, 20]
    /// Whether biases are added.
    public var bias = true

    /// Creates the paper's network.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        LinearChain(sizes: [input.count] + hidden + [outputs], bias: bias)
    }
}

/// The network that the convex solver trains, for other optimizers.
public struct TwoLayer: Architecture {
    /// Name on the command line.
    public static let name = "two_layer"
    /// One line of help.
    public static let summary = "one hidden layer of ReLU units, as descent fit trains"
    /// Where it was published.
    public static let citation = "Pilanci and Ergen, ICML 2020, arXiv:2002.10553"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("hidden", \.hidden, .count(1), "hidden units"), Setting("bias", \.bias, .flag, "add biases"),
    ]

    /// Hidden units.
    public var hidden = 64
    /// Whether biases are added.
    public var bias = true

    /// Creates the default network.
    public init() {}

    /// The network for an input and a number of outputs.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        LinearChain(sizes: [input.count, hidden, outputs], bias: bias)
    }
}

/// Linear maps with ReLU between them, named as PyTorch's `Sequential` of `Linear` and `ReLU`: `0`, `2`, `4`, …
///
/// The features are what enters the last two linear maps.
public struct LinearChain: FeatureNetwork {
    /// Widths, the input first.
    public var sizes: [Int]
    /// Whether biases are added.
    public var bias: Bool

    /// Creates a chain.
    ///
    /// - Precondition: two sizes or more.
    public init(sizes: [Int], bias: Bool = true) {
        demand(sizes.count >= 2, "a chain of sizes \(sizes)")
        (self.sizes, self.bias) = (sizes, bias)
    }

    private var body: Sequential { sequence(sizes.count - 1) }

    /// The first linear maps, with an activation behind each but the network's last.
    private func sequence(_ maps: Int) -> Sequential {
        let parts = (0..<maps).flatMap { k -> [any Module] in
            let map = Linear(sizes[k], sizes[k + 1], bias: bias)
            return k + 2 < sizes.count ? [map, Activation.relu] : [map]
        }
        return Sequential(parts)
    }

    /// Declares the maps.
    public func declare(_ declaration: inout Declaration) { body.declare(&declaration) }

    /// Maps `n × …` to `n × outputs`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { body(x.reshaped(x.shape[0], -1), scope) }

    private var featureMaps: Int { max(0, sizes.count - 3) }

    /// Number of features.
    public var featureCount: Int { sizes[featureMaps] }

    /// Declares the maps before the last two.
    public func declareFeatures(_ declaration: inout Declaration) { sequence(featureMaps).declare(&declaration) }

    /// What enters the last two maps.
    public func features(_ x: Tensor, _ scope: Scope) -> Tensor {
        sequence(featureMaps)(x.reshaped(x.shape[0], -1), scope)
    }
}
