import Solvers
import TestSupport
import Testing
import Torch

@Suite("Conjugate gradients")
struct ConjugateGradientTests {
    /// A symmetric positive definite matrix with eigenvalues between 1 and `condition`, and a known solution.
    private func problem(
        _ size: Int, columns: Int = 2, condition: Double, seed: UInt64
    ) throws -> (a: Tensor, x: Tensor, b: Tensor) {
        var random = RandomSource(seed)
        let q = try random.tensor([size, size]).qr().q
        let spectrum = (0..<size).map { 1 + (condition - 1) * Double($0) / Double(max(1, size - 1)) }
        let a = (q * Tensor(spectrum)).times(q.transposed())
        let x = random.tensor([size, columns])
        return (a, x, a.times(x))
    }

    private func residual(_ a: Tensor, _ x: Tensor, _ b: Tensor) -> Double {
        let difference = Matrix(b) - Matrix(a) * Matrix(x)
        return difference.norm / Matrix(b).norm
    }

    @Test("Random definite systems are solved to the tolerance, and the report tells the true residual")
    func solves() throws {
        for (seed, condition) in [(UInt64(1), 2.0), (2, 50), (3, 1000)] {
            let (a, x, b) = try problem(40, condition: condition, seed: seed)
            let solver = ConjugateGradient(tolerance: 1e-10, maxIterations: 500)
            let (solution, report) = solver.solve(
                b, start: Tensor.zeros(like: b), apply: { a.times($0) }, precondition: { $0 })
            #expect(report.converged)
            #expect(report.relativeResidual <= 1e-10)
            #expect(abs(report.relativeResidual - residual(a, solution, b)) < 1e-12)
            #expect(distance(solution, x) < 1e-7)
        }
    }

    @Test("Single precision reaches what its round-off allows")
    func singlePrecision() throws {
        let (a, x, b) = try problem(30, condition: 20, seed: 4)
        let (af, bf) = (a.to(.float32), b.to(.float32))
        let (solution, report) = ConjugateGradient(tolerance: 1e-6).solve(
            bf, start: Tensor.zeros(like: bf), apply: { af.times($0) }, precondition: { $0 })
        #expect(report.converged)
        #expect(solution.dtype == .float32)
        #expect(distance(solution.to(.float64), x) < 1e-4)
    }

    @Test("A system of size N with k distinct eigenvalues takes k products")
    func distinctEigenvalues() {
        let diagonal = Tensor((0..<30).map { Double(1 + $0 % 3) }, shape: [30, 1])
        var random = RandomSource(5)
        let b = random.tensor([30, 1])
        let (solution, report) = ConjugateGradient(tolerance: 1e-12).solve(
            b, start: Tensor.zeros(like: b), apply: { $0 * diagonal }, precondition: { $0 })
        #expect(report.iterations == 3)
        #expect(distance(solution, b / diagonal) < 1e-12)
    }

    @Test("The exact inverse as preconditioner solves in one product")
    func exactPreconditioner() throws {
        let (a, x, b) = try problem(25, condition: 1e4, seed: 6)
        let factor = try a.cholesky()
        let (solution, report) = ConjugateGradient(tolerance: 1e-9).solve(
            b, start: Tensor.zeros(like: b), apply: { a.times($0) }, precondition: { factor.choleskySolve($0) })
        #expect(report.iterations == 1)
        #expect(distance(solution, x) < 1e-8)
    }

    @Test("A warm start is never slower than a start at zero, and the solution itself takes no product")
    func warmStart() throws {
        var random = RandomSource(7)
        for seed in 10..<20 as Range<UInt64> {
            let (a, x, b) = try problem(40, condition: 100, seed: seed)
            let solver = ConjugateGradient(tolerance: 1e-8, maxIterations: 400)
            func products(_ start: Tensor) -> Int {
                solver.solve(b, start: start, apply: { a.times($0) }, precondition: { $0 }).report.iterations
            }
            let cold = products(Tensor.zeros(like: b))
            #expect(products(x + random.tensor([40, 2], scale: 1e-3)) <= cold)
            #expect(products(x) == 0)
        }
    }

