import Torch

/// Standardised features, with a column of ones behind them if wanted, made a block of columns at a time.
public struct StandardisedColumns: Sendable {
    /// The features as they were read, n × d.
    public let features: Tensor
    /// What is subtracted and divided by.
    public let standardiser: Standardiser
    /// Element type of the blocks.
    public let dtype: DType
    /// Whether a column of ones comes last.
    public let appendsOnes: Bool
    /// Device that the blocks are made on.
    public let device: Device

    /// Throws where the number of columns differs from that of the training features, and where none is kept.
    public init(
        _ features: Tensor, standardiser: Standardiser, dtype: DType, appendsOnes: Bool, device: Device = .cpu
    ) throws {
        try standardiser.requireColumns(of: features)
        self.features = features
        self.standardiser = standardiser
        self.dtype = dtype
        self.appendsOnes = appendsOnes
        self.device = device
    }

    /// Rows, and kept columns with the one of ones.
    public var shape: [Int] { [features.shape[0], standardiser.keptColumns.count + (appendsOnes ? 1 : 0)] }

    /// The columns of a range, all rows.
    public func columns(_ range: Range<Int>) -> Tensor {
        let kept = standardiser.keptColumns.count
        let part = range.clamped(to: 0..<kept)
        let scaled = standardiser.standardised(part, of: features, dtype: dtype).to(device: device)
        guard range.upperBound > kept else { return scaled }
        let ones = Tensor.full([features.shape[0], 1], 1, dtype: dtype, device: device)
        return part.isEmpty ? ones : Tensor.concatenate([scaled, ones], dimension: 1)
    }

    /// All columns: `Standardiser.apply`.
    public func matrix() throws -> Tensor {
        try standardiser.apply(features, dtype: dtype, appendingOnes: appendsOnes).to(device: device)
    }
}
