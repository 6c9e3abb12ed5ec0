import Torch

/// The linear maps of the convex program, applied in passes over chunks of rows.
///
/// `F u = Σ_i D_i X u_i` (paper eq. 6) and `G u = (E_i X u_i)_i` are never formed. A pass multiplies a chunk of rows
/// with the variable, does the element-wise work while the product is in cache, and accumulates `X'` times the
/// result, so memory beyond the data stays at one chunk, and a transposed copy of data that are not too large.
public final class PatternOperator {
    /// The features, `n × d`.
    public let x: Tensor
    /// Activation patterns D as 0 and 1, `n × P`, `uint8`.
    public let mask: Tensor
    /// Columns of the variable.
    public let layout: BlockLayout
    /// Row scales r of the cone constraints `r_j E_i x_j' u ≥ 0`, shape `n`; any positive scale leaves the cone as is.
    public let rowScale: Tensor

    /// Whether element-wise work runs in the fused kernels; tensor operators do it otherwise, on any device.
    let usesKernels: Bool
    /// Rows in one chunk.
    let chunk: Int
    /// The transposes of the chunks, where memory allows; products with them are the most frequent ones.
    let transposes: [Tensor]
    /// Products of matrices done so far, in floating-point operations.
    public private(set) var flops = 0.0

    /// Rows n.
    public var n: Int { x.shape[0] }
    /// Columns d.
    public var d: Int { x.shape[1] }

    /// Creates the maps.
    ///
    /// - Parameter isRepeated: whether many passes will come, for which transposes are worth their memory.
    public convenience init(
        x: Tensor, mask: Tensor, layout: BlockLayout, rowScale: Tensor, isRepeated: Bool = true
    ) {
        self.init(
            x: x, mask: mask, layout: layout, rowScale: rowScale, usesKernels: x.device.kind == .cpu,
            isRepeated: isRepeated)
    }

    init(x: Tensor, mask: Tensor, layout: BlockLayout, rowScale: Tensor, usesKernels: Bool, isRepeated: Bool = true) {
        demand(mask.shape == [x.shape[0], layout.patterns], "mask \(mask.shape) for x \(x.shape)")
        self.x = x
        self.mask = mask
        self.layout = layout
        self.rowScale = rowScale
        self.usesKernels = usesKernels
        // 8 MiB of products stay in the last-level cache of current machines; a GPU wants fewer, larger products.
        let elements = x.device.kind == .cpu ? 2_000_000 : 200_000_000
        let chunk = max(64, elements / max(1, layout.columns))
        self.chunk = chunk
        let n = x.shape[0]
        let gains = isRepeated && Self.keepsTransposes(of: x.shape) && x.rows(0..<min(chunk, n)).gainsFromCopy
        transposes =
            gains
            ? stride(from: 0, to: n, by: chunk).map { x.rows($0..<min(n, $0 + chunk)).transposed().contiguous() } : []
    }

    /// Whether features of this shape are small enough to be held twice.
    public static func keepsTransposes(of shape: [Int]) -> Bool { shape[0] * shape[1] <= 250_000_000 }

    // MARK: Passes

    /// `F̃ q`, `n × C`, for `q` in coupled columns.
    public func forward(_ q: Tensor) -> Tensor {
        var pieces: [Tensor] = []
        forEachChunk { range, xs, ms in
            pieces.append(contract(product(xs, q), ms, rows: range.count))
        }
        return pieces.count == 1 ? pieces[0] : Tensor.concatenate(pieces, dimension: 0)
    }

    /// `F̃' r`, `d × coupled columns`, for `r` of shape `n × C`.
    public func adjoint(_ r: Tensor) -> Tensor {
        var sum = Tensor.zeros(like: x, shape: [d, layout.coupledColumns])
        forEachChunk { range, xs, ms in
            accumulate(&sum, xs, range, expand(r.rows(range), ms, rows: range.count))
        }
        return sum
    }

    /// `F̃'F̃ q`.
    public func normal(_ q: Tensor) -> Tensor {
        var sum = Tensor.zeros(like: x, shape: [d, layout.coupledColumns])
        forEachChunk { range, xs, ms in
            let fitted = contract(product(xs, q), ms, rows: range.count)
            accumulate(&sum, xs, range, expand(fitted, ms, rows: range.count))
        }
        return sum
    }

    /// `F' r + G'|w|` in full columns: the data and cone part of the right-hand side.
    func rightHandSide(data r: Tensor, cone w: Tensor?) -> Tensor {
        guard let w else { return signed(adjoint(r)) }
        var sum = Tensor.zeros(like: x, shape: [d, layout.columns])
        forEachChunk { range, xs, ms in
            var piece = signedExpand(r.rows(range), ms, rows: range.count)
            addCone(&piece, w.rows(range), ms, rowScale.rows(range), rows: range.count)
            accumulate(&sum, xs, range, piece)
        }
        return sum
    }

    /// Updates the cone variable in place from `X u` and returns `F u` with the sums of the update.
    func updateCone(_ u: Tensor, _ w: inout Tensor, relaxation: Double) -> (fitted: Tensor, sums: ConeSums) {
        var pieces: [Tensor] = []
        var sums = ConeSums()
        forEachChunk { range, xs, ms in
            let y = product(xs, u)
            sums += updateCone(y, &w, ms, range, relaxation: relaxation)
            pieces.append(contract(coupledProducts(y, rows: range.count), ms, rows: range.count))
        }
        return (pieces.count == 1 ? pieces[0] : Tensor.concatenate(pieces, dimension: 0), sums)
    }

    /// `G u`, `n × M`: the start of the cone variable for a feasible `u`.
    func cone(_ u: Tensor) -> Tensor {
        var w = Tensor.zeros(like: x, shape: [n, layout.columns])
        _ = updateCone(u, &w, relaxation: 1)
        return w
    }

    // MARK: Chunks

    private func forEachChunk(_ body: (Range<Int>, Tensor, Tensor) -> Void) {
        var start = 0
        while start < n {
            let range = start..<min(n, start + chunk)
            body(range, x.rows(range), mask.rows(range))
            start = range.upperBound
        }
    }

    private func product(_ rows: Tensor, _ u: Tensor) -> Tensor {
        flops += 2 * Double(rows.shape[0]) * Double(d) * Double(u.shape[1])
        return rows.thinProduct(u)
    }

    private func accumulate(_ sum: inout Tensor, _ rows: Tensor, _ range: Range<Int>, _ piece: Tensor) {
        flops += 2 * Double(rows.shape[0]) * Double(d) * Double(piece.shape[1])
        let copy = transposes.isEmpty ? nil : transposes[range.lowerBound / chunk]
        sum.addThinProduct(transposed: rows, piece, copy: copy)
    }

    /// Repeats coupled columns with both signs where the layout has signs.
    func signed(_ q: Tensor) -> Tensor { layout.isSigned ? layout.joined(q, -q) : q }
}
