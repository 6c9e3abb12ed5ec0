import RunLog
import Solvers
import Torch

/// How the linear system of an ADMM iteration is solved.
public enum LinearSolver: String, Sendable, Codable, CaseIterable {
    /// Exact when affordable, else conjugate gradients preconditioned by the Gram matrix.
    case automatic
    /// Cholesky factor of an `n × n` matrix, shared by all outputs.
    case dualFactor
    /// Cholesky factor of the coupled matrix itself.
    case primalFactor
    /// Conjugate gradients preconditioned by the Cholesky factor of `ωI + X'X`.
    case gram
    /// Conjugate gradients with the paper's randomised Nyström preconditioner.
    case nystrom
    /// Conjugate gradients without a preconditioner.
    case plain
}

/// `(ωI + K) q + γ F̃'F̃ q = b` in coupled columns, and `(ωI + K) p = b`.
///
/// `K = X' diag(r²) X` comes from the cones and is absent for gated networks. The matrix does not
/// depend on the penalty, the targets or the loss, so one factor serves a whole path.
final class CoupledSystem {
    let maps: PatternOperator
    /// ω: weight of `‖u − v‖²` beside the other splits.
    let blockWeight: Double
    /// γ: weight of the data term.
    let dataWeight: Double
    private let gram: Tensor?
    private let blockFactor: Tensor?
    private(set) var method: LinearSolver
    private var dualFactor: Tensor?
    private var primalFactor: Tensor?
    private var preconditionerFactor: Tensor?
    private var nystrom: NystromPreconditioner?

    /// Builds the system and factors what the method needs.
    ///
    /// - Throws: `TorchError` when a factorisation fails.
    init(
        maps: PatternOperator, blockWeight: Double, dataWeight: Double, method: LinearSolver, nystromRank: Int
    ) throws(TorchError) {
        self.maps = maps
        self.blockWeight = blockWeight
        self.dataWeight = dataWeight * maps.layout.couplingFactor
        let hasCones = maps.layout.formulation == .relu
        let gram = hasCones ? Self.gramMatrix(maps.x, weights: maps.rowScale.squared()) : nil
        self.gram = gram?.to(maps.x.dtype)
        let identity = Tensor.identity(maps.d, dtype: .float64, device: maps.x.device)
        blockFactor = try gram.map { (k) throws(TorchError) in try (k + identity * blockWeight).cholesky() }
        self.method = try Self.resolved(method, maps)
        switch self.method {
        case .dualFactor: dualFactor = try makeDualFactor()
        case .primalFactor: primalFactor = try makePrimalFactor()
        case .gram where blockFactor == nil:
            // Half of X'X is the mean of the diagonal blocks X'D_iX: the only Gram matrix a gated network has.
            let k = Self.gramMatrix(maps.x, weights: nil) * (0.5 * self.dataWeight)
            preconditionerFactor = try (k + identity * blockWeight).cholesky()
        case .nystrom: nystrom = try makeNystrom(rank: nystromRank)
        default: break
        }
    }

    /// `X' diag(weights) X` in double precision, accumulated over chunks of rows.
    static func gramMatrix(_ x: Tensor, weights: Tensor?) -> Tensor {
        let (n, d) = (x.shape[0], x.shape[1])
        var sum = Tensor.zeros([d, d], dtype: .float64, device: x.device)
        let chunk = max(256, 4_000_000 / d)
        var start = 0
        while start < n {
            let range = start..<min(n, start + chunk)
            let rows = x.rows(range).to(.float64)
            let weighted = weights.map { rows * $0.rows(range).to(.float64).unsqueezed(1) } ?? rows
            sum.addProduct(rows.transposed(), weighted)
            start = range.upperBound
        }
        return sum
    }

