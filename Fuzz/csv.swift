@testable import Interchange

/// Reads a table with and without hints, and reads what it holds again from a plain rendering.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let steering = input.byte()
    let header: Bool? = [nil, nil, true, false][steering & 3]
    let separator = steering & 4 == 0 ? nil : Character(Unicode.Scalar(UInt8(input.byte())))
    let table = try CSV.parse(input.all(), path: path, header: header, separator: separator)
    check(!table.columns.isEmpty, "a table without columns")
    for column in table.columns {
        check(column.values.count == table.rowCount, "a column lacks rows")
        check(column.text.map { $0.count == table.rowCount } ?? true, "a column lacks texts")
        check((column.text == nil) == (column.firstTextLine == nil), "texts without a line")
        check((column.missingCount == 0) == (column.firstMissingLine == nil), "missing fields without a line")
        check(column.missingCount <= column.values.count { $0.isNaN }, "a missing field with a value")
    }
    let again = try CSV.parse(rendered(table), path: path, header: true, separator: table.separator)
    check(again.rowCount == table.rowCount && again.columns.count == table.columns.count, "the table changed its size")
    for (column, other) in zip(table.columns, again.columns) {
        check(column.name == other.name, "a name changed")
        check(column.text == other.text, "a text changed")
        check(column.missingCount == other.missingCount, "a field became missing or present")
        check(zip(column.values, other.values).allSatisfy { isSame($0, $1) }, "a number changed")
    }
}

private func isSame(_ left: Double, _ right: Double) -> Bool {
    left.isNaN && right.isNaN || left.bitPattern == right.bitPattern
}

/// The table as CSV with every field in quotes.
private func rendered(_ table: CSVTable) -> [UInt8] {
    let rows = (0..<table.rowCount).map { row in
        table.columns.map { $0.text?[row] ?? ($0.values[row].isNaN ? "" : "\($0.values[row])") }
    }
    var text: [UInt8] = []
    for row in [table.columns.map(\.name)] + rows {
        for (column, field) in row.enumerated() {
            if column > 0 { text += Array(String(table.separator).utf8) }
            text.append(UInt8(ascii: "\""))
            for byte in field.utf8 { text += byte == UInt8(ascii: "\"") ? [byte, byte] : [byte] }
            text.append(UInt8(ascii: "\""))
        }
        text.append(UInt8(ascii: "\n"))
    }
    return text
}
