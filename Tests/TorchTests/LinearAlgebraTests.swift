import Foundation
import TestSupport
import Testing
import Torch

@Suite("Products, factorisations and the fused Adam step")
struct LinearAlgebraTests {
    /// A random symmetric positive definite matrix.
    private func definite(_ count: Int, seed: UInt64) -> Matrix {
        var random = RandomSource(seed)
        let b = Matrix(count, count, random.normals(count * count))
        return b * b.transposed + Matrix.identity(count, scale: 0.5)
    }

    @Test("Matrix products equal plain loops", arguments: [(DType.float64, 1e-14), (.float32, 2e-6)])
    func products(dtype: DType, tolerance: Double) {
        var random = RandomSource(1)
        let (a, b) = (random.tensor([7, 5], dtype: dtype), random.tensor([5, 9], dtype: dtype))
        #expect(distance(a.times(b), Matrix(a) * Matrix(b)) < tolerance)
        let c = random.tensor([7, 4], dtype: dtype)
        #expect(distance(a.transposedTimes(c), Matrix(a).transposed * Matrix(c)) < tolerance)
        var sum = random.tensor([7, 9], dtype: dtype)
        let before = Matrix(sum)
        sum.addProduct(a, b)
        #expect(distance(sum, before + Matrix(a) * Matrix(b)) < tolerance)
    }

    @Test(
        "Thin products equal plain loops, whichever library makes them",
        arguments: [
            (1100, 5, 3), (1100, 200, 40), (1030, 3, 20), (1030, 2001, 70), (1025, 130, 130), (1024, 7, 1), (9, 4, 2),
        ])
    func thinProducts(rows: Int, depth: Int, columns: Int) {
        #if arch(x86_64) && os(Linux)
            // Both libraries are there, or the test compares one with itself.
            #expect(Tensor.zeros([1024, 64]).gainsFromCopy)
        #endif
        for dtype in [DType.float32, .float64] {
            let tolerance = dtype == .float32 ? 2e-6 * Double(max(rows, depth)).squareRoot() : 1e-12
            var random = RandomSource(UInt64(rows + columns))
            let a = random.tensor([rows, depth], dtype: dtype, scale: 0.1)
            let (b, c) = (random.tensor([depth, columns], dtype: dtype), random.tensor([rows, columns], dtype: dtype))
            #expect(distance(a.thinProduct(b), Matrix(a) * Matrix(b)) < tolerance)
            #expect(
                distance(a.thinProduct(b.transposed().contiguous().transposed()), Matrix(a) * Matrix(b)) < tolerance)
            let start = random.tensor([depth, columns], dtype: dtype)
            let expected = Matrix(start) + Matrix(a).transposed * Matrix(c)
            for copy in [nil, a.transposed().contiguous()] {
                var sum = start
                sum.addThinProduct(transposed: a, c, copy: copy)
                #expect(distance(sum, expected) < tolerance)
            }
        }
    }

    @Test("Cholesky factors and triangular solves agree with Gaussian elimination")
    func cholesky() throws {
        var random = RandomSource(2)
        let matrix = definite(8, seed: 3)
        let rhs = Matrix(8, 3, random.normals(24))
        let factor = try matrix.tensor.cholesky()
        let lower = Matrix(factor)
        for i in 0..<8 { for j in i + 1..<8 { #expect(lower[i, j] == 0) } }
        #expect(distance(factor, lower) == 0)
        #expect(distance((lower * lower.transposed).values, matrix.values) < 1e-13)
        #expect(distance(factor.choleskySolve(rhs.tensor), matrix.solve(rhs)) < 1e-11)
        #expect(distance(factor.lowerTriangularSolve(rhs.tensor), lower.solve(rhs)) < 1e-12)
        let transposed = factor.lowerTriangularSolve(rhs.tensor, transposedFactor: true)
        #expect(distance(transposed, lower.transposed.solve(rhs)) < 1e-12)
    }

    @Test("Cholesky of an indefinite matrix names the failing leading minor")
    func indefinite() {
        var matrix = Matrix.identity(5)
        matrix[2, 2] = -1
        let error = #expect(throws: TorchError.self) { try matrix.tensor.cholesky() }
        #expect(error?.message == "the leading minor of order 3 is not positive definite")
        #expect(error?.description.contains("float64[5, 5]") == true)
    }

    @Test("Eigenvalues come in ascending order with orthonormal vectors, and a NaN throws")
    func eigen() throws {
        let matrix = definite(9, seed: 4)
        let (values, vectors) = try matrix.tensor.symmetricEigen()
        #expect(values.doubles() == values.doubles().sorted())
        let v = Matrix(vectors)
        #expect(distance((v.transposed * v).values, Matrix.identity(9).values) < 1e-13)
        var scaled = v
        for i in 0..<9 { for j in 0..<9 { scaled[i, j] *= values.doubles()[j] } }
        #expect(distance((scaled * v.transposed).values, matrix.values) < 1e-13)
        var broken = matrix
        broken[0, 0] = .nan
        #expect(throws: TorchError.self) { try broken.tensor.symmetricEigen() }
    }

    @Test("QR and the singular value decomposition multiply back to the matrix")
    func orthogonal() throws {
        var random = RandomSource(5)
        let a = Matrix(7, 4, random.normals(28))
        let (q, r) = try a.tensor.qr()
        #expect(q.shape == [7, 4])
        #expect(distance((Matrix(q) * Matrix(r)).values, a.values) < 1e-13)
        #expect(distance((Matrix(q).transposed * Matrix(q)).values, Matrix.identity(4).values) < 1e-13)
        let (u, s, vt) = try a.tensor.svd()
        let sigma = s.doubles()
        #expect(sigma == sigma.sorted(by: >))
        #expect(distance((Matrix(u * s) * Matrix(vt)).values, a.values) < 1e-13)
    }

    @Test("The fused Adam step equals Kingma and Ba's Algorithm 1 in plain Swift")
    func adam() {
        var random = RandomSource(6)
        let start = random.normals(12)
        var parameters = [Tensor(start, shape: [3, 4])]
        var first = [Tensor.zeros(like: parameters[0])]
        var second = first
        let untouched = parameters
        var (w, m, v) = (start, [Double](repeating: 0, count: 12), [Double](repeating: 0, count: 12))
        for step in 1...20 {
            let gradient = random.normals(12)
            Tensor.fusedAdam(
                &parameters, gradients: [Tensor(gradient, shape: [3, 4])], firstMoments: &first,
                secondMoments: &second, steps: [Tensor.full([], Double(step))], rate: 0.02, decay: (0.9, 0.999),
                weightDecay: 0.1, epsilon: 1e-8)
            for k in w.indices {
                let g = gradient[k] + 0.1 * w[k]
                m[k] = 0.9 * m[k] + 0.1 * g
                v[k] = 0.999 * v[k] + 0.001 * g * g
                let (mHat, vHat) = (m[k] / (1 - pow(0.9, Double(step))), v[k] / (1 - pow(0.999, Double(step))))
                w[k] -= 0.02 * mHat / (vHat.squareRoot() + 1e-8)
            }
        }
        #expect(distance(parameters[0].doubles(), w) < 1e-12)
        #expect(distance(first[0].doubles(), m) < 1e-12)
        #expect(distance(second[0].doubles(), v) < 1e-12)
        // The copy taken before the first step still shows the start.
        #expect(untouched[0].doubles() == start)
    }
}
