import Foundation

/// Reads the rows of CSV text whose dialect is known.
struct CSVTableReader {
    /// What is counted about a column while its values are read.
    private struct Notes {
        var missingCount = 0
        var firstMissingLine: Int?
        var firstTextLine: Int?
    }

    private let path: String
    private let dialect: CSVDialect
    private let scanner: CSVScanner
    /// At least the number of rows.
    private let capacity: Int

    init(_ text: UnsafeBufferPointer<UInt8>, path: String, dialect: CSVDialect) {
        self.path = path
        self.dialect = dialect
        scanner = CSVScanner(text, separator: dialect.separator, path: path)
        var lineEnds = 0
        for byte in text { lineEnds &+= byte == 0x0A || byte == 0x0D ? 1 : 0 }
        // A row of n fields takes n bytes with its line end, so blank lines cannot inflate the table.
        capacity = min(lineEnds, text.count / dialect.columnCount) + 1
    }

    /// The whole table: numbers in one pass, and in a second one the text of those columns that hold any.
    func table() throws(InterchangeError) -> CSVTable {
        var scanner = scanner
        let names = try names(&scanner)
        var notes = [Notes](repeating: Notes(), count: dialect.columnCount)
        // The columns lie one behind the other; pages that no row reaches are never touched.
        let values = UnsafeMutablePointer<Double>.allocate(capacity: capacity * dialect.columnCount)
        defer { values.deallocate() }
        let firstRow = scanner
        let rowCount = try readValues(&scanner, into: values, &notes)
        let textColumns = notes.indices.filter { notes[$0].firstTextLine != nil }
        var texts = textColumns.isEmpty ? [:] : try readText(firstRow, textColumns, rowCount)
        let columns = names.indices.map { column in
            CSVTable.Column(
                name: names[column],
                values: Array(UnsafeBufferPointer(start: values + column * capacity, count: rowCount)),
                text: texts.removeValue(forKey: column), missingCount: notes[column].missingCount,
                firstMissingLine: notes[column].firstMissingLine, firstTextLine: notes[column].firstTextLine)
        }
        return CSVTable(
            columns: columns, rowCount: rowCount, hasHeader: dialect.hasHeader,
            separator: Character(Unicode.Scalar(dialect.separator)))
    }

    private func names(_ scanner: inout CSVScanner) throws(InterchangeError) -> [String] {
        var names = (1...dialect.columnCount).map { "column\($0)" }
        guard dialect.hasHeader, scanner.beginRow() else { return names }
        var column = 0
        repeat {
            let name = try scanner.field().text
            if !name.isEmpty { names[column] = name }
            column += 1
        } while scanner.passFieldEnd()
        return names
    }

    private func readValues(
        _ scanner: inout CSVScanner, into values: UnsafeMutablePointer<Double>, _ notes: inout [Notes]
    ) throws(InterchangeError) -> Int {
        let columnCount = dialect.columnCount
        var row = 0
        while scanner.beginRow() {
            let line = scanner.line
            var column = 0
            var target = values + row
            repeat {
                if column >= columnCount {
                    _ = try scanner.field()
                } else if let number = scanner.plainNumber() {
                    target.initialize(to: number)
                } else {
                    let line = scanner.line
                    target.initialize(to: CSVTableReader.value(of: try scanner.field(), line, &notes[column]))
                }
                target += capacity
                column &+= 1
            } while scanner.passFieldEnd()
            guard column == columnCount else {
                let problem = "line \(line) has \(column) fields where the first row has \(columnCount)"
                throw InterchangeError(path, problem, "Correct that line, or name the separator")
            }
            row += 1
        }
        return row
    }

    @inline(never)
    private static func value(of field: CSVScanner.Field, _ line: Int, _ notes: inout Notes) -> Double {
        if let number = field.number { return number }
        if field.isMissing {
            notes.missingCount += 1
            if notes.firstMissingLine == nil { notes.firstMissingLine = line }
        } else if notes.firstTextLine == nil {
            notes.firstTextLine = line
        }
        return .nan
    }

    private func readText(
        _ firstRow: CSVScanner, _ columns: [Int], _ rowCount: Int
    ) throws(InterchangeError) -> [Int: [String]] {
        var scanner = firstRow
        var slots = [Int?](repeating: nil, count: dialect.columnCount)
        for (slot, column) in columns.enumerated() { slots[column] = slot }
        var texts = [[String]](repeating: [], count: columns.count)
        for slot in texts.indices { texts[slot].reserveCapacity(rowCount) }
        while scanner.beginRow() {
            var column = 0
            repeat {
                let field = try scanner.field()
                if let slot = slots[column] { texts[slot].append(field.isMissing ? "" : field.text) }
                column += 1
            } while scanner.passFieldEnd()
        }
        return Dictionary(uniqueKeysWithValues: zip(columns, texts))
    }
}