    @Test("A residual handed in gives the same answer as one computed")
    func givenResidual() throws {
        let (a, _, b) = try problem(20, condition: 30, seed: 8)
        var random = RandomSource(9)
        let start = random.tensor([20, 2])
        let solver = ConjugateGradient(tolerance: 1e-10)
        let one = solver.solve(b, start: start, apply: { a.times($0) }, precondition: { $0 })
        let two = solver.solve(
            b, start: start, residual: b - a.times(start), apply: { a.times($0) }, precondition: { $0 })
        #expect(one.solution.doubles() == two.solution.doubles())
        #expect(one.report == two.report)
    }

    @Test("The iteration limit is reported, not thrown, with the residual reached")
    func iterationLimit() throws {
        let (a, _, b) = try problem(60, condition: 1e5, seed: 11)
        for limit in [0, 1, 5] {
            let (solution, report) = ConjugateGradient(tolerance: 1e-12, maxIterations: limit).solve(
                b, start: Tensor.zeros(like: b), apply: { a.times($0) }, precondition: { $0 })
            #expect(!report.converged)
            #expect(report.iterations == limit)
            #expect(abs(report.relativeResidual - residual(a, solution, b)) < 1e-10)
        }
    }

    @Test("A reduction factor stops once the starting residual has shrunk so far")
    func reduction() throws {
        let (a, x, b) = try problem(60, condition: 1e4, seed: 12)
        var random = RandomSource(13)
        let start = x + random.tensor([60, 2], scale: 1e-3)
        let before = residual(a, start, b)
        let (solution, report) = ConjugateGradient(tolerance: 1e-14, reduction: 0.1).solve(
            b, start: start, apply: { a.times($0) }, precondition: { $0 })
        #expect(report.converged)
        #expect(residual(a, solution, b) <= 0.1 * before * (1 + 1e-9))
        #expect(report.iterations < 60)
    }

    @Test("A right-hand side of zero has the solution zero")
    func zeroRightHandSide() throws {
        let (a, _, b) = try problem(10, condition: 5, seed: 14)
        let zero = Tensor.zeros(like: b)
        let (solution, report) = ConjugateGradient().solve(
            zero, start: zero, apply: { a.times($0) }, precondition: { $0 })
        #expect(solution.doubles().allSatisfy { $0 == 0 })
        #expect(report.converged && report.iterations == 0 && report.relativeResidual == 0)
        // From elsewhere there is a way to go; the answer must be finite and near zero all the same.
        let (moved, second) = ConjugateGradient().solve(zero, start: b, apply: { a.times($0) }, precondition: { $0 })
        #expect(moved.isFinite)
        #expect(moved.norm < 1e-6 * b.norm)
        #expect(second.converged)
    }

    @Test("A singular matrix gives a finite answer: exact for a consistent right-hand side, unconverged otherwise")
    func singular() {
        let diagonal = Tensor([2.0, 1, 0, 0], shape: [4, 1])
        let apply = { (x: Tensor) in x * diagonal }
        let consistent = Tensor([4.0, 3, 0, 0], shape: [4, 1])
        let zero = Tensor.zeros(like: consistent)
        let first = ConjugateGradient().solve(consistent, start: zero, apply: apply, precondition: { $0 })
        #expect(first.report.converged)
        #expect(distance(first.solution.doubles(), [2, 3, 0, 0]) < 1e-6)
        let (solution, report) = ConjugateGradient().solve(
            Tensor([0.0, 0, 1, 0], shape: [4, 1]), start: zero, apply: apply, precondition: { $0 })
        #expect(solution.isFinite)
        #expect(!report.converged)
    }

    @Test("Recomputing the residual changes nothing but round-off")
    func residualPeriod() throws {
        let (a, x, b) = try problem(30, condition: 100, seed: 15)
        for period in [0, 1, 7] {
            let (solution, report) = ConjugateGradient(tolerance: 1e-11, residualPeriod: period).solve(
                b, start: Tensor.zeros(like: b), apply: { a.times($0) }, precondition: { $0 })
            #expect(report.converged)
            #expect(distance(solution, x) < 1e-8)
        }
    }
}
