import Torch

/// What one proximal step minimises for one tensor: `½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + step · λ ψ(v)`.
public struct Subproblem: Sendable {
    /// The metric D > 0.
    public enum Metric: Sendable {
        /// The same number for all elements.
        case scalar(Double)
        /// A number for each element.
        case diagonal(Tensor)
    }

    /// z.
    public var linear: Tensor
    /// D.
    public var metric: Metric
    /// Factor of the penalty, > 0.
    public var step: Double
    /// Where the quadratic part of the published objective is zero, which only its relative stopping rule sees.
    public var centre: Tensor?

    /// Creates a subproblem.
    public init(linear: Tensor, metric: Metric, step: Double, centre: Tensor? = nil) {
        (self.linear, self.metric, self.step, self.centre) = (linear, metric, step, centre)
    }

    /// The minimiser without a penalty: `z / D`.
    public var unpenalised: Tensor {
        switch metric {
        case .scalar(let d): linear / d
        case .diagonal(let d): linear / d
        }
    }

    /// The same problem with the mean of D in place of D, for which one prox is the exact solution.
    ///
    /// The minimiser without a penalty stays what it is.
    public var withScalarMetric: Subproblem {
        guard case .diagonal(let d) = metric else { return self }
        let mean = d.sumInDouble() / Double(max(1, d.count))
        return Subproblem(linear: unpenalised * mean, metric: .scalar(mean), step: step)
    }

    /// `D ∘ v − z`
    func gradient(at v: Tensor) -> Tensor {
        switch metric {
        case .scalar(let d): v * d - linear
        case .diagonal(let d): d * v - linear
        }
    }

    /// `½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + step · λ ψ(v)`
    public func objective(at v: Tensor, _ penalty: any Penalty) -> Double {
        let smooth =
            switch metric {
            case .scalar(let d): 0.5 * d * v.squareSum
            case .diagonal(let d): 0.5 * (d * v).dot(v)
            }
        return smooth - linear.dot(v) + step * penalty.value(v)
    }

    /// `‖v − prox(v − ∇q(v))‖`: zero at the minimiser, the paper's measure of how inexact a solution is.
    public func residual(at v: Tensor, _ penalty: any Penalty) -> Double {
        (v - penalty.prox(v - gradient(at: v), step: step)).norm
    }
}

/// How subproblems in a diagonal metric are solved.
public enum SubproblemSolver: Sendable, Equatable {
    /// In closed form or by Newton's method where the penalty has it; else by accelerated proximal gradients, restarted,
    /// until a step is below `tolerance` of the solution, at most `iterations` times.
    case exact(iterations: Int = 100, tolerance: Double = 1e-6)
    /// Proximal gradients from the current parameters with the largest D of each group, or of the tensor, as curvature,
    /// until the objective falls by less than `tolerance` of itself: what the paper's experiments did.
    case proximalGradient(iterations: Int = 100, tolerance: Double = 1e-8)
}

/// A solution with the work that it took.
public struct SubproblemSolution: Sendable {
    /// The minimiser, or the last iterate.
    public var point: Tensor
    /// Proximal steps; 0 where none was needed.
    public var iterations: Int
}

extension Subproblem {
    /// Minimises the objective.
    ///
    /// - Parameter start: where iterations begin.
    public func minimised(
        _ penalty: any Penalty, solver: SubproblemSolver = .exact(), from start: Tensor
    ) -> SubproblemSolution {
        let d: Tensor
        switch metric {
        case .scalar(let number):
            return SubproblemSolution(point: penalty.prox(linear / number, step: step / number), iterations: 0)
        case .diagonal(let tensor): d = tensor
        }
        switch solver {
        case .proximalGradient(let iterations, let tolerance):
            return byProximalGradients(penalty, d, from: start, iterations, tolerance)
        case .exact(let iterations, let tolerance):
            if let diagonal = penalty as? any DiagonalPenalty {
                return SubproblemSolution(point: diagonal.prox(linear, metric: d, step: step), iterations: 0)
            }
            return byAcceleration(penalty, d, from: start, iterations, tolerance)
        }
    }

    /// FISTA (Beck and Teboulle 2009), restarted where the momentum points uphill (O'Donoghue and Candès 2015, section
    /// 3.2).
    private func byAcceleration(
        _ penalty: any Penalty, _ d: Tensor, from start: Tensor, _ iterations: Int, _ tolerance: Double
    ) -> SubproblemSolution {
        let curvature = d.max().scalar
        var (x, y, t) = (start, start, 1.0)
        for iteration in 1...max(1, iterations) {
            let next = penalty.prox(y - gradient(at: y) / curvature, step: step / curvature)
            let move = next - x
            let length = move.norm
            if (y - next).dot(move) > 0 {
                (y, t) = (next, 1)
            } else {
                let following = (1 + (1 + 4 * t * t).squareRoot()) / 2
                y = next.adding(move, scaledBy: (t - 1) / following)
                t = following
            }
            x = next
            if length <= tolerance * x.norm { return SubproblemSolution(point: x, iterations: iteration) }
        }
        return SubproblemSolution(point: x, iterations: iterations)
    }

    /// The experiments' loop; the sum of the whole objective decides when to stop.
    private func byProximalGradients(
        _ penalty: any Penalty, _ d: Tensor, from start: Tensor, _ iterations: Int, _ tolerance: Double
    ) -> SubproblemSolution {
        var point = start
        if let groups = penalty as? any GroupPenalty {
            // What is known to vanish does so before the first iteration.
            let isKept = (groups.criticalStrengths(linear, step: step) - groups.strength).isAbove(0).to(start.dtype)
            point = (groups.grouping.view(start) * isKept.reshaped(1, -1, 1)).reshaped(start.shape)
        }
        // ⟨D c − z, v − c⟩ + ½ ⟨v − c, D (v − c)⟩ is the smooth part, c the centre.
        let offset = centre.map { 0.5 * (d * $0).dot($0) - (d * $0 - linear).dot($0) } ?? 0
        var last = objective(at: point, penalty) + offset
        for iteration in 1...max(2, iterations) {
            if let groups = penalty as? any GroupPenalty {
                let view = groups.grouping.view(d)
                let curvature = view.max(0, 2, keepingRank: true)
                let moved = (groups.grouping.view(point) - groups.grouping.view(gradient(at: point)) / curvature)
                // With one curvature for each group, the step is a prox in the metric of these.
                let metric = (curvature + Tensor.zeros(like: view)).reshaped(d.shape)
                let inner = Subproblem(
                    linear: moved.reshaped(d.shape) * metric, metric: .diagonal(metric), step: step)
                point = inner.minimised(penalty, from: point).point
            } else {
                let curvature = d.max().scalar
                point = penalty.prox(point - gradient(at: point) / curvature, step: step / curvature)
            }
            let value = objective(at: point, penalty) + offset
            if iteration > 1, (last - value) / (abs(value) + 1) < tolerance {
                return SubproblemSolution(point: point, iterations: iteration)
            }
            last = value
        }
        return SubproblemSolution(point: point, iterations: iterations)
    }
}
