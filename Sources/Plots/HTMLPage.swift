/// The weight of a notice.
public enum NoticeLevel: Sendable {
    /// Tells something worth knowing.
    case information
    /// Tells something that limits the trust in the results.
    case warning
}

/// A report as one HTML file that needs neither a network nor scripts.
public struct HTMLPage: Sendable {
    private let title: String
    private let subtitle: String
    private var body = ""

    /// Creates a page with its heading.
    public init(title: String, subtitle: String) {
        self.title = title
        self.subtitle = subtitle
    }

    /// Adds a row of tiles with large numbers.
    public mutating func add(keyFigures: [(label: String, value: String, note: String)]) {
        guard !keyFigures.isEmpty else { return }
        body += "<div class=\"tiles\">\n"
        for figure in keyFigures {
            body += "<dl class=\"tile\" style=\"margin:0\"><dt>\(escaped(figure.label))</dt>"
            body += "<dd class=\"value\">\(escaped(figure.value))</dd>"
            if !figure.note.isEmpty { body += "<dd class=\"note\">\(escaped(figure.note))</dd>" }
            body += "</dl>\n"
        }
        body += "</div>\n"
    }

    /// Adds a heading.
    public mutating func add(section: String) {
        body += "<h2>\(escaped(section))</h2>\n"
    }

    /// Adds a paragraph.
    public mutating func add(text: String) {
        body += "<p>\(escaped(text))</p>\n"
    }

    /// Adds a paragraph set apart from the text.
    public mutating func add(notice: String, level: NoticeLevel) {
        switch level {
        case .information: body += "<p class=\"notice\" role=\"note\"><b>Note</b>\(escaped(notice))</p>\n"
        case .warning: body += "<p class=\"notice warning\" role=\"note\"><b>Warning</b>\(escaped(notice))</p>\n"
        }
    }

    /// Adds a chart and, folded away, the numbers behind it.
    public mutating func add(svg: String, table: (header: [String], rows: [[String]])? = nil) {
        body += "<figure class=\"card chart\"><div class=\"scroll\">\(svg)</div>\n"
        if let table {
            let count = table.rows.count == 1 ? "1 row" : "\(table.rows.count) rows"
            body += "<details><summary>Numbers (\(count))</summary><div class=\"scroll\">"
            body += Self.table(table.header, table.rows) + "</div></details>\n"
        }
        body += "</figure>\n"
    }

    /// Adds markup as it is.
    public mutating func add(html: String) {
        body += html + "\n"
    }

    /// Adds a table.
    public mutating func add(table header: [String], rows: [[String]]) {
        body += "<div class=\"card plain\"><div class=\"scroll\">\(Self.table(header, rows))</div></div>\n"
    }

    /// Writes the whole document.
    public func render() -> String {
        """
        <!DOCTYPE html>
        <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="color-scheme" content="light dark"/>
        <title>\(escaped(title))</title>
        <style>
        \(Theme.page)
        </style>
        </head>
        <body>
        <main>
        <header><h1>\(escaped(title))</h1><p class="subtitle">\(escaped(subtitle))</p></header>
        \(body)</main>
        </body>
        </html>

        """
    }

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        let columns = max(header.count, rows.map(\.count).max() ?? 0)
        let marks = (0..<columns).map { column in
            Format.isNumericColumn(rows.map { column < $0.count ? $0[column] : "" }) ? " class=\"n\"" : ""
        }
        func line(_ cells: [String], _ element: String) -> String {
            let row = (0..<columns).map { column in
                let cell = column < cells.count ? escaped(cells[column]) : ""
                return "<\(element)\(marks[column])>\(cell)</\(element)>"
            }
            return "<tr>\(row.joined())</tr>\n"
        }
        let body = rows.map { line($0, "td") }.joined()
        return "<table><thead>\(line(header, "th"))</thead><tbody>\(body)</tbody></table>"
    }
}
