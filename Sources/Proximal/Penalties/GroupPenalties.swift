import Settings
import Torch

/// Exact minimisers of `½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + τ ‖v‖` over groups, all at once.
enum DiagonalGroups {
    /// A group is zero iff `‖z‖ ≤ τ`. Otherwise `v = z r / (D r + τ)` with `r = ‖v‖` the root of
    /// `N(r) = (Σ z² / (D r + τ)²)^{−1/2} = 1`. N increases and is concave, so that Newton's method from the left is
    /// monotone and needs no safeguard; where D is constant in the group, N is linear and the start is the root.
    ///
    /// - Parameter d: D > 0, of the shape of `z`.
    static func minimise(_ z: Tensor, _ d: Tensor, _ grouping: Grouping, threshold τ: Double) -> Tensor {
        guard τ > 0 else { return z / d }
        if GroupKernels.covers(z) { return GroupKernels.minimise(z, d, grouping, threshold: τ) }
        return composed(grouping.view(z), grouping.view(d), threshold: τ).reshaped(z.shape)
    }

    /// The same by tensor operators; both are `before × groups × within`.
    private static func composed(_ z: Tensor, _ d: Tensor, threshold τ: Double) -> Tensor {
        let squares = z.squared()
        let total = Grouping.sums(squares)
        let excess = total.squareRoot() - τ
        let tiny = z.dtype == .float64 ? 1e-300 : 1e-37
        // The Newton step from r = 0 in closed form.
        var r = (excess * total / Grouping.sums(d * squares).clamped(min: tiny)).relu()
        // Six steps reach 1e-6 at condition numbers up to 1e6; each further one doubles the digits.
        for _ in 0..<(z.dtype == .float64 ? 10 : 7) {
            let q = (d * r + τ).reciprocal()
            let ratio = squares * q.squared()
            let s2 = Grouping.sums(ratio)
            let s3 = Grouping.sums(ratio * q * d).clamped(min: tiny)
            r = (r + s2 * (s2.squareRoot() - 1) / s3).relu()
        }
        return z * r / (d * r + τ) * excess.isAbove(0).to(z.dtype)
    }
}

/// A penalty of the slices along one dimension.
public protocol AxisGroupPenalty: GroupPenalty {
    /// The dimension of the groups.
    var axis: Grouping.Axis { get set }
    /// Neighbouring slices in one group.
    var width: Int { get set }
}

extension AxisGroupPenalty {
    /// The groups.
    public var grouping: Grouping { Grouping(axis, width: width) }

    /// What is wrong with the grouping of a shape.
    public func fault(for shape: [Int]) -> String? { grouping.fault(for: shape) }

    /// `‖z_g‖ / (step √|g|)`
    public func criticalStrengths(_ z: Tensor, step: Double) -> Tensor {
        grouping.norms(z) / (step * Double(grouping.size(in: z.shape)).squareRoot())
    }

    /// The plain group lasso of these groups.
    func groupLasso(_ strength: Double) -> GroupLassoPenalty {
        var penalty = GroupLassoPenalty()
        (penalty.strength, penalty.axis, penalty.width) = (strength, axis, width)
        return penalty
    }

    /// `λ √|g|` for the groups of a tensor.
    package func groupWeight(_ w: Tensor) -> Double { strength * Double(grouping.size(in: w.shape)).squareRoot() }
}

/// `λ Σ_g √|g| ‖w_g‖`
public struct GroupLassoPenalty: AxisGroupPenalty, DiagonalPenalty, SubdifferentiablePenalty {
    /// Name on the command line.
    public static let name = "group_lasso"
    /// One line of help.
    public static let summary = "norms of groups, each with the root of its size: whole groups become zero"
    /// Where the method was published.
    public static let citation =
        "Yuan and Lin, JRSS B 2006; diagonal metric: Deleu and Bengio, arXiv:2102.03869, Theorem 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = Setting.groups

    /// λ.
    public var strength = 1e-3
    /// The dimension of the groups.
    public var axis = Grouping.Axis.inputs
    /// Neighbouring slices in one group.
    public var width = 1

    /// Creates the default penalty.
    public init() {}

