import Torch

/// A matrix that is made a block of columns at a time, such as scaled features of a file larger than memory.
public protocol ColumnSource: Sendable {
    /// Rows and columns.
    var shape: [Int] { get }
    /// Element type of the blocks.
    var dtype: DType { get }
    /// Device of the blocks.
    var device: Device { get }
    /// The columns of a range, all rows.
    func columns(_ range: Range<Int>) -> Tensor
}

extension Tensor: ColumnSource {}

/// The row space of a wide matrix: `X = Z V'` with `Z = U Σ`, `n × r`, and orthonormal `V`, `d × r`.
///
/// Norms of weights, patterns and ADMM iterates carry over, so that a problem with `d > n` columns is solved with
/// `r ≤ n`. Directions with an eigenvalue of `XX'` below `max(n, 64) · 1e-7 · λmax` (1e-15 in double precision) are left
/// out: rounding makes them unsure. `V` is never stored: `V W = X' (U Σ⁻¹ W)`. Every pass over `X` takes a block of
/// columns at a time.
public struct RowSpace: Sendable {
    /// Coordinates of the rows, `n × r`.
    public let coordinates: Tensor
    /// `U Σ⁻¹`, `n × r`.
    private let basis: Tensor

    /// Elements of one block: enough columns for fast products, few enough to be small beside the data.
    private static let blockElements = 8_000_000

    /// The operation that an error names when products of rows are not finite.
    public static let overflow = "row space"

    /// Rank r.
    public var rank: Int { coordinates.shape[1] }

    /// Finds the row space from the eigenvectors of `XX'`, accumulated in double precision over blocks of columns.
    ///
    /// - Throws: `TorchError` when the eigenvalue iteration fails.
    public init(_ x: some ColumnSource) throws(TorchError) {
        let gram = Self.gram(x)
        guard gram.isFinite else {
            throw TorchError(operation: Self.overflow, message: "the products of the rows are not finite")
        }
        let (values, vectors) = try gram.symmetricEigen()
        let spectrum = values.doubles()
        let floor = (spectrum.last ?? 0) * Double(max(x.shape[0], 64)) * (x.dtype == .float64 ? 1e-15 : 1e-7)
        let kept = spectrum.indices.filter { spectrum[$0] > floor }
        let u = vectors.gathering(kept, dimension: 1)
        let sigma = Tensor(kept.map { spectrum[$0].squareRoot() }).to(device: x.device)
        coordinates = (u * sigma).to(x.dtype)
        basis = (u / sigma).to(x.dtype)
    }

    /// Weights on the columns of `X` from weights on the coordinates: `V W`, `d × m`.
    public func lift(_ weights: Tensor, x: some ColumnSource) -> Tensor {
        let combined = basis.times(weights)
        var lifted = Tensor.zeros([x.shape[1], weights.shape[1]], dtype: x.dtype, device: x.device)
        Self.forEachBlock(x) { block, range in
            var piece = Tensor.zeros(like: lifted, shape: [range.count, weights.shape[1]])
            piece.addThinProduct(transposed: block, combined)
            lifted.setRows(from: range.lowerBound, to: piece)
        }
        return lifted
    }

    /// Coordinates of weights on the columns: `V' W`, `r × m`.
    public func project(_ weights: Tensor, x: some ColumnSource) -> Tensor {
        var outputs = Tensor.zeros([x.shape[0], weights.shape[1]], dtype: x.dtype, device: x.device)
        Self.forEachBlock(x) { outputs.add($0.thinProduct(weights.rows($1))) }
        return basis.transposedTimes(outputs)
    }

    /// A network of the coordinates as one of the columns of `X`.
    public func lift(_ network: TwoLayerNetwork, x: some ColumnSource) -> TwoLayerNetwork {
        var copy = network
        copy.hidden = lift(network.hidden, x: x)
        copy.gates = network.gates.map { lift($0, x: x) }
        return copy
    }

    /// A network of the columns of `X` as one of the coordinates.
    public func project(_ network: TwoLayerNetwork, x: some ColumnSource) -> TwoLayerNetwork {
        var copy = network
        copy.hidden = project(network.hidden, x: x)
        copy.gates = network.gates.map { project($0, x: x) }
        return copy
    }

    /// Coordinates of other rows, `Y V`, `k × r`: their part outside the row space of `X` meets no weights.
    public func coordinates(of rows: some ColumnSource, x: some ColumnSource) -> Tensor {
        var products = Tensor.zeros([rows.shape[0], x.shape[0]], dtype: .float64, device: x.device)
        Self.forEachBlock(x) { products.add(rows.columns($1).times($0.transposed()).to(.float64)) }
        return products.times(basis.to(.float64)).to(x.dtype)
    }

    /// `XX'` up to the diagonal's blocks, which is all that the eigenvalue iteration reads.
    private static func gram(_ x: some ColumnSource) -> Tensor {
        let n = x.shape[0]
        let strip = max(256, (n + 3) / 4)
        let strips = stride(from: 0, to: n, by: strip).map { $0..<min(n, $0 + strip) }
        var lower = strips.map { Tensor.zeros([$0.count, $0.upperBound], dtype: .float64, device: x.device) }
        forEachBlock(x) { block, _ in
            // Products of float32 rows are exact enough in float32 within one block; the sum is not.
            for (k, rows) in strips.enumerated() {
                let earlier = block.rows(0..<rows.upperBound)
                lower[k].add(block.rows(rows).times(earlier.transposed()).to(.float64))
            }
        }
        var gram = Tensor.zeros([n, n], dtype: .float64, device: x.device)
        for (k, rows) in strips.enumerated() {
            let above = Tensor.zeros([rows.count, n - rows.upperBound], dtype: .float64, device: x.device)
            gram.setRows(from: rows.lowerBound, to: Tensor.concatenate([lower[k], above], dimension: 1))
        }
        return gram
    }

    private static func forEachBlock(_ x: some ColumnSource, _ body: (Tensor, Range<Int>) -> Void) {
        let step = max(64, blockElements / max(1, x.shape[0]))
        for start in stride(from: 0, to: x.shape[1], by: step) {
            let range = start..<min(x.shape[1], start + step)
            body(x.columns(range), range)
        }
    }
}