    /// The method that will be used: outputs that share neurons have no dual factor.
    private static func resolved(_ method: LinearSolver, _ maps: PatternOperator) throws(TorchError) -> LinearSolver {
        guard method != .automatic else { return affordable(maps) }
        guard method == .dualFactor || method == .primalFactor else { return method }
        let isPrimal = method == .primalFactor || maps.layout.directions != nil
        let order = isPrimal ? maps.d * maps.layout.patterns : maps.n
        guard order <= 40_000 else {
            throw TorchError(
                operation: "exact linear solver",
                message: "its factor of order \(order) takes \(8 * order * order / 1_000_000_000) GB; use 'gram'")
        }
        return isPrimal ? .primalFactor : .dualFactor
    }

    /// The cheapest exact method where a run of 150 iterations gains by it, else the Gram preconditioner.
    ///
    /// Costs are in single-precision operations of a matrix product. A factorisation in double precision runs at a
    /// quarter of that rate. A solve with its factor is limited by memory: it reads the factor twice, and a byte takes
    /// as long as twenty operations. Conjugate gradients take up to eight products with the data, at two thirds of
    /// the rate.
    static func affordable(_ maps: PatternOperator) -> LinearSolver {
        let (n, d, m) = (Double(maps.n), Double(maps.d), Double(maps.layout.coupledColumns))
        let isPerOutput = maps.layout.directions == nil
        let blocks = Double(maps.layout.patterns)
        let order = d * blocks
        let iterations = 150.0
        let dual = isPerOutput ? 4 * (n * n * n / 3 + n * n * (d + blocks)) + iterations * 150 * n * n : .infinity
        let primal = 4 * (order * order * order / 3 + n * order * order) + iterations * 150 * order * order
        let iterative = max(1e10, iterations * 50 * n * d * m)
        let bytes = 8 * min(dual < primal ? n * n : order * order, 1e18)
        guard min(dual, primal) <= iterative, bytes <= 2e9 else { return .gram }
        return dual <= primal ? .dualFactor : .primalFactor
    }

    /// `(ωI + K)⁻¹ b`, exact, for any number of columns.
    func solveBlock(_ b: Tensor) -> Tensor {
        guard let blockFactor else { return b * (1 / blockWeight) }
        return blockFactor.choleskySolve(b.to(.float64)).to(b.dtype)
    }

    /// The coupled matrix times `q`.
    func apply(_ q: Tensor) -> Tensor {
        applyBlock(q).adding(maps.normal(q), scaledBy: dataWeight)
    }

    /// `(ωI + K) q`.
    func applyBlock(_ q: Tensor) -> Tensor {
        guard let gram else { return q * blockWeight }
        return gram.times(q).adding(q, scaledBy: blockWeight)
    }

    /// Whether a solve is one pass through a factor, without iterations.
    var isDirect: Bool { dualFactor != nil || primalFactor != nil }

    /// Solves the coupled system with a factor.
    func solveDirectly(_ b: Tensor) -> Tensor {
        if let dualFactor { return solveDual(b, dualFactor) }
        guard let primalFactor else { fatalError("no factor was made for method \(method)") }
        return unflattened(primalFactor.choleskySolve(flattened(b.to(.float64)))).to(b.dtype)
    }

    /// Solves for a correction: `start` plus the solution for its residual.
    func improve(
        _ start: Tensor, residual: Tensor, scale: Double, conjugateGradient: ConjugateGradient
    ) -> (solution: Tensor, report: LinearSolveReport) {
        conjugateGradient.solve(
            start: start, residual: residual, scale: scale, apply: { self.apply($0) },
            precondition: { self.preconditioned($0) })
    }

    private func preconditioned(_ r: Tensor) -> Tensor {
        switch method {
        case .plain: return r
        case .nystrom:
            guard let nystrom else { return r }
            return nystrom.apply(r.reshaped(-1, 1)).reshaped(r.shape)
        default:
            if let preconditionerFactor { return preconditionerFactor.choleskySolve(r.to(.float64)).to(r.dtype) }
            return solveBlock(r)
        }
    }