    /// `λ Σ_g √|g| ‖w_g‖`
    public func value(_ w: Tensor) -> Double { groupWeight(w) * grouping.norms(w).sumInDouble() }

    /// Block soft thresholding.
    public func prox(_ w: Tensor, step: Double) -> Tensor { grouping.softThresholded(w, step * groupWeight(w)) }

    /// The exact minimiser, by Newton's method on the norm of each group.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        DiagonalGroups.minimise(z, metric, grouping, threshold: step * groupWeight(z))
    }

    /// Distance of `−g` from `λ ∂ψ(w)`.
    public func distanceToSubdifferential(_ g: Tensor, at w: Tensor) -> Double {
        let τ = groupWeight(w)
        let (g, w) = (grouping.view(g), grouping.view(w))
        let norms = Grouping.sums(w.squared()).squareRoot()
        let active = Grouping.sums((g + w * (norms.clamped(min: 1e-37).reciprocal() * τ)).squared())
        let empty = (Grouping.sums(g.squared()).squareRoot() - τ).relu().squared()
        return active.selecting(where: norms.isAbove(0), otherwise: empty).sumInDouble().squareRoot()
    }
}

/// `λ (α ‖w‖₁ + (1 − α) Σ_g √|g| ‖w_g‖)`
public struct SparseGroupLassoPenalty: AxisGroupPenalty, DiagonalPenalty {
    /// Name on the command line.
    public static let name = "sparse_group_lasso"
    /// One line of help.
    public static let summary = "group lasso and l1: whole groups and single weights become zero"
    /// Where the method was published.
    public static let citation = "Simon, Friedman, Hastie and Tibshirani, JCGS 2013"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        Setting.groups + [Setting("l1_ratio", \.l1Ratio, .share, "share α of the l1 part")]

    /// λ.
    public var strength = 1e-3
    /// The dimension of the groups.
    public var axis = Grouping.Axis.inputs
    /// Neighbouring slices in one group.
    public var width = 1
    /// Share α of the ℓ1 part.
    public var l1Ratio = 0.5

    /// Creates the default penalty.
    public init() {}

    private var groups: GroupLassoPenalty { groupLasso(strength * (1 - l1Ratio)) }

    /// `λ (α ‖w‖₁ + (1 − α) Σ_g √|g| ‖w_g‖)`
    public func value(_ w: Tensor) -> Double {
        strength * l1Ratio * w.absolute().sumInDouble() + groups.value(w)
    }

    /// Soft thresholding, then block soft thresholding.
    public func prox(_ w: Tensor, step: Double) -> Tensor {
        groups.prox(w.softThresholded(step * strength * l1Ratio), step: step)
    }

    /// The same in the metric: exact, since the signs of `v` are those of `z`.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        groups.prox(z.softThresholded(step * strength * l1Ratio), metric: metric, step: step)
    }

    /// The root of `‖soft(z_g, λ α step)‖ = λ (1 − α) step √|g|`, by bisection on all groups at once.
    public func criticalStrengths(_ z: Tensor, step: Double) -> Tensor {
        let view = grouping.view(z).absolute()
        let root = Double(grouping.size(in: z.shape)).squareRoot()
        var low = Tensor.zeros(like: Grouping.sums(view))
        // At α > 0 the largest magnitude bounds it, at α = 0 the norm does.
        var high =
            l1Ratio > 0.5
            ? view.max(0, 2, keepingRank: true) / (step * l1Ratio)
            : Grouping.sums(view.squared()).squareRoot() / (step * (1 - l1Ratio) * root)
        for _ in 0..<60 {
            let middle = (low + high) * 0.5
            let left = Grouping.sums((view - middle * (step * l1Ratio)).relu().squared()).squareRoot()
            let isZero = (middle * (step * (1 - l1Ratio) * root) - left).isAtLeast(0)
            high = middle.selecting(where: isZero, otherwise: high)
            low = low.selecting(where: isZero, otherwise: middle)
        }
        return high.reshaped(-1)
    }
}

