import Torch

/// How features are shifted and scaled before training.
public enum Standardisation: String, Sendable, Codable, CaseIterable {
    /// Each column to mean 0 and standard deviation 1.
    case perColumn
    /// All columns by the mean and the standard deviation of all elements, as suits images.
    case global
    /// Not at all.
    case none
}

/// Shifts and scales features by what was measured on training rows.
public struct Standardiser: Sendable, Codable, Equatable {
    /// What is subtracted from each kept column.
    public var mean: [Double]
    /// What each kept column is divided by, population standard deviations.
    public var scale: [Double]
    /// The positions of the columns that are kept, ascending.
    public var keptColumns: [Int]
    /// The number of columns d of the features it was fitted on.
    public var inputColumns: Int
    /// How columns are shifted and scaled.
    public var method: Standardisation
    /// Whether NaN becomes the column's mean, which is 0 in the result, instead of staying NaN.
    public var fillsMissing = false
    /// Which columns were left out and why, one sentence each.
    public private(set) var notices: [String] = []

    /// Rows of one pass: few enough that the double-precision copies stay small beside the data.
    private static func rowsAtOnce(_ columns: Int) -> Int { min(4096, max(1, 4_000_000 / max(1, columns))) }

    /// Shifts and scales all columns by given numbers.
    ///
    /// - Parameters:
    ///   - columns: number of columns d.
    ///   - mean: what is subtracted, in the units of the data.
    ///   - scale: what is divided by, > 0.
    public init(columns: Int, mean: Double, scale: Double) {
        demand(scale > 0, "a scale of \(scale)")
        method = .global
        inputColumns = columns
        keptColumns = Array(0..<columns)
        self.mean = [Double](repeating: mean, count: columns)
        self.scale = [Double](repeating: scale, count: columns)
    }

    /// Measures features n × d, n > 0, whose NaN are passed over.
    ///
    /// `perColumn` drops columns that are constant and copies of earlier ones; the other methods keep all columns.
    public init(fitting features: Tensor, method: Standardisation) {
        demand(features.rank == 2 && features.shape[0] > 0, "Standardiser of shape \(features.shape)")
        let columns = features.shape[1]
        self.method = method
        inputColumns = columns
        keptColumns = Array(0..<columns)
        mean = [Double](repeating: 0, count: columns)
        scale = [Double](repeating: 1, count: columns)
        guard method != .none, columns > 0 else { return }
        let moments = ColumnMoments(features, rowsAtOnce: Self.rowsAtOnce(columns), isGlobal: method == .global)
        if method == .global {
            mean = [Double](repeating: moments.mean[0], count: columns)
            let deviation = moments.deviation[0]
            scale = [Double](repeating: deviation > 0 ? deviation : 1, count: columns)
            return
        }
        let constant = keptColumns.filter { moments.isConstant[$0] }
        let copies = Self.copies(features, among: keptColumns.filter { !moments.isConstant[$0] })
        let dropped = Set(constant).union(copies)
        keptColumns = keptColumns.filter { !dropped.contains($0) }
        mean = keptColumns.map { moments.mean[$0] }
        scale = keptColumns.map { moments.deviation[$0] }
        if !constant.isEmpty { notices.append("\(Self.listing(constant)) dropped: the same value in every row") }
        if !copies.isEmpty { notices.append("\(Self.listing(copies)) dropped: a copy of an earlier column") }
    }

    /// The features n × d with the kept columns standardised in double precision and rounded to `dtype`, with a column
    /// of ones behind them if wanted.
    ///
    /// Throws where the number of columns differs from that of the training features, and where none is kept.
    public func apply(_ features: Tensor, dtype: DType, appendingOnes: Bool = false) throws -> Tensor {
        try requireColumns(of: features)
        let (rows, columns) = (features.shape[0], features.shape[1])
        let width = keptColumns.count + (appendingOnes ? 1 : 0)
        var result = Tensor.zeros([rows, width], dtype: dtype, device: features.device)
        let step = Self.rowsAtOnce(columns)
        for start in stride(from: 0, to: rows, by: step) {
            let block = features.rows(start..<min(start + step, rows))
            var part = standardised(0..<keptColumns.count, of: block, dtype: dtype)
            if appendingOnes {
                let ones = Tensor.full([part.shape[0], 1], 1, dtype: dtype, device: features.device)
                part = Tensor.concatenate([part, ones], dimension: 1)
            }
            result.setRows(from: start, to: part)
        }
        return result
    }