    // MARK: Exact factors

    /// `I/γ + T ∘ (DD')` with `T = X (ωI + K)⁻¹ X'`.
    private func makeDualFactor() throws(TorchError) -> Tensor {
        demand(maps.layout.directions == nil, "the dual factor needs outputs that decouple")
        let x = maps.x.to(.float64)
        let mask = maps.mask.to(.float64)
        let t = x.times(solveBlock(x.transposed()))
        let s = t * mask.times(mask.transposed())
        let identity = Tensor.identity(maps.n, dtype: .float64, device: x.device)
        return try (s + identity * (1 / dataWeight)).cholesky()
    }

    private func solveDual(_ b: Tensor, _ factor: Tensor) -> Tensor {
        let first = solveBlock(b.to(.float64))
        let dtype = b.dtype
        let fit = maps.forward(first.to(dtype)).to(.float64)
        let correction = maps.adjoint(factor.choleskySolve(fit).to(dtype)).to(.float64)
        return (first - solveBlock(correction)).to(dtype)
    }

    /// The coupled matrix, one block of rows for each pattern. Outputs that decouple share one matrix.
    private func makePrimalFactor() throws(TorchError) -> Tensor {
        let x = maps.x.to(.float64)
        let mask = maps.mask.to(.float64)
        let p = maps.layout.patterns
        let scaled = Tensor.concatenate((0..<p).map { x * mask.columns($0..<$0 + 1) }, dimension: 1)
        var matrix = scaled.transposedTimes(scaled) * dataWeight
        let d = maps.d
        if let directions = maps.layout.directions?.to(.float64) {
            let kernel = directions.times(directions.transposed())
            let weights = kernel.reshaped(p, 1, p, 1).expanded(p, d, p, d).reshaped(p * d, p * d)
            matrix = matrix * weights
        }
        let block =
            (gram?.to(.float64) ?? Tensor.zeros([d, d], dtype: .float64, device: x.device))
            + Tensor.identity(d, dtype: .float64, device: x.device) * blockWeight
        let blocks =
            Tensor.identity(p, dtype: .float64, device: x.device).reshaped(p, 1, p, 1)
            * block.reshaped(1, d, 1, d)
        return try (matrix + blocks.reshaped(p * d, p * d)).cholesky()
    }

    /// `d × (P·B)` to `(P·d) × B`, the order of the primal matrix.
    private func flattened(_ b: Tensor) -> Tensor {
        let (p, width) = (maps.layout.patterns, maps.layout.coupledColumnsPerPattern)
        return b.reshaped(maps.d, p, width).permuted(1, 0, 2).reshaped(p * maps.d, width)
    }

    private func unflattened(_ b: Tensor) -> Tensor {
        let (p, width) = (maps.layout.patterns, maps.layout.coupledColumnsPerPattern)
        return b.reshaped(p, maps.d, width).permuted(1, 0, 2).reshaped(maps.d, p * width)
    }

    /// The sketch of `H = K + γ F̃'F̃`, the identity left out: the shift is ω.
    private func makeNystrom(rank: Int) throws(TorchError) -> NystromPreconditioner {
        // A resumed run has drawn other numbers before, and must get the same sketch.
        Runtime.seed(0)
        let (d, m) = (maps.d, maps.layout.coupledColumns)
        let product: (Tensor) -> Tensor = { test in
            let columns = (0..<test.shape[1]).map { j -> Tensor in
                let q = test.columns(j..<j + 1).reshaped(d, m)
                return (self.apply(q) - q * self.blockWeight).reshaped(d * m, 1)
            }
            return Tensor.concatenate(columns, dimension: 1)
        }
        guard rank > 0 else {
            return try .adaptive(
                size: d * m, shift: blockWeight, maxRank: 256, like: maps.x, apply: product)
        }
        return try NystromPreconditioner(
            size: d * m, rank: rank, shift: blockWeight, like: maps.x, apply: product)
    }
}
