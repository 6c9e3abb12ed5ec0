import Torch

/// The group-lasso penalty `β Σ_b ‖u_b‖₂` over blocks of consecutive columns.
///
/// With one column a block this is the penalty of the convex program of a two-layer ReLU network with scalar
/// neurons (Pilanci and Ergen 2020, eq. 4); wider blocks share one norm among several outputs.
public struct GroupLasso: Sendable, Equatable, Codable {
    /// The strength β ≥ 0.
    public var strength: Double
    /// Number of consecutive columns that share one norm.
    public var columnsPerGroup: Int

    /// Creates the penalty.
    public init(strength: Double, columnsPerGroup: Int = 1) {
        self.strength = strength
        self.columnsPerGroup = columnsPerGroup
    }

    private var grouping: Grouping { Grouping(.inputs, width: columnsPerGroup) }

    /// The group norms of a `d × M` matrix, shape `M / columnsPerGroup`.
    public func norms(_ u: Tensor) -> Tensor { grouping.norms(u) }

    /// The penalty's value.
    public func value(_ u: Tensor) -> Double { strength * norms(u).sumInDouble() }

    /// The proximal operator `argmin_v step·β Σ‖v_b‖ + ½‖v − u‖²`: block soft-thresholding.
    public func prox(_ u: Tensor, step: Double) -> Tensor { grouping.softThresholded(u, strength * step) }

    /// `u_b / ‖u_b‖`, zero for groups of zeros: a subgradient of the sum of norms.
    public func directions(_ u: Tensor) -> Tensor { u / spread(norms(u).clamped(min: 1e-15)) }

    /// Repeats one number per group over the group's columns.
    private func spread(_ groups: Tensor) -> Tensor {
        guard columnsPerGroup > 1 else { return groups }
        let count = groups.count
        return groups.unsqueezed(1).expanded(count, columnsPerGroup).reshaped(count * columnsPerGroup)
    }
}
