/// A table of named columns, as a CSV file holds it.
public struct CSVTable: Sendable {
    /// One column of a table.
    public struct Column: Sendable {
        /// The name in the header, or `column1`, `column2`... where there is none.
        public var name: String
        /// One number a row; NaN where the field is missing or text.
        public var values: [Double]
        /// One string a row, "" for missing ones; nil where every field is a number or missing.
        public var text: [String]?
        /// How many fields are missing: empty, `NA`, `N/A`, `nan`, `null` (in any case) or `?`.
        public var missingCount: Int
        /// The line of the first missing field, counted from 1 in the file.
        public var firstMissingLine: Int?
        /// The line of the first field that is text, counted from 1 in the file.
        public var firstTextLine: Int?
    }

    /// The columns in the order of the file.
    public var columns: [Column]
    /// The number of rows without the header.
    public var rowCount: Int
    /// Whether the first row was read as names.
    public var hasHeader: Bool
    /// The character between fields.
    public var separator: Character
}

/// Reads comma-separated values and their relatives.
public enum CSV {
    /// Reads a table, plain or compressed with gzip, which the content tells apart.
    ///
    /// What `header` and `separator` leave open is found from the first rows: the separator among `,`, `;`, tab and
    /// `|`; a header where a column begins with text and goes on with numbers, or where the first row is text, each
    /// field different. Blank lines are skipped. Throws for a file that cannot be read or holds no rows, for a row of
    /// another length than the first, and for quotes that are not closed.
    public static func read(
        _ path: String, header: Bool? = nil, separator: Character? = nil
    ) throws(InterchangeError) -> CSVTable {
        try parse(try InputFile.bytes(path), path: path, header: header, separator: separator)
    }

    static func parse(
        _ content: [UInt8], path: String, header: Bool? = nil, separator: Character? = nil
    ) throws(InterchangeError) -> CSVTable {
        guard !content.isEmpty else { throw .empty(path) }
        let bytes = Gzip.isGzip(content) ? try Gzip.decompress(content, path: path) : content
        guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
            throw InterchangeError(path, "the text is UTF-16", "Save it as UTF-8")
        }
        if let separator {
            // What numbers are written with would end a field in one pass over the text and not in another.
            guard let byte = separator.asciiValue, !"\n\r\"+-.0123456789eE".utf8.contains(byte) else {
                throw InterchangeError(
                    path, "'\(separator)' cannot separate fields", "Use one ASCII character that no number holds")
            }
        }
        return try bytes.withUnsafeBufferPointer { (buffer) throws(InterchangeError) -> CSVTable in
            // Some programs mark UTF-8 text by three bytes at its start.
            let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            let text = UnsafeBufferPointer(rebasing: buffer[start...])
            let dialect = try CSVDialect(of: text, path: path, header: header, separator: separator?.asciiValue)
            return try CSVTableReader(text, path: path, dialect: dialect).table()
        }
    }
}
