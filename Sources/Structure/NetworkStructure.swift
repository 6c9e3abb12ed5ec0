import Interchange
import Networks
import Proximal
import Torch

/// What structure the weights of one parameter have.
public struct LayerStructure: Sendable, Codable, Equatable {
    /// Name of the parameter.
    public var name: String
    /// Its shape.
    public var shape: [Int]
    /// The groups that were counted.
    public var grouping: Grouping?
    /// Number of groups.
    public var groups = 0
    /// Number of groups whose elements are all exactly zero.
    public var zeroGroups = 0
    /// Numerical rank of a matrix whose rank was penalised.
    public var rank: Int?
    /// The most that could be.
    public var fullRank: Int?
    /// Elements that are exactly zero.
    public var zeros = 0

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Share of the groups that are zero.
    public var groupSparsity: Double { Double(zeroGroups) / Double(max(1, groups)) }
}

/// The structure of a network's penalised parameters.
public struct NetworkStructure: Sendable, Codable, Equatable {
    /// The penalised parameters.
    public var layers: [LayerStructure]
    /// Which groups are not zero and which ranks there are, as a hash: equal where the structure is.
    public var fingerprint: String
    /// Elements of all parameters that are exactly zero, as a share.
    public var zeroShare: Double

    /// Share of the penalised weights that lie in zero groups.
    public var weightedGroupSparsity: Double? {
        share(\.zeroGroups, { Double($0.zeroGroups) * Double($0.count) / Double(max(1, $0.groups)) }) {
            $0.groups > 0 ? Double($0.count) : 0
        }
    }

    /// Share of the groups that are zero.
    public var groupSparsity: Double? {
        share(\.zeroGroups, { Double($0.zeroGroups) }) { Double($0.groups) }
    }

    /// One less the share of singular values that are not zero.
    public var lowRankLevel: Double? {
        let ranked = layers.filter { $0.rank != nil }
        guard !ranked.isEmpty else { return nil }
        let (rank, full) = ranked.reduce((0, 0)) { ($0.0 + ($1.rank ?? 0), $0.1 + ($1.fullRank ?? 0)) }
        return 1 - Double(rank) / Double(max(1, full))
    }

    private func share(
        _: KeyPath<LayerStructure, Int>, _ part: (LayerStructure) -> Double, _ whole: (LayerStructure) -> Double
    ) -> Double? {
        let all = layers.reduce(0) { $0 + whole($1) }
        return all > 0 ? layers.reduce(0) { $0 + part($1) } / all : nil
    }

    /// Measures parameters.
    ///
    /// - Parameters:
    ///   - parameters: all of a network.
    ///   - penalties: the penalty of each parameter, nil for none.
    public init(_ parameters: NamedTensors, penalties: [(any Penalty)?]) {
        var hash = FNV1a()
        layers = zip(parameters.pairs, penalties).compactMap { pair, penalty in
            guard let penalty else { return nil }
            var layer = LayerStructure(name: pair.name, shape: pair.tensor.shape)
            layer.zeros = Self.zeros(pair.tensor)
            if let groups = penalty as? any GroupPenalty {
                let active = groups.grouping.isActive(pair.tensor)
                layer.grouping = groups.grouping
                (layer.groups, layer.zeroGroups) = (active.count, active.count { !$0 })
                for (index, isActive) in active.enumerated() where isActive { hash.add(UInt64(index)) }
            }
            if penalty is NuclearNormPenalty {
                layer.rank = Self.rank(pair.tensor)
                layer.fullRank = min(pair.tensor.shape[0], pair.tensor.shape[1])
                hash.add(UInt64(layer.rank ?? 0))
            }
            if layer.groups == 0, layer.rank == nil { hash.add(UInt64(layer.zeros)) }
            hash.add(0xFFFF)
            return layer
        }
        fingerprint = String(hash.value, radix: 16)
        let all = parameters.values.reduce(0) { $0 + Self.zeros($1) }
        zeroShare = Double(all) / Double(max(1, parameters.elementCount))
    }

    private static func zeros(_ w: Tensor) -> Int { w.count - Int(w.absolute().isAbove(0).to(.float64).sumInDouble()) }

    /// Singular values above what rounding makes of zeros.
    public static func rank(_ w: Tensor) -> Int {
        guard let (_, s, _) = try? w.to(.float64).svd(), let largest = s.doubles().first, largest > 0 else { return 0 }
        let bound = largest * (w.dtype == .float64 ? 1e-12 : 3e-6) * Double(max(w.shape[0], w.shape[1])).squareRoot()
        return s.doubles().count { $0 > bound }
    }
}
