import Proximal
import Torch

/// A bound on how far a network is from the optimum of the convex program, recomputed from the raw problem.
///
/// For any `η` in the domain of `L*` and any `α ≥ 0` with `‖F_b'η − G_b'α_b‖ ≤ β` for every block, weak duality
/// gives `−L*(η) ≤` optimum. Scaling an arbitrary pair by `t ≤ β / max_b ‖·‖` makes it feasible.
/// The code shares nothing with the solver's passes and runs in double precision.
public struct Certificate: Sendable, Codable, Equatable {
    /// `L + β Σ norms` of the network that is returned.
    public var objective: Double
    /// Lower bound on the optimum of the convex program.
    public var dualBound: Double
    /// `(objective − dualBound) / max(|objective|, tiny)`; nil where no finite bound exists.
    public var relativeGap: Double?
    /// The network lies below the bound: its activation patterns are better than those of the program.
    public var networkBeatsProgram: Bool
    /// The scale t that made the multipliers feasible; 1 at the optimum.
    public var scale: Double
    /// What the number does or does not say.
    public var statement: String

    /// Multipliers of the program, in the units of the raw problem.
    public struct Multipliers {
        /// Candidates for `∇L`, each `n × C`.
        public var data: [Tensor]
        /// Cone multipliers `α ≥ 0`, `n × M`, as a function of a range of rows; nil without cones.
        public var cone: ((Range<Int>) -> Tensor)?

        /// Creates multipliers.
        public init(data: [Tensor], cone: ((Range<Int>) -> Tensor)? = nil) {
            self.data = data
            self.cone = cone
        }
    }

    /// Computes the bound.
    ///
    /// - Parameters:
    ///   - x: raw features as the network sees them, `n × d`.
    ///   - y: targets, `n × C`.
    ///   - mask: activation patterns of the program, `n × P`.
    ///   - penalty: β with the grouping of columns.
    ///   - prediction: predictions of the network on `x`, when already at hand.
    public init(
        network: TwoLayerNetwork, x: Tensor, y: Tensor, mask: Tensor, layout: BlockLayout, loss: any Loss,
        penalty: GroupLasso, multipliers: Multipliers, precision: DType = .float64, prediction: Tensor? = nil
    ) {
        let fit = (prediction ?? network.predict(x)).to(.float64)
        let targets = y.to(.float64)
        objective = loss.value(fit, targets) + penalty.strength * network.groupNorms().reduce(0, +)
        var best = (value: -Double.infinity, scale: 0.0)
        let cone = multipliers.cone.map {
            Self.coneProducts(x: x, mask: mask, layout: layout, cone: $0, precision: precision)
        }
        for eta in multipliers.data where eta.isFinite {
            let norms = Self.blockNorms(
                x: x, mask: mask, layout: layout, eta: eta, cone: cone, columnsPerGroup: penalty.columnsPerGroup,
                precision: precision)
            // Numbers that are not finite prove nothing, whatever they compare as.
            guard norms.isFinite else { continue }
            let limit = penalty.strength / max(norms, 1e-300)
            let found = Self.bestScale(eta.to(.float64), targets, loss: loss, limit: limit)
            if found.value > best.value { best = found }
        }
        dualBound = best.value
        scale = best.scale
        (relativeGap, networkBeatsProgram, statement) = (nil, false, "")
        self = restated(objective: objective)
    }

    /// No certificate: of a run whose iterates stopped being finite, say.
    init(uncertified objective: Double, statement: String) {
        (self.objective, dualBound, relativeGap) = (objective, -.infinity, nil)
        (networkBeatsProgram, scale, self.statement) = (false, 0, statement)
    }

    /// The certificate of another network for the same program.
    func restated(objective: Double) -> Certificate {
        var copy = self
        copy.objective = objective
        let difference = objective - dualBound
        // Objectives have the units of the user's: no number of ours is small beside them.
        let reference = max(abs(objective), .leastNonzeroMagnitude)
        copy.networkBeatsProgram = difference.isFinite && difference < -1e-9 * reference
        copy.relativeGap = difference.isFinite ? difference / reference : nil
        copy.statement =
            objective.isFinite
            ? Self.statement(gap: copy.relativeGap, beats: copy.networkBeatsProgram, scale: scale)
            : "The network's objective is no finite number, so nothing is certified."
        return copy
    }

