import Proximal
import Torch

/// A neuron that violates optimality: a gate with the output direction along which it lowers the loss.
struct CandidateNeurons {
    /// Unit gates, `d × K`.
    var gates: Tensor
    /// Unit output directions, `K × C`.
    var directions: Tensor
    /// `‖η'(Xg)₊‖`: above β the neuron lowers the objective of the non-convex problem.
    var violations: [Double]
}

/// Finds the neurons that most violate optimality, the pricing step of column generation.
///
/// At a global optimum `max_{‖g‖ ≤ 1} ‖η'(Xg)₊‖ ≤ β`. The maximisation is not concave; normalised gradient ascent
/// with the damped step 0.3 from many starts gives good neurons and a lower bound on the violation.
struct PatternGrowth {
    /// Starts of the ascent.
    var starts = 128
    /// Ascent steps.
    var steps = 40
    /// Damped step length, relative to unit gates.
    var stepLength = 0.3
    /// Rows that the ascent looks at.
    var rows = 10_000

    /// Runs the ascent and returns candidates by falling violation.
    ///
    /// - Parameters:
    ///   - eta: gradient of the loss at the present predictions, `n × C`.
    ///   - current: gates of the present neurons, `d × m`, as further starts.
    func candidates(x: Tensor, eta: Tensor, current: Tensor?, seed: UInt64) -> CandidateNeurons {
        Runtime.seed(seed)
        let n = x.shape[0]
        var (xs, es) = (x, eta)
        if n > rows {
            let pick = Tensor.randomPermutation(n).rows(0..<rows).to(device: x.device)
            xs = x.gathering(pick)
            es = eta.gathering(pick) * (Double(n) / Double(rows))
        }
        // Rows of the data are hyperplane directions that already split it well; half of the starts are theirs.
        let gaussian = Tensor.randomNormal([x.shape[1], starts / 2], dtype: x.dtype, device: x.device)
        let picks = Tensor.randomPermutation(xs.shape[0]).rows(0..<min(starts / 2, xs.shape[0])).to(device: x.device)
        var parts = [gaussian, xs.gathering(picks).transposed()]
        if let current, current.shape[1] > 0 {
            parts.append(current.columns(0..<min(current.shape[1], starts)))
        }
        var u = normalised(Tensor.concatenate(parts, dimension: 1))
        for _ in 0..<steps {
            let product = xs.times(u)
            let score = product.relu().transposedTimes(es)
            let direction = normalisedRows(score)
            let pull = es.times(direction.transposed()) * product.isAbove(0).to(x.dtype)
            let gradient = normalised(xs.transposedTimes(pull))
            u = normalised(u.adding(gradient, scaledBy: stepLength))
        }
        let score = x.times(u).relu().transposedTimes(eta)
        let violations = score.squared().sum(1).squareRoot().doubles()
        let order = violations.indices.sorted { violations[$0] > violations[$1] }
        return CandidateNeurons(
            gates: u.gathering(order, dimension: 1), directions: -normalisedRows(score.gathering(order)),
            violations: order.map { violations[$0] })
    }

    /// The best `count` candidates that violate β, no two of them nearly parallel.
    func select(_ candidates: CandidateNeurons, count: Int, penalty: Double) -> [Int] {
        let similarity = candidates.gates.transposedTimes(candidates.gates).doubles()
        let agreement = candidates.directions.times(candidates.directions.transposed()).doubles()
        let total = candidates.violations.count
        var chosen: [Int] = []
        for k in 0..<total where candidates.violations[k] > penalty * 1.0001 {
            let isNew = chosen.allSatisfy {
                similarity[k * total + $0] < 0.98 || agreement[k * total + $0] < 0.9
            }
            if isNew { chosen.append(k) }
            if chosen.count == count { break }
        }
        return chosen
    }

    private func normalised(_ u: Tensor) -> Tensor { u / u.squared().sum(0).squareRoot().clamped(min: 1e-20) }
    private func normalisedRows(_ s: Tensor) -> Tensor {
        s / s.squared().sum(1, keepingRank: true).squareRoot().clamped(min: 1e-20)
    }
}
