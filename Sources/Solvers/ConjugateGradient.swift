import Torch

/// What a linear solve did.
public struct LinearSolveReport: Sendable, Codable, Equatable {
    /// Products with the operator.
    public var iterations: Int
    /// `‖b − A x‖ / ‖b‖`, from a freshly computed residual where the solver says so.
    public var relativeResidual: Double
    /// Whether the tolerance was met.
    public var converged: Bool

    /// Creates a report.
    public init(iterations: Int, relativeResidual: Double, converged: Bool) {
        self.iterations = iterations
        self.relativeResidual = relativeResidual
        self.converged = converged
    }
}

/// Preconditioned conjugate gradients for a symmetric positive definite operator.
///
/// All columns form one vector in one Krylov space. Inner products are summed in double precision.
public struct ConjugateGradient: Sendable, Equatable {
    /// Stop at this residual norm relative to `‖b‖`.
    public var tolerance: Double
    /// Also stop when the residual has shrunk by this factor from its start; 0 for never.
    public var reduction: Double
    /// Most products with the operator.
    public var maxIterations: Int
    /// Recompute the true residual after this many steps; 0 for never.
    public var residualPeriod: Int

    /// Creates the solver.
    public init(
        tolerance: Double = 1e-6, reduction: Double = 0, maxIterations: Int = 200, residualPeriod: Int = 50
    ) {
        self.tolerance = tolerance
        self.reduction = reduction
        self.maxIterations = maxIterations
        self.residualPeriod = residualPeriod
    }

    /// Solves `A x = b` from `start`.
    ///
    /// - Parameters:
    ///   - residual: `b − A start`, when the caller has it; computed otherwise.
    ///   - apply: the product with A.
    ///   - precondition: the product with an approximate inverse.
    public func solve(
        _ b: Tensor, start: Tensor, residual: Tensor? = nil, apply: (Tensor) -> Tensor,
        precondition: (Tensor) -> Tensor
    ) -> (solution: Tensor, report: LinearSolveReport) {
        let scale = b.norm
        guard scale > 0 else {
            return (Tensor.zeros(like: b), LinearSolveReport(iterations: 0, relativeResidual: 0, converged: true))
        }
        return solve(
            start: start, residual: residual ?? b - apply(start), scale: scale, rhs: b, apply: apply,
            precondition: precondition)
    }

    /// Solves for the correction that removes `residual = b − A start`, when `b` itself was never formed.
    ///
    /// - Parameters:
    ///   - scale: the size that residuals are compared with, `‖b‖` or an estimate.
    ///   - rhs: `b`, needed only to recompute true residuals.
    public func solve(
        start: Tensor, residual: Tensor, scale: Double, rhs: Tensor? = nil, apply: (Tensor) -> Tensor,
        precondition: (Tensor) -> Tensor
    ) -> (solution: Tensor, report: LinearSolveReport) {
        var x = start
        var r = residual
        let scale = max(scale, 1e-300)
        var size = r.norm / scale
        let target = max(tolerance, reduction * size)
        var iterations = 0
        guard size > tolerance, maxIterations > 0 else {
            return (x, LinearSolveReport(iterations: 0, relativeResidual: size, converged: size <= tolerance))
        }
        var z = precondition(r)
        var p = z
        var rz = r.dot(z)
        while iterations < maxIterations {
            let ap = apply(p)
            iterations += 1
            let curvature = p.dot(ap)
            // At round-off level the direction carries nothing more.
            guard curvature > 0, rz > 0, curvature.isFinite else { break }
            let alpha = rz / curvature
            x.add(p, scaledBy: alpha)
            if let rhs, residualPeriod > 0, iterations % residualPeriod == 0 {
                r = rhs - apply(x)
            } else {
                r.add(ap, scaledBy: -alpha)
            }
            size = r.norm / scale
            if size <= target || !size.isFinite { break }
            z = precondition(r)
            let next = r.dot(z)
            p = z.adding(p, scaledBy: next / rz)
            rz = next
        }
        return (x, LinearSolveReport(iterations: iterations, relativeResidual: size, converged: size <= target))
    }
}
