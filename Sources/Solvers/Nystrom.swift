import Torch

/// A randomised Nyström preconditioner for `H + μI` with symmetric positive semidefinite `H`
/// (Frangella, Tropp and Udell 2023, arXiv 2110.02820, Algorithms 2.1 and 5.3).
public struct NystromPreconditioner: Sendable {
    /// Orthonormal basis, `N × r`.
    public let basis: Tensor
    /// Approximate eigenvalues in descending order, shape `r`.
    public let eigenvalues: Tensor
    /// The shift μ > 0.
    public let shift: Double
    /// Rank r.
    public var rank: Int { eigenvalues.count }

    /// Sketches `H` with a Gaussian test matrix of `rank` columns.
    ///
    /// - Parameter apply: the product of `H`, without the shift, with an `N × r` matrix.
    /// - Throws: `TorchError` when the sketch's core matrix is not positive definite.
    public init(
        size: Int, rank: Int, shift: Double, like prototype: Tensor, apply: (Tensor) -> Tensor
    ) throws(TorchError) {
        let rank = min(rank, size)
        let test = try Tensor.randomNormal([size, rank], dtype: prototype.dtype, device: prototype.device).qr().q
        var sketch = apply(test)
        // A shift at round-off level of the sketch keeps the core matrix definite; it is taken off again below.
        let nu = Double(size).squareRoot() * prototype.dtype.epsilon * max(sketch.norm, 1e-30)
        sketch.add(test, scaledBy: nu)
        let core = test.transposedTimes(sketch).to(.float64)
        let factor = try ((core + core.transposed()) * 0.5).cholesky()
        let b = factor.lowerTriangularSolve(sketch.to(.float64).transposed()).transposed()
        let (u, s, _) = try b.svd()
        basis = u.to(prototype.dtype)
        eigenvalues = (s.squared() - nu).clamped(min: 0).to(prototype.dtype)
        self.shift = shift
    }

    /// Doubles the rank until the smallest approximate eigenvalue falls to `10 μ` or `maxRank` is reached
    /// (the stopping rule of the reference, section 5.4).
    public static func adaptive(
        size: Int, shift: Double, maxRank: Int, like prototype: Tensor, apply: (Tensor) -> Tensor
    ) throws(TorchError) -> NystromPreconditioner {
        var rank = 8
        while true {
            let attempt = try NystromPreconditioner(
                size: size, rank: rank, shift: shift, like: prototype, apply: apply)
            let smallest = attempt.eigenvalues.min().scalar
            if smallest <= 10 * shift || rank >= min(maxRank, size) { return attempt }
            rank *= 2
        }
    }

    /// Applies `(λ_r + μ) U (Λ + μ)⁻¹ U' + (I − U U')` to an `N × k` matrix.
    public func apply(_ x: Tensor) -> Tensor {
        let coordinates = basis.transposedTimes(x)
        let last = eigenvalues.rows(rank - 1..<rank).scalar
        let weights = (eigenvalues + shift).reciprocal() * (last + shift) - 1
        return x + basis.times(coordinates * weights.unsqueezed(1))
    }
}
