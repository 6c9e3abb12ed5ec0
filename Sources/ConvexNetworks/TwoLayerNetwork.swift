import Proximal
import Torch

/// A two-layer network `h(x) = φ(x'W₁) W₂` without separate biases: a bias is a column of ones among the features.
///
/// ReLU: `φ(t) = max(t, 0)`. Gated ReLU: unit `k` passes `x'w` where its gate holds, `x'g ≥ 0`, whatever the sign.
public struct TwoLayerNetwork: Sendable {
    /// ReLU or gated.
    public var formulation: Formulation
    /// First-layer weights, `d × m`.
    public var hidden: Tensor
    /// Second-layer weights, `m × C`.
    public var output: Tensor
    /// Gates, `d × P`; nil for ReLU.
    public var gates: Tensor?
    /// Gate of each unit, for gated networks; for ReLU the pattern that the unit was solved in.
    public var unitPattern: [Int]
    /// Group of each unit in the penalty: units of one group share a norm.
    public var unitGroup: [Int]

    /// Number of hidden units m.
    public var units: Int { hidden.shape[1] }
    /// Number of outputs C.
    public var outputs: Int { output.shape[1] }

    /// Creates a network whose units are groups of their own.
    public init(hidden: Tensor, output: Tensor) {
        formulation = .relu
        self.hidden = hidden
        self.output = output
        gates = nil
        unitPattern = Array(0..<hidden.shape[1])
        unitGroup = unitPattern
    }

    /// The same network in the precision and on the device of `x`.
    public func converted(like x: Tensor) -> TwoLayerNetwork {
        var copy = self
        copy.hidden = hidden.to(device: x.device).to(x.dtype)
        copy.output = output.to(device: x.device).to(x.dtype)
        copy.gates = gates?.to(device: x.device).to(x.dtype)
        return copy
    }

    /// Rebuilds the network from a solution of the convex program.
    ///
    /// Block `v_b` with norm `r > 0` becomes the unit `w₁ = v_b/√r` with output weights `±√r` times its direction.
    /// Blocks of norm zero vanish.
    ///
    /// - Parameters:
    ///   - v: the solution in the units of the raw features, `d × M`.
    ///   - gates: `d × P`, kept for gated networks.
    public init(solution v: Tensor, layout: BlockLayout, gates: Tensor?, columnsPerGroup: Int) {
        let norms = v.squared().sum(0).squareRoot()
        let sizes = norms.doubles()
        // A prox gives exact zeros, but a column of a wider group may be tiny without being zero.
        let floor = (sizes.max() ?? 0) * 1e-12
        // What is no number is not zero.
        let kept = sizes.indices.filter { !(sizes[$0] <= floor) }
        formulation = layout.formulation
        unitPattern = kept.map { $0 / layout.columnsPerPattern }
        unitGroup = kept.map { $0 / columnsPerGroup }
        let roots = norms.gathering(kept).squareRoot()
        hidden = v.gathering(kept, dimension: 1) / roots
        output = Self.outputRows(kept, layout: layout, like: v) * roots.unsqueezed(1)
        self.gates = layout.formulation == .gated ? gates : nil
    }

    /// The output direction of each kept column, with its sign.
    private static func outputRows(_ columns: [Int], layout: BlockLayout, like v: Tensor) -> Tensor {
        if let directions = layout.directions { return directions.gathering(columns).to(v.dtype) }
        var values = [Double](repeating: 0, count: columns.count * layout.outputs)
        for (row, column) in columns.enumerated() {
            let within = column % layout.columnsPerPattern
            let isNegative = layout.isSigned && within >= layout.outputs
            values[row * layout.outputs + within % layout.outputs] = isNegative ? -1 : 1
        }
        return Tensor(values, shape: [columns.count, layout.outputs]).to(v.dtype).to(device: v.device)
    }

    /// Predictions `n × C`, in chunks of rows.
    public func predict(_ x: Tensor) -> Tensor {
        let n = x.shape[0]
        guard units > 0 else { return Tensor.zeros(like: x, shape: [n, outputs]) }
        let chunk = max(256, 4_000_000 / max(units, x.shape[1]))
        let (w1, w2) = (hidden.to(x.dtype), output.to(x.dtype))
        let index = Tensor(unitPattern.map(Int64.init)).to(device: x.device)
        var pieces: [Tensor] = []
        var start = 0
        while start < n || pieces.isEmpty {
            let rows = x.rows(start..<min(n, start + chunk))
            let product = rows.times(w1)
            if formulation == .relu {
                pieces.append(product.relu().times(w2))
            } else {
                let open = rows.times(gates!.to(x.dtype)).isAtLeast(0).to(x.dtype).gathering(index, dimension: 1)
                pieces.append((product * open).times(w2))
            }
            start += chunk
        }
        return pieces.count == 1 ? pieces[0] : Tensor.concatenate(pieces, dimension: 0)
    }

    /// `Σ_g sqrt(Σ_{k in g} ‖w₁ₖ‖² ‖w₂ₖ‖²)`: the group norms that the convex penalty sums, one per group.
    ///
    /// With one unit a group it equals half the squared weights after balancing the layers.
    public func groupNorms() -> [Double] {
        guard units > 0 else { return [] }
        let squares = (hidden.to(.float64).squared().sum(0) * output.to(.float64).squared().sum(1)).doubles()
        var sums: [Int: Double] = [:]
        for (unit, square) in squares.enumerated() { sums[unitGroup[unit], default: 0] += square }
        return sums.keys.sorted().map { sums[$0]!.squareRoot() }
    }

    /// Training objective `L(h(X), Y) + β Σ_g norm_g`: the weight-decay objective of the non-convex problem.
    public func objective(_ x: Tensor, _ y: Tensor, loss: any Loss, penalty: Double) -> Double {
        loss.value(predict(x), y) + penalty * groupNorms().reduce(0, +)
    }

    /// The same function with `‖w₁ₖ‖ = ‖w₂ₖ‖` for every unit.
    public func balanced() -> TwoLayerNetwork {
        var copy = self
        let inner = hidden.squared().sum(0).squareRoot().clamped(min: 1e-30)
        let outer = output.squared().sum(1).squareRoot().clamped(min: 1e-30)
        let factor = (outer / inner).squareRoot()
        copy.hidden = hidden * factor
        copy.output = output / factor.unsqueezed(1)
        return copy
    }
}