/// Group lasso of weights that may not be negative.
public struct NonNegativeGroupLassoPenalty: AxisGroupPenalty, DiagonalPenalty {
    /// Name on the command line.
    public static let name = "nonnegative_group_lasso"
    /// One line of help.
    public static let summary = "group lasso of weights that may not be negative"
    /// Where the method was published.
    public static let citation = "Yuan and Lin, JRSS B 2006, with the constraint in the prox"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = Setting.groups

    /// λ.
    public var strength = 1e-3
    /// The dimension of the groups.
    public var axis = Grouping.Axis.inputs
    /// Neighbouring slices in one group.
    public var width = 1

    /// Creates the default penalty.
    public init() {}

    private var groups: GroupLassoPenalty { groupLasso(strength) }

    /// `λ Σ_g √|g| ‖w_g‖`, infinite where an element is negative.
    public func value(_ w: Tensor) -> Double { w.min().scalar < 0 ? .infinity : groups.value(w) }

    /// Block soft thresholding of the positive part.
    public func prox(_ w: Tensor, step: Double) -> Tensor { groups.prox(w.relu(), step: step) }

    /// The exact minimiser for the positive part of `z`.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        groups.prox(z.relu(), metric: metric, step: step)
    }

    /// `‖max(z_g, 0)‖ / (step √|g|)`
    public func criticalStrengths(_ z: Tensor, step: Double) -> Tensor {
        groups.criticalStrengths(z.relu(), step: step)
    }
}

/// Minimax concave penalty of group norms: like the group lasso at small norms, constant from `γ λ √|g|` on.
public struct GroupMCPPenalty: AxisGroupPenalty, DiagonalPenalty {
    /// Name on the command line.
    public static let name = "group_mcp"
    /// One line of help.
    public static let summary = "minimax concave penalty of group norms: large groups are not shrunk"
    /// Where the method was published.
    public static let citation = "Huang, Breheny and Ma, Statistical Science 2012"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        Setting.groups + [Setting("gamma", \.gamma, .above(1), "where the penalty becomes constant")]

    /// λ.
    public var strength = 1e-3
    /// The dimension of the groups.
    public var axis = Grouping.Axis.inputs
    /// Neighbouring slices in one group.
    public var width = 1
    /// γ.
    public var gamma = 3.0

    /// Creates the default penalty.
    public init() {}

    /// `Σ_g τ n − n² / 2γ` for norms `n` up to `γ τ`, `½ γ τ²` beyond, with `τ = λ √|g|`.
    public func value(_ w: Tensor) -> Double {
        let τ = groupWeight(w)
        let n = grouping.norms(w).clamped(to: 0...gamma * τ)
        return (n * τ - n.squared() * (0.5 / gamma)).sumInDouble()
    }

    /// Firm thresholding of the group norms.
    ///
    /// For steps from γ on, a larger γ keeps the subproblem convex.
    public func prox(_ w: Tensor, step: Double) -> Tensor {
        let τ = groupWeight(w)
        let bend = min(0.99, step / gamma)
        let view = grouping.view(w)
        let norms = Grouping.sums(view.squared()).squareRoot()
        let firm = (norms - step * τ).relu() / (1 - bend)
        let kept = firm.minimum(norms)
        return (view * (kept / norms.clamped(min: 1e-37))).reshaped(w.shape)
    }

    /// The minimiser, by the group lasso's of the metric `D − step/γ` where its norm is below `γ λ √|g|`, else `z / D`
    /// (Deleu and Bengio, arXiv:2102.03869, section 3.3).
    ///
    /// Where a group has `D ≤ step/γ`, a larger γ keeps its subproblem convex.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        let (view, d) = (grouping.view(z), grouping.view(metric))
        let bend = (d.min(0, 2, keepingRank: true) * 0.99).clamped(to: 0...step / gamma)
        let lowered = (d - bend).reshaped(z.shape)
        let near = grouping.view(
            DiagonalGroups.minimise(z, lowered, grouping, threshold: step * groupWeight(z)))
        let end = bend.reciprocal() * (step * groupWeight(z))
        let isNear = (end - Grouping.sums(near.squared()).squareRoot()).isAtLeast(0)
        return near.selecting(where: isNear, otherwise: view / d).reshaped(z.shape)
    }
}