    /// Why these numbers, as a file may hold them, standardise nothing; nil where they can.
    public var fault: String? {
        let width = keptColumns.count
        guard inputColumns >= 0, inputColumns <= 1 << 31 else { return "a standardiser of \(inputColumns) columns" }
        guard mean.count == width, scale.count == width else {
            return "a standardiser of \(width) columns with \(mean.count) means and \(scale.count) scales"
        }
        guard keptColumns.allSatisfy({ (0..<inputColumns).contains($0) }),
            zip(keptColumns, keptColumns.dropFirst()).allSatisfy({ $0 < $1 })
        else { return "a standardiser of columns that are not there" }
        guard mean.allSatisfy(\.isFinite), scale.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            return "a standardiser with means that are no numbers, or scales that are not above 0"
        }
        return nil
    }

    /// Throws unless the features have the columns of the training data, and one of these is kept.
    func requireColumns(of features: Tensor) throws {
        let columns = features.rank == 2 ? features.shape[1] : 0
        guard columns == inputColumns else {
            throw DataError(
                "features", "the model was trained on \(counted(inputColumns, "column")), these data have \(columns)",
                "Give the same columns as in training")
        }
        guard !keptColumns.isEmpty else {
            throw DataError("features", "every column is constant, so there is nothing to learn from", "Check the data")
        }
    }

    /// A part of the kept columns of features n × d, standardised; `range` counts kept columns.
    func standardised(_ range: Range<Int>, of features: Tensor, dtype: DType) -> Tensor {
        let kept = keptColumns[range]
        let first = kept.first ?? 0
        let isRun = kept.last.map { $0 - first == kept.count - 1 } ?? true
        let part = isRun ? features.columns(first..<first + kept.count) : features.gathering(Array(kept), dimension: 1)
        guard method != .none || fillsMissing else { return part.to(dtype) }
        let shift = Tensor(Array(mean[range])).to(device: features.device)
        guard method != .none else {
            return part.selecting(where: part.isEqual(to: part), otherwise: shift.to(part.dtype)).to(dtype)
        }
        let scaled = (part.to(.float64) - shift) / Tensor(Array(scale[range])).to(device: features.device)
        guard fillsMissing else { return scaled.to(dtype) }
        let zero = Tensor.zeros(like: scaled, shape: [1])
        return scaled.selecting(where: scaled.isEqual(to: scaled), otherwise: zero).to(dtype)
    }

    private static func listing(_ columns: [Int]) -> String {
        let shown = columns.prefix(8).map { "\($0 + 1)" }.joined(separator: ", ")
        let rest = columns.count > 8 ? " and \(columns.count - 8) more" : ""
        return "\(columns.count == 1 ? "column" : "columns") \(shown)\(rest)"
    }

    /// The columns, among the given ones, that equal an earlier one in every row.
    private static func copies(_ features: Tensor, among columns: [Int]) -> [Int] {
        let hashes = columnHashes(features)
        var firsts: [UInt32: [Int]] = [:]
        var copies: [Int] = []
        for column in columns {
            let earlier = firsts[hashes[column], default: []]
            let isCopy = earlier.contains { other in
                let pair = features.gathering([other, column], dimension: 1)
                let difference = pair.columns(0..<1).isEqual(to: pair.columns(1..<2))
                return difference.to(.float64).min().scalar == 1
            }
            if isCopy { copies.append(column) } else { firsts[hashes[column], default: []].append(column) }
        }
        return copies
    }

    /// A hash of the bits of each column; columns with equal ones are compared afterwards.
    private static func columnHashes(_ features: Tensor) -> [UInt32] {
        let width = features.shape[1]
        var hashes = [UInt32](repeating: 0x811C_9DC5, count: width)
        func add<Word: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ type: Word.Type) {
            let words = bytes.bindMemory(to: Word.self)
            hashes.withUnsafeMutableBufferPointer { hashes in
                for start in stride(from: 0, to: words.count, by: width) {
                    for column in 0..<width {
                        let word = words[start &+ column]
                        let folded = UInt32(truncatingIfNeeded: word) ^ UInt32(truncatingIfNeeded: word >> 32)
                        hashes[column] = (hashes[column] ^ folded) &* 0x0100_0193
                    }
                }
            }
        }
        if features.dtype == .float32 {
            features.withBytes { add($0, UInt32.self) }
        } else {
            features.to(.float64).withBytes { add($0, UInt64.self) }
        }
        return hashes
    }
}
