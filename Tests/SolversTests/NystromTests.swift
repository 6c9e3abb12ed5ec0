import Foundation
import Solvers
import TestSupport
import Testing
import Torch

@Suite("The Nyström preconditioner")
struct NystromTests {
    /// A semidefinite matrix with eigenvalues `top / (k + 1)^decay`.
    private func semidefinite(_ size: Int, top: Double = 100, decay: Double, seed: UInt64) throws -> Tensor {
        var random = RandomSource(seed)
        let q = try random.tensor([size, size]).qr().q
        let spectrum = (0..<size).map { top / pow(Double($0 + 1), decay) }
        return (q * Tensor(spectrum)).times(q.transposed())
    }

    private func sketch(_ h: Tensor, rank: Int, shift: Double, seed: UInt64 = 1) throws -> NystromPreconditioner {
        try Engine.exclusively {
            Runtime.seed(seed)
            return try NystromPreconditioner(
                size: h.shape[0], rank: rank, shift: shift, like: h, apply: { h.times($0) })
        }
    }

    @Test("At full rank the preconditioned matrix is a multiple of the identity")
    func fullRank() throws {
        let h = try semidefinite(20, decay: 1, seed: 1)
        let (mu, n) = (0.5, 20)
        let preconditioner = try sketch(h, rank: n, shift: mu)
        #expect(preconditioner.rank == n)
        let product = preconditioner.apply(h + Tensor.identity(n, dtype: .float64) * mu)
        let smallest = try h.symmetricEigen().values.doubles()[0]
        #expect(distance(product, Matrix.identity(n, scale: smallest + mu)) < 1e-7)
    }

    @Test("More columns than the matrix has are cut to its size")
    func excessRank() throws {
        let h = try semidefinite(6, decay: 1, seed: 2)
        #expect(try sketch(h, rank: 50, shift: 1).rank == 6)
    }

    @Test("The inverse preconditioner is symmetric positive definite", arguments: [1, 5, 12])
    func definite(rank: Int) throws {
        let h = try semidefinite(25, decay: 2, seed: 3)
        let preconditioner = try sketch(h, rank: rank, shift: 0.1)
        let inverse = preconditioner.apply(Tensor.identity(25, dtype: .float64))
        #expect(distance(inverse, inverse.transposed()) < 1e-13)
        let values = try ((inverse + inverse.transposed()) * 0.5).symmetricEigen().values.doubles()
        #expect(values[0] > 0)
        #expect(values[24] < 1 + 1e-9)
        let basis = Matrix(preconditioner.basis)
        #expect(distance((basis.transposed * basis).values, Matrix.identity(rank).values) < 1e-10)
    }

    @Test("Sketched eigenvalues descend and never exceed those of the matrix", arguments: [1, 4, 10, 20])
    func eigenvalues(rank: Int) throws {
        let h = try semidefinite(30, decay: 2, seed: 4)
        let exact = try h.symmetricEigen().values.doubles().reversed().map { $0 }
        for seed in 1...5 as ClosedRange<UInt64> {
            let found = try sketch(h, rank: rank, shift: 0.1, seed: seed).eigenvalues.doubles()
            #expect(found == found.sorted(by: >))
            for (sketched, value) in zip(found, exact) {
                #expect(sketched >= 0 && sketched <= value * (1 + 1e-9) + 1e-9)
            }
        }
    }

    @Test("The condition number obeys the deterministic bound, and conjugate gradients gain from it")
    func conditioning() throws {
        let (n, mu) = (40, 0.01)
        let h = try semidefinite(n, decay: 3, seed: 5)
        let preconditioner = try sketch(h, rank: 12, shift: mu)
        let shifted = h + Tensor.identity(n, dtype: .float64) * mu
        let lower = try shifted.cholesky()
        // Similar to the preconditioned matrix, and symmetric.
        let similar = lower.transposed().times(preconditioner.apply(lower))
        let values = try ((similar + similar.transposed()) * 0.5).symmetricEigen().values.doubles()
        let weighted = (preconditioner.basis * preconditioner.eigenvalues).times(preconditioner.basis.transposed())
        let missing = try (h - weighted).symmetricEigen().values.doubles().map(abs).max()!
        let bound = (preconditioner.eigenvalues.doubles().last! + mu + missing) / mu
        #expect(values.last! / values[0] <= bound * (1 + 1e-6))

        var random = RandomSource(6)
        let b = random.tensor([n, 1])
        let solver = ConjugateGradient(tolerance: 1e-8, maxIterations: 1000)
        func products(_ precondition: (Tensor) -> Tensor) -> Int {
            let zero = Tensor.zeros(like: b)
            return solver.solve(b, start: zero, apply: { shifted.times($0) }, precondition: precondition)
                .report.iterations
        }
        #expect(products { preconditioner.apply($0) } < products { $0 })
    }

    @Test("The adaptive rank stops where the spectrum falls to ten times the shift, or at its limit")
    func adaptive() throws {
        func rank(_ h: Tensor, _ shift: Double, _ limit: Int) throws -> Int {
            try Engine.exclusively {
                Runtime.seed(2)
                return try NystromPreconditioner.adaptive(
                    size: h.shape[0], shift: shift, maxRank: limit, like: h, apply: { h.times($0) }
                ).rank
            }
        }
        let steep = try semidefinite(200, decay: 3, seed: 7)
        #expect(try rank(steep, 0.1, 128) == 8)
        #expect(try rank(steep, 1e-4, 128) > 8)
        let flat = Tensor.identity(200, dtype: .float64) * 1000
        #expect(try rank(flat, 1e-3, 64) == 64)
        #expect(try rank(Tensor.identity(20, dtype: .float64) * 1000, 1e-3, 256) <= 20)
    }

    @Test("Single precision works on an operator of low rank")
    func singlePrecision() throws {
        var random = RandomSource(8)
        let factor = random.tensor([50, 3], dtype: .float32)
        let h = factor.times(factor.transposed())
        let preconditioner = try sketch(h, rank: 10, shift: 1)
        #expect(preconditioner.basis.dtype == .float32)
        let x = random.tensor([50, 2], dtype: .float32)
        #expect(preconditioner.apply(x).isFinite)
        #expect(preconditioner.eigenvalues.doubles()[3] < 1e-2)
    }

    @Test("An operator that is not semidefinite is refused with an error")
    func indefinite() {
        let h = Tensor.identity(12, dtype: .float64) * -5
        #expect(throws: TorchError.self) { try sketch(h, rank: 4, shift: 1) }
    }

    @Test("The same seed gives the same sketch")
    func seeds() throws {
        let h = try semidefinite(15, decay: 1, seed: 9)
        let (a, b) = (try sketch(h, rank: 5, shift: 1, seed: 3), try sketch(h, rank: 5, shift: 1, seed: 3))
        #expect(a.basis.doubles() == b.basis.doubles())
        #expect(a.eigenvalues.doubles() == b.eigenvalues.doubles())
    }
}
