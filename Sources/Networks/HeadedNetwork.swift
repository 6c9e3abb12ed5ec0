import Torch

/// Features of a network with a two-layer head in place of its own last part: `features.…`, `head.0`, `head.2`.
public struct HeadedNetwork: FeatureNetwork {
    /// The network whose features are used.
    public var base: any FeatureNetwork
    /// Hidden units of the head.
    public var units: Int
    /// Outputs.
    public var outputs: Int

    /// Creates a network with a head of so many hidden units.
    public init(base: any FeatureNetwork, units: Int, outputs: Int) {
        (self.base, self.units, self.outputs) = (base, units, outputs)
    }

    private var head: Sequential {
        Sequential(
            Linear(base.featureCount, units), Activation.relu, Linear(units, outputs, bias: false))
    }

    /// Number of features.
    public var featureCount: Int { base.featureCount }

    /// Declares what the features are computed with.
    public func declareFeatures(_ declaration: inout Declaration) {
        declaration.part("features", FeaturePart(base: base))
    }

    /// Declares features and head.
    public func declare(_ declaration: inout Declaration) {
        declareFeatures(&declaration)
        declaration.part("head", head)
    }

    /// The base's features.
    public func features(_ x: Tensor, _ scope: Scope) -> Tensor { base.features(x, scope.part("features")) }

    /// Maps the input to `n × outputs`.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { head(features(x, scope), scope.part("head")) }
}

/// The features of a network as a module.
struct FeaturePart: Module {
    let base: any FeatureNetwork
    func declare(_ declaration: inout Declaration) { base.declareFeatures(&declaration) }
    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { base.features(x, scope) }
}

extension Network {
    /// The features that enter the last part, in evaluation mode, a block of rows at a time.
    public func features(_ x: Tensor, _ extractor: any FeatureNetwork, rowsAtOnce: Int = 1024) -> Tensor {
        let scope = Scope(pass: Pass(parameters, buffers, isTraining: false))
        let blocks = stride(from: 0, to: x.shape[0], by: rowsAtOnce).map { start in
            extractor.features(x.rows(start..<min(x.shape[0], start + rowsAtOnce)), scope)
        }
        return blocks.count == 1 ? blocks[0] : Tensor.concatenate(blocks, dimension: 0)
    }
}
