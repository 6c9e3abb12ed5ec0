import Torch

/// The row space of a wide matrix: `X = Z V'` with `Z = U Σ`, `n × r`, and orthonormal `V`, `d × r`.
///
/// Norms of weights, patterns and ADMM iterates carry over exactly, so that a problem with `d > n` columns is solved
/// with `r ≤ n`. `V` is never stored: `V W = X' (U Σ⁻¹ W)`.
public struct RowSpace: Sendable {
    /// Coordinates of the rows, `n × r`.
    public let coordinates: Tensor
    /// `U Σ⁻¹`, `n × r`.
    private let basis: Tensor

    /// Rank r.
    public var rank: Int { coordinates.shape[1] }

    /// Finds the row space from the eigenvectors of `XX'`, accumulated in double precision over blocks of columns.
    ///
    /// - Throws: `TorchError` when the eigenvalue iteration fails.
    public init(_ x: Tensor) throws(TorchError) {
        let (n, d) = (x.shape[0], x.shape[1])
        var gram = Tensor.zeros([n, n], dtype: .float64, device: x.device)
        let block = max(256, 64_000_000 / max(1, n))
        var start = 0
        while start < d {
            let columns = x.columns(start..<min(d, start + block))
            // Products of float32 rows are exact enough in float32 within one block; the sum is not.
            gram.add(columns.times(columns.transposed()).to(.float64))
            start += block
        }
        let (values, vectors) = try gram.symmetricEigen()
        let spectrum = values.doubles()
        let floor = (spectrum.last ?? 0) * Double(max(n, 64)) * (x.dtype == .float64 ? 1e-15 : 1e-7)
        let kept = spectrum.indices.filter { spectrum[$0] > floor }
        let u = vectors.gathering(kept, dimension: 1)
        let sigma = Tensor(kept.map { spectrum[$0].squareRoot() }).to(device: x.device)
        coordinates = (u * sigma).to(x.dtype)
        basis = (u / sigma).to(x.dtype)
    }

    /// Weights on the columns of `X` from weights on the coordinates: `V W`, `d × m`.
    public func lift(_ weights: Tensor, x: Tensor) -> Tensor { x.transposedTimes(basis.times(weights)) }

    /// Coordinates of weights on the columns: `V' W`, `r × m`.
    public func project(_ weights: Tensor, x: Tensor) -> Tensor { basis.transposedTimes(x.times(weights)) }
}
