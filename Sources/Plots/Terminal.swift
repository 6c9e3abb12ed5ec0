/// Charts and tables made of characters.
public enum Terminal {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// Draws values as one row of bars; values that are not finite leave a gap.
    ///
    /// More values than columns are averaged; equal values are drawn at half height.
    public static func sparkline(_ values: [Double], width: Int) -> String {
        guard width > 0, !values.isEmpty else { return "" }
        let columns = min(width, values.count)
        let means = (0..<columns).map { column -> Double? in
            let slice = values[column * values.count / columns..<(column + 1) * values.count / columns]
            let finite = slice.filter(\.isFinite)
            // Dividing before adding keeps the sum finite.
            return finite.isEmpty ? nil : finite.reduce(0) { $0 + $1 / Double(finite.count) }
        }
        let known = means.compactMap { $0 }
        guard let lowest = known.min(), let highest = known.max() else { return String(repeating: " ", count: columns) }
        let half = highest / 2 - lowest / 2
        return String(
            means.map { mean -> Character in
                guard let mean else { return " " }
                guard half > 0 else { return blocks[3] }
                let share = (mean / 2 - lowest / 2) / half
                return blocks[min(7, max(0, Int(share * 8)))]
            })
    }

    /// Lays out a table in aligned columns, with numbers flush right.
    public static func table(header: [String], rows: [[String]]) -> String {
        let columns = max(header.count, rows.map(\.count).max() ?? 0)
        guard columns > 0 else { return "" }
        func padded(_ cells: [String]) -> [String] {
            cells.map(printable) + Array(repeating: "", count: columns - cells.count)
        }
        let head = padded(header)
        let body = rows.map(padded)
        let isNumeric = (0..<columns).map { column in Format.isNumericColumn(body.map { $0[column] }) }
        let widths = (0..<columns).map { column in
            ([head] + body).map { displayWidth($0[column]) }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            var result = ""
            for (column, cell) in cells.enumerated() {
                let space = String(repeating: " ", count: widths[column] - displayWidth(cell))
                result += (column > 0 ? "  " : "") + (isNumeric[column] ? space + cell : cell + space)
            }
            while result.last == " " { result.removeLast() }
            return result
        }
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        return ([line(head), rule] + body.map(line)).joined(separator: "\n") + "\n"
    }

    private static func displayWidth(_ text: String) -> Int {
        text.reduce(0) { $0 + (TextMetrics.isWide($1) ? 2 : 1) }
    }

    /// Control characters would break the columns or steer the terminal.
    private static func printable(_ text: String) -> String {
        String(text.map { $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? " " : $0 })
    }
}
