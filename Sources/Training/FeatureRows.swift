import Datasets
import Networks
import Torch

/// Features of some rows as a network reads them: made once, or, where they lie in a mapped file, whenever they are asked
/// for, so that they need not fit in memory.
struct FeatureRows: Sendable {
    private let raw: Tensor
    private let standardiser: Standardiser
    private let made: Tensor?
    let dtype: DType
    let device: Device

    /// Prepares rows; looks at all of them once.
    ///
    /// - Parameter name: of the data, in errors.
    /// - Throws: `DataError` for values that the type does not hold.
    init(_ raw: Tensor, _ standardiser: Standardiser, dtype: DType, device: Device, name: String) throws {
        (self.raw, self.standardiser, self.dtype, self.device) = (raw, standardiser, dtype, device)
        let isFinite: Bool
        if raw.isMapped {
            made = nil
            isFinite = try Self.blocks(raw.shape[0], columns: raw.shape[1]).allSatisfy { range in
                try standardiser.apply(raw.rows(range), dtype: dtype).isFinite
            }
        } else {
            let all = try standardiser.apply(raw, dtype: dtype).to(device: device)
            (made, isFinite) = (all, all.isFinite)
        }
        guard isFinite else {
            throw DataError(
                subject: name, problem: "some values are too large for \(dtype)",
                advice: "Rescale those columns, or ask for `precision` float64")
        }
    }

    var count: Int { raw.shape[0] }
    var columns: Int { standardiser.keptColumns.count }

    /// Some rows, in the order of their numbers.
    func rows(_ indices: [Int]) throws -> Tensor {
        try made?.gathering(indices) ?? standardised(raw.gathering(indices))
    }

    /// Rows that follow each other.
    func block(_ range: Range<Int>) throws -> Tensor { try made?.rows(range) ?? standardised(raw.rows(range)) }

    /// All rows at once.
    func all() throws -> Tensor { try made ?? standardised(raw) }

    /// Raw features as these are.
    func standardised(_ part: Tensor) throws -> Tensor {
        try standardiser.apply(part, dtype: dtype).to(device: device)
    }

    fileprivate static func blocks(_ count: Int, columns: Int) -> [Range<Int>] {
        let step = max(1, min(4096, 32_000_000 / max(1, columns * 16)))
        return stride(from: 0, to: count, by: step).map { $0..<min(count, $0 + step) }
    }
}

extension Network {
    /// Outputs of many rows, a block at a time.
    func outputs(of rows: FeatureRows) throws -> Tensor {
        let blocks = try FeatureRows.blocks(rows.count, columns: rows.columns).map { self(try rows.block($0)) }
        return blocks.count == 1 ? blocks[0] : Tensor.concatenate(blocks, dimension: 0)
    }
}
