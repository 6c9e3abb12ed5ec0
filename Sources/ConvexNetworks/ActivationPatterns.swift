import Torch

/// Activation patterns `D_i = diag(1[X g_i ≥ 0])` of a set of gates, without duplicates and without the all-zero one.
public struct ActivationPatterns: Sendable {
    /// Gates, `d × P`.
    public var gates: Tensor
    /// Patterns as 0 and 1, `n × P`, `uint8`.
    public var mask: Tensor
    /// Which of the candidates were kept, in order.
    public var kept: [Int]

    /// Number of patterns P.
    public var count: Int { kept.count }

    /// Creates patterns that are already known, as a checkpoint holds them.
    public init(gates: Tensor, mask: Tensor, kept: [Int]) {
        self.gates = gates
        self.mask = mask
        self.kept = kept
    }

    /// The distinct, non-zero patterns of the given gates.
    public init(x: Tensor, gates: Tensor) {
        let mask = Self.mask(x, gates)
        let distinct = Self.distinctColumns(mask)
        kept = distinct
        let isWhole = distinct.count == gates.shape[1]
        self.gates = isWhole ? gates : gates.gathering(distinct, dimension: 1)
        self.mask = isWhole ? mask : mask.gathering(distinct, dimension: 1).contiguous()
    }

    /// Patterns of `count` Gaussian gates `g ~ N(0, I)` (paper, section 3.1), fewer where the data has fewer.
    ///
    /// Draws again for duplicates, up to ten times `count` candidates in all.
    ///
    /// - Parameter isLate: asked before each new draw; then there are no more.
    public static func sampled(
        x: Tensor, count: Int, seed: UInt64, isLate: () -> Bool = { false }
    ) -> ActivationPatterns {
        Runtime.seed(seed)
        var gates = gaussianGates(x, count)
        var patterns = ActivationPatterns(x: x, gates: gates)
        for _ in 0..<9 where patterns.count < count {
            guard !isLate() else { break }
            gates = Tensor.concatenate([patterns.gates, gaussianGates(x, count)], dimension: 1)
            patterns = ActivationPatterns(x: x, gates: gates)
        }
        guard patterns.count > count else { return patterns }
        return ActivationPatterns(x: x, gates: patterns.gates.columns(0..<count).contiguous())
    }

    private static func gaussianGates(_ x: Tensor, _ count: Int) -> Tensor {
        Tensor.randomNormal([x.shape[1], count], dtype: x.dtype, device: x.device)
    }

    /// `1[X g ≥ 0]` in chunks of rows, `n × P`, `uint8`.
    static func mask(_ x: Tensor, _ gates: Tensor) -> Tensor {
        let n = x.shape[0]
        let chunk = max(256, 4_000_000 / max(1, gates.shape[1]))
        var pieces: [Tensor] = []
        var start = 0
        while start < n {
            let range = start..<min(n, start + chunk)
            pieces.append(x.rows(range).times(gates).isAtLeast(0).to(.uint8))
            start = range.upperBound
        }
        return pieces.count == 1 ? pieces[0].contiguous() : Tensor.concatenate(pieces, dimension: 0)
    }

    /// Positions of the first of each distinct non-zero column.
    private static func distinctColumns(_ mask: Tensor) -> [Int] {
        let (n, p) = (mask.shape[0], mask.shape[1])
        let words = (n + 63) / 64
        var columns = [[UInt64]](repeating: [UInt64](repeating: 0, count: words), count: p)
        mask.withBytes { bytes in
            for j in 0..<n {
                let (word, bit) = (j / 64, UInt64(1) << UInt64(j % 64))
                for i in 0..<p where bytes[j * p + i] != 0 { columns[i][word] |= bit }
            }
        }
        var seen: Set<[UInt64]> = [[UInt64](repeating: 0, count: words)]
        return columns.indices.filter { seen.insert(columns[$0]).inserted }
    }
}