    private static func statement(gap: Double?, beats: Bool, scale: Double) -> String {
        guard let gap else { return "No finite bound: the multipliers give no information, so no gap is stated." }
        if beats {
            return "The network's objective is below the optimum of the convex program: its weights leave the "
                + "program's cones, so it uses activation patterns that the program does not have."
        }
        if scale < 1e-6, gap > 1e-6 {
            return "The bound is the trivial one: the solve stopped too early to certify anything."
        }
        // Rounding may leave a network on the bound a hair below it, and zero has no sign here.
        let percent = String(describing: max(0, (gap * 1e6).rounded() / 1e4) + 0)
        return "The network's training objective is within \(percent) % of the optimum of the convex program."
    }

    /// `max_b ‖F_b'η − G_b'α_b‖` over blocks.
    private static func blockNorms(
        x: Tensor, mask: Tensor, layout: BlockLayout, eta: Tensor, cone: Tensor?, columnsPerGroup: Int,
        precision: DType
    ) -> Double {
        let eta = eta.to(precision)
        var gradient = Tensor.zeros([x.shape[1], layout.coupledColumns], dtype: precision, device: x.device)
        forEachChunk(x, layout.columns) { range in
            let rows = x.rows(range).to(precision)
            let open = mask.rows(range).to(precision)
            let part: Tensor
            if let directions = layout.directions {
                part = open * eta.rows(range).times(directions.to(precision).transposed())
            } else {
                part = (open.unsqueezed(2) * eta.rows(range).unsqueezed(1))
                    .reshaped(range.count, layout.coupledColumns)
            }
            gradient = gradient + rows.transposed().times(part)
        }
        if layout.isSigned {
            let (d, p, c) = (x.shape[1], layout.patterns, layout.outputs)
            let block = gradient.reshaped(d, p, 1, c)
            gradient = Tensor.concatenate([block, -block], dimension: 2).reshaped(d, layout.columns)
        }
        if let cone { gradient = gradient - cone }
        var squares = gradient.squared().sum(0)
        if columnsPerGroup > 1 { squares = squares.reshaped(-1, columnsPerGroup).sum(1) }
        return squares.max().scalar.squareRoot()
    }

    /// `G'α`, `d × M`.
    private static func coneProducts(
        x: Tensor, mask: Tensor, layout: BlockLayout, cone: (Range<Int>) -> Tensor, precision: DType
    ) -> Tensor {
        var sum = Tensor.zeros([x.shape[1], layout.columns], dtype: precision, device: x.device)
        forEachChunk(x, layout.columns) { range in
            let sign = mask.rows(range).to(precision) * 2 - 1
            let alpha = cone(range).to(precision).clamped(min: 0)
                .reshaped(range.count, layout.patterns, layout.columnsPerPattern)
            let part = (alpha * sign.unsqueezed(2)).reshaped(range.count, layout.columns)
            sum = sum + x.rows(range).to(precision).transposed().times(part)
        }
        return sum
    }

    /// Maximises the concave function `−L*(tη)` over `0 ≤ t ≤ limit` within the loss's domain.
    private static func bestScale(
        _ eta: Tensor, _ y: Tensor, loss: any Loss, limit: Double
    ) -> (value: Double, scale: Double) {
        // Beyond t = 1 the scaled multiplier may leave the domain of L*, except for losses defined everywhere.
        let ceiling = loss is SquaredLoss ? limit : min(1, limit)
        let value = { (t: Double) in -loss.conjugate(eta * t, y) }
        let ratio = 0.6180339887498949
        var (low, high) = (0.0, ceiling)
        var (a, b) = (high - ratio * high, ratio * high)
        var (fa, fb) = (value(a), value(b))
        for _ in 0..<60 where high - low > 1e-12 * ceiling {
            if fa < fb {
                (low, a, fa) = (a, b, fb)
                b = low + ratio * (high - low)
                fb = value(b)
            } else {
                (high, b, fb) = (b, a, fa)
                a = high - ratio * (high - low)
                fa = value(a)
            }
        }
        // Usually feasibility binds: the end itself is then the maximiser.
        let candidates = [(value(ceiling), ceiling), (fa, a), (fb, b), (value(0), 0)]
        return candidates.filter { $0.0.isFinite }.max { $0.0 < $1.0 } ?? (-.infinity, 0)
    }

    private static func forEachChunk(_ x: Tensor, _ columns: Int, _ body: (Range<Int>) -> Void) {
        let chunk = max(64, 2_000_000 / max(1, columns))
        var start = 0
        while start < x.shape[0] {
            let range = start..<min(x.shape[0], start + chunk)
            body(range)
            start = range.upperBound
        }
    }
}
