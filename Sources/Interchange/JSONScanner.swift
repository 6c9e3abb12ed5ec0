/// Reads the part of JSON that a safetensors header uses, strictly: objects, strings, arrays of whole numbers.
struct JSONScanner {
    struct Failure: Error {
        var problem: String

        init(_ problem: String) { self.problem = problem }
    }

    let bytes: [UInt8]
    private(set) var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads an object; `member` is called behind every key's colon and reads the value.
    mutating func object(_ member: (inout JSONScanner, String) throws(Failure) -> Void) throws(Failure) {
        try expect("{")
        if accept("}") { return }
        repeat {
            let key = try string()
            try expect(":")
            try member(&self, key)
        } while accept(",")
        try expect("}")
    }

    /// Reads an array of non-negative whole numbers.
    mutating func integers() throws(Failure) -> [Int] {
        try expect("[")
        var values: [Int] = []
        if accept("]") { return values }
        repeat { values.append(try integer()) } while accept(",")
        try expect("]")
        return values
    }

    /// Reads a string.
    mutating func string() throws(Failure) -> String {
        try expect("\"")
        var content: [UInt8] = []
        while true {
            guard let byte = next() else { throw Failure("a string has no end") }
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw Failure("a string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): content += Array(String(try escape()).utf8)
            case ..<32: throw Failure("a string holds a control character")
            default: content.append(byte)
            }
        }
    }

    /// Checks that only spaces are left.
    mutating func end() throws(Failure) {
        skipSpaces()
        guard position == bytes.count else { throw Failure("something follows the closing brace") }
    }

    private mutating func integer() throws(Failure) -> Int {
        skipSpaces()
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            position += 1
        }
        let digits = bytes[start..<position]
        guard let value = Int(String(decoding: digits, as: UTF8.self)),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { throw Failure("a whole number was expected") }
        return value
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        switch next() {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            // Beyond the basic plane a character is written as two surrogates.
            if (0xD800..<0xDC00).contains(code), next() == UInt8(ascii: "\\"), next() == UInt8(ascii: "u") {
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw Failure("a string holds half a character") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw Failure("a string holds half a character") }
            return scalar
        default: throw Failure("a string holds an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw Failure("a string holds a damaged escape")
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func expect(_ token: Unicode.Scalar) throws(Failure) {
        guard accept(token) else { throw Failure("'\(token)' was expected") }
    }

    private mutating func accept(_ token: Unicode.Scalar) -> Bool {
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: token) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpaces() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }
}
