/// Walks over the fields of CSV text.
struct CSVScanner {
    /// One field, without quotes and without the blanks around it.
    struct Field {
        var bytes: UnsafeBufferPointer<UInt8>
        var isQuoted: Bool

        /// The field as text; damaged UTF-8 is replaced.
        var text: String {
            let quote = UInt8(ascii: "\"")
            guard isQuoted, bytes.contains(quote) else { return String(decoding: bytes, as: UTF8.self) }
            // Byte by byte: a quote and the accent behind it are one character, which would hide a doubled quote.
            var plain: [UInt8] = []
            var isSecond = false
            for byte in bytes {
                isSecond = byte == quote && !isSecond && plain.last == quote
                if !isSecond { plain.append(byte) }
            }
            return String(decoding: plain, as: UTF8.self)
        }

        /// Whether the field stands for a missing value.
        var isMissing: Bool {
            switch bytes.count {
            case 0: return true
            case 1: return bytes[0] == UInt8(ascii: "?")
            case 2...4: return ["na", "n/a", "nan", "null"].contains(text.lowercased())
            default: return false
            }
        }

        /// The field as a number, which may be infinite; nil for text and missing fields.
        var number: Double? {
            guard let start = bytes.baseAddress, !bytes.isEmpty else { return nil }
            var cursor = start
            if let value = DecimalNumber.scan(&cursor, start + bytes.count) {
                return cursor == start + bytes.count ? value : nil
            }
            guard (3...9).contains(bytes.count) else { return nil }
            switch text.lowercased() {
            case "inf", "+inf", "infinity", "+infinity": return .infinity
            case "-inf", "-infinity": return -.infinity
            default: return nil
            }
        }
    }

    let end: UnsafePointer<UInt8>
    let separator: UInt8
    private let path: String
    private(set) var cursor: UnsafePointer<UInt8>
    /// The line the cursor is in, counted from 1.
    private(set) var line = 1

    init(_ text: UnsafeBufferPointer<UInt8>, separator: UInt8, path: String) {
        cursor = text.baseAddress!
        end = cursor + text.count
        self.separator = separator
        self.path = path
    }

    /// Moves to the first field of the next row; false at the end of the text.
    @inline(__always)
    mutating func beginRow() -> Bool {
        while cursor < end {
            let byte = cursor.pointee
            if byte > 0x20 { return true }
            var ahead = cursor
            while ahead < end, isBlank(ahead.pointee) { ahead += 1 }
            if ahead == end {
                cursor = end
            } else if ahead.pointee == 0x0A || ahead.pointee == 0x0D {
                cursor = ahead
                passLineEnd()
            } else {
                return true
            }
        }
        return false
    }

    /// Moves past what ends a field; true where another field of the same row follows.
    @inline(__always)
    mutating func passFieldEnd() -> Bool {
        guard cursor < end else { return false }
        if cursor.pointee == separator {
            cursor += 1
            return true
        }
        passLineEnd()
        return false
    }

    @inline(__always)
    private mutating func passLineEnd() {
        if cursor.pointee == 0x0D, cursor + 1 < end, cursor[1] == 0x0A { cursor += 1 }
        cursor += 1
        line &+= 1
    }

    /// The number that makes up the next field, leaving the cursor at the field's end; nil, without moving, for
    /// anything that is not plainly a number.
    @inline(__always)
    mutating func plainNumber() -> Double? {
        var ahead = cursor
        while ahead < end, ahead.pointee == 0x20, separator != 0x20 { ahead += 1 }
        guard let value = DecimalNumber.scan(&ahead, end), ahead == end || isFieldEnd(ahead.pointee) else { return nil }
        cursor = ahead
        return value
    }

    /// The next field, leaving the cursor at its end.
    mutating func field() throws(InterchangeError) -> Field {
        while cursor < end, isBlank(cursor.pointee) { cursor += 1 }
        if cursor < end, cursor.pointee == UInt8(ascii: "\"") { return try quotedField() }
        let start = cursor
        while cursor < end, !isFieldEnd(cursor.pointee) { cursor += 1 }
        var last = cursor
        while last > start, isBlank(last[-1]) { last -= 1 }
        return Field(bytes: UnsafeBufferPointer(start: start, count: last - start), isQuoted: false)
    }

    private mutating func quotedField() throws(InterchangeError) -> Field {
        let firstLine = line
        cursor += 1
        let start = cursor
        while true {
            guard cursor < end else {
                let problem = "line \(firstLine): the quote that begins a field is never closed"
                throw InterchangeError(path, problem, "Close it, or double a quote that belongs to the text")
            }
            let byte = cursor.pointee
            if byte == UInt8(ascii: "\"") {
                guard cursor + 1 < end, cursor[1] == UInt8(ascii: "\"") else { break }
                cursor += 1
            } else if byte == 0x0A || byte == 0x0D && !(cursor + 1 < end && cursor[1] == 0x0A) {
                line += 1
            }
            cursor += 1
        }
        let bytes = UnsafeBufferPointer(start: start, count: cursor - start)
        cursor += 1
        while cursor < end, isBlank(cursor.pointee) { cursor += 1 }
        guard cursor == end || isFieldEnd(cursor.pointee) else {
            let problem = "line \(line): text follows the closing quote of a field"
            throw InterchangeError(path, problem, "Double the quotes that belong to the text")
        }
        return Field(bytes: bytes, isQuoted: true)
    }

    @inline(__always)
    private func isBlank(_ byte: UInt8) -> Bool { (byte == 0x20 || byte == 0x09) && byte != separator }

    @inline(__always)
    private func isFieldEnd(_ byte: UInt8) -> Bool { byte == separator || byte == 0x0A || byte == 0x0D }
}
