import Foundation
import Interchange
import Torch

extension TableReader {
    /// How many different texts a column may hold to be encoded.
    static let greatestCategoryCount = 50

    /// How a column of the training file is encoded, from the rows that have a target.
    mutating func fitted(_ column: CSVTable.Column, _ rows: [Int]) throws -> TableEncoding.Column {
        if let text = column.text {
            let categories = Set(rows.lazy.map { text[$0] }).subtracting([""])
            let numbers = rows.count { !column.values[$0].isNaN }
            let first = numbers > 0 ? ", first in line \(column.firstTextLine ?? 0) between numbers" : ""
            let content = "column '\(column.name)' holds text (\(counted(categories.count, "value"))\(first))"
            guard categories.count <= Self.greatestCategoryCount else {
                notices.append("\(content), too many to encode: left out")
                return .init(name: column.name, kind: .ignored)
            }
            notices.append("\(content): encoded as one-hot")
            return .init(name: column.name, kind: .categories, categories: ordered(Array(categories)))
        }
        let present = rows.lazy.map { column.values[$0] }.filter { !$0.isNaN }
        guard !present.isEmpty else {
            notices.append("column '\(column.name)' is empty: left out")
            return .init(name: column.name, kind: .ignored)
        }
        let count = Double(present.count)
        // Divided first where the sum would overflow; an infinite value is reported by the encoder.
        let sum = present.reduce(0, +)
        let mean = sum.isFinite ? sum / count : present.reduce(0) { $0 + $1 / count }
        return .init(name: column.name, kind: .number, mean: mean.isFinite ? mean : 0)
    }

    /// Where each column of a known encoding stands in this table; nil for ignored ones that are not there.
    mutating func matched(_ known: TableEncoding, _ others: [Int]) throws -> [Int?] {
        // A table without header, on either side, has no names that could be compared.
        let isNumbered = known.columns.allSatisfy { $0.name.hasPrefix("column") && Int($0.name.dropFirst(6)) != nil }
        if !hasHeader || isNumbered {
            guard others.count == known.columns.count else {
                throw context.error(
                    "it has \(counted(others.count, "feature column")) where the training data have "
                        + "\(known.columns.count)", "Give the same columns in the same order")
            }
            return others
        }
        let position = Dictionary(
            others.map { (columns[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
        let missing = known.columns.filter { $0.kind != .ignored && position[$0.name] == nil }.map(\.name)
        guard missing.isEmpty else {
            throw context.error(
                "\(missing.count == 1 ? "column" : "columns") \(listed(missing)) of the training data "
                    + "\(missing.count == 1 ? "is" : "are") missing", "Give the same columns as in training")
        }
        let names = Set(known.columns.map(\.name))
        let extra = others.map { columns[$0].name }.filter { !names.contains($0) }
        if !extra.isEmpty { notices.append("not in the training data and left out: \(listed(extra))") }
        return known.columns.map { position[$0.name] }
    }
}

/// Collects the features of a table column by column.
struct TableEncoder {
    let context: ReadContext
    let rows: [Int]
    let rowCount: Int
    let hasHeader: Bool
    private(set) var notices: [String] = []
    private var collected: [[Double]] = []

    init(context: ReadContext, rows: [Int], rowCount: Int, hasHeader: Bool) {
        self.context = context
        self.rows = rows
        self.rowCount = rowCount
        self.hasHeader = hasHeader
    }

    /// The number of features so far.
    var width: Int { collected.count }

    /// Appends the features that a column of the table gives under its encoding.
    mutating func append(_ column: CSVTable.Column, as encoding: TableEncoding.Column) throws {
        switch encoding.kind {
        case .ignored: return
        case .number: try appendNumbers(column, mean: encoding.mean)
        case .categories: appendCategories(column, encoding.categories)
        }
    }

    private mutating func appendNumbers(_ column: CSVTable.Column, mean: Double) throws {
        guard column.text == nil else {
            throw context.error(
                "column '\(column.name)' holds text in line \(column.firstTextLine ?? 0) where the training data hold "
                    + "numbers", "Correct it")
        }
        if let row = rows.first(where: { column.values[$0].isInfinite }) {
            let place = Self.place(ofRow: row, rowCount: rowCount, hasHeader: hasHeader, path: context.path)
            throw context.error("column '\(column.name)' holds an infinity in \(place)", "Remove or correct such rows")
        }
        noteMissing(column, "filled with the training mean")
        collected.append(
            rows.map { row in
                let value = column.values[row]
                return value.isNaN ? mean : value
            })
    }

    private mutating func appendCategories(_ column: CSVTable.Column, _ categories: [String]) {
        let index = Dictionary(uniqueKeysWithValues: zip(categories, categories.indices))
        let start = collected.count
        collected += [[Double]](repeating: [Double](repeating: 0, count: rows.count), count: categories.count)
        var unknown: Set<String> = []
        for (position, row) in rows.enumerated() {
            let number = column.values[row]
            let value = column.text?[row] ?? (number.isNaN ? "" : name(of: number))
            if let category = index[value] {
                collected[start + category][position] = 1
            } else if !value.isEmpty {
                unknown.insert(value)
            }
        }
        noteMissing(column, "encoded as no category")
        if !unknown.isEmpty {
            let texts = listed(unknown.sorted(), limit: 5)
            notices.append("column '\(column.name)' holds what the training data do not: \(texts), encoded as zeros")
        }
    }

    private mutating func noteMissing(_ column: CSVTable.Column, _ remedy: String) {
        guard let line = column.firstMissingLine else { return }
        let count = counted(column.missingCount, "missing value")
        notices.append("\(count) in column '\(column.name)' (first in line \(line)): \(remedy)")
    }

    /// The collected features, n × d, float64.
    func features() -> Tensor {
        let (count, width) = (rows.count, collected.count)
        let values = [Double](unsafeUninitializedCapacity: count * width) { buffer, filled in
            for (column, values) in collected.enumerated() {
                for row in 0..<count { buffer.initializeElement(at: row * width + column, to: values[row]) }
            }
            filled = count * width
        }
        return Tensor(values, shape: [count, width])
    }

    /// The line of a row, where the file's lines tell it, else the row's number.
    static func place(ofRow row: Int, rowCount: Int, hasHeader: Bool, path: String) -> String {
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        var lines: [Int] = []
        var (line, isBlank) = (1, true)
        var previous: UInt8 = 0
        for byte in bytes + [0x0A] {
            if byte == 0x0A || byte == 0x0D {
                if byte == 0x0A && previous == 0x0D {
                    previous = byte
                    continue
                }
                if !isBlank { lines.append(line) }
                (line, isBlank) = (line + 1, true)
            } else if byte != 0x20 && byte != 0x09 {
                isBlank = false
            }
            previous = byte
        }
        // Quoted line ends and compression make the lines something else than the rows.
        let header = hasHeader ? 1 : 0
        guard lines.count == rowCount + header else { return "row \(row + 1) of the data" }
        return "line \(lines[row + header])"
    }
}
