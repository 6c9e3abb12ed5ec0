import Proximal
import Torch

/// A share of the weights that is to lie in zero groups; the penalty's strength follows from it, step by step.
///
/// Of each step's subproblem it is known from which strength on a group vanishes; a quantile of these numbers zeroes as
/// many groups as are wanted.
public struct SparsityTarget: Sendable, Codable, Equatable {
    /// The share at the end, in [0, 1).
    public var share: Double
    /// Whether every tensor is to reach the share by itself.
    public var perLayer = false
    /// Part of the run in which the share rises to its end, in (0, 1].
    public var rise = 0.5

    /// Creates a target.
    public init(_ share: Double, perLayer: Bool = false) { (self.share, self.perLayer) = (share, perLayer) }

    /// The target at a point of a run: it rises as `1 − (1 − x)³` (Zhu and Gupta 2017, arXiv:1710.01878, equation 1).
    ///
    /// - Parameter progress: part of the run that is over, in [0, 1].
    public func now(at progress: Double) -> Now {
        let rest = max(0, 1 - progress / rise)
        return Now(share: share * (1 - rest * rest * rest), perLayer: perLayer)
    }

    /// A target at one step.
    public struct Now: Sendable, Equatable {
        /// The share.
        public var share: Double
        /// Whether every tensor is to reach it by itself.
        public var perLayer: Bool

        /// The strength for each tensor.
        func strengths(
            _ groups: [Regularisation.Groups], count: Int, coupling: [[Regularisation.Member]]
        ) -> [Double] {
            var strengths = [Double](repeating: 0, count: count)
            for part in perLayer ? groups.map({ [$0] }) : [groups] {
                let strength = Self.quantile(part, share)
                for one in part { strengths[one.index] = strength }
            }
            for set in coupling { for member in set { strengths[member.index] = strengths[set[0].index] } }
            return strengths
        }

        /// The least strength that zeroes groups with the wanted share of all weights.
        private static func quantile(_ groups: [Regularisation.Groups], _ share: Double) -> Double {
            let all = groups.flatMap { one in one.values.doubles().map { (strength: $0, size: Double(one.size)) } }
            let wanted = share * all.reduce(0) { $0 + $1.size }
            var (sum, strength) = (0.0, 0.0)
            for group in all.sorted(by: { $0.strength < $1.strength }) {
                // Rounding must not zero a group that nobody asked for.
                guard sum + group.size <= wanted * (1 + 1e-12) else { break }
                sum += group.size
                strength = group.strength
            }
            // Squares that round up would leave the last group in.
            return strength * (1 + 1e-6)
        }
    }
}
