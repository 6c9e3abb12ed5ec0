import Settings
import Torch

/// A regulariser `λ ψ(w)` of one tensor, with its proximal operator.
///
/// One file holds one penalty or a family; one line in ``PenaltyCatalogue`` makes it known. What a penalty can do beyond
/// that is a protocol of its own, which solvers ask for.
public protocol Penalty: Configurable {
    /// `λ ψ(w)`; infinite outside of a constraint.
    func value(_ w: Tensor) -> Double
    /// `argmin_v ½‖v − w‖² + step · λ ψ(v)`
    ///
    /// - Parameter step: > 0.
    func prox(_ w: Tensor, step: Double) -> Tensor
    /// Whether parameters of a shape have this penalty unless somebody says otherwise: matrices and convolutions.
    func applies(to shape: [Int]) -> Bool
    /// What is wrong with this penalty for a shape; nil where it fits.
    func fault(for shape: [Int]) -> String?
}

extension Penalty {
    /// Matrices and convolutions.
    public func applies(to shape: [Int]) -> Bool { shape.count >= 2 }
    /// Every shape fits.
    public func fault(for shape: [Int]) -> String? { nil }
}

/// A penalty with a strength λ to tune.
public protocol ScaledPenalty: Penalty {
    /// λ ≥ 0.
    var strength: Double { get set }
}

/// A penalty whose prox in a diagonal metric is computed exactly.
public protocol DiagonalPenalty: Penalty {
    /// `argmin_v ½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + step · λ ψ(v)`; with `z = D ∘ w` this is the prox of `w` in the metric D.
    ///
    /// - Parameters:
    ///   - metric: D > 0, of the shape of `z`.
    ///   - step: > 0.
    func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor
}

/// A penalty whose subdifferential is known, for optimality checks.
public protocol SubdifferentiablePenalty: Penalty {
    /// `min ‖g + s‖` over `s ∈ λ ∂ψ(w)`: zero where `w` is optimal for a smooth part with gradient `g`.
    func distanceToSubdifferential(_ g: Tensor, at w: Tensor) -> Double
}

/// A penalty that makes whole groups of elements zero.
public protocol GroupPenalty: ScaledPenalty {
    /// The groups.
    var grouping: Grouping { get }
    /// For each group the strength λ from which on `argmin_v ½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + step · λ ψ(v)` has it zero.
    ///
    /// The metric has no part in it. A quantile of these numbers is the strength that gives a wanted share of zeros.
    func criticalStrengths(_ z: Tensor, step: Double) -> Tensor
}

/// The penalties by name. A new penalty is one file and one line here.
public enum PenaltyCatalogue {
    /// All penalties.
    public static var all: [any Penalty.Type] { catalogue.all.compactMap { $0 as? any Penalty.Type } }

    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any Penalty>(
        "penalty",
        [
            L1Penalty.self, SquaredL2Penalty.self, ElasticNetPenalty.self, GroupLassoPenalty.self,
            SparseGroupLassoPenalty.self, NonNegativeGroupLassoPenalty.self, GroupMCPPenalty.self,
            NuclearNormPenalty.self,
            BoxConstraint.self, SimplexConstraint.self, BallConstraint.self,
        ])

    /// What a penalty can do beyond its prox.
    public enum Capability: String, Sendable, CaseIterable {
        /// Its prox in a diagonal metric is exact.
        case diagonalMetric = "diagonal metric"
        /// Whole groups become zero, each from a known strength on.
        case groups
        /// Optimality can be measured.
        case subdifferential
    }

    /// The capabilities of a penalty.
    public static func capabilities(of type: any Penalty.Type) -> [Capability] {
        var found: [Capability] = []
        if type is any DiagonalPenalty.Type { found.append(.diagonalMetric) }
        if type is any GroupPenalty.Type { found.append(.groups) }
        if type is any SubdifferentiablePenalty.Type { found.append(.subdifferential) }
        return found
    }

    /// Creates a penalty with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` with the nearest names, or with the range that a value is outside of.
    public static func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> any Penalty {
        try catalogue.make(name, settings: settings)
    }
}

extension Setting where Root: ScaledPenalty {
    static var strength: Setting { Setting("lambda", \.strength, .atLeast(0), "strength of the penalty") }
}

extension Setting where Root: AxisGroupPenalty {
    /// λ and the groups.
    static var groups: [Setting] {
        let axes = Grouping.Axis.allCases.map(\.rawValue)
        return [
            .strength, Setting("groups", \.axis, .oneOf(axes), "dimension whose slices are the groups"),
            Setting("width", \.width, .count(1), "neighbouring slices in one group"),
        ]
    }
}
