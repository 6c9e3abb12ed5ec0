/// A cursor over bytes that checks every step against their end.
struct ByteReader {
    let bytes: [UInt8]
    let path: String
    var position = 0

    var remaining: Int { bytes.count - position }

    /// Moves past `count` bytes and returns where they lie; `part` names them in the error.
    mutating func take(_ count: Int, _ part: String) throws(InterchangeError) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw .truncated(path, part) }
        defer { position += count }
        return position..<position + count
    }

    /// The next little-endian unsigned integer.
    mutating func little<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type, _ part: String
    ) throws(InterchangeError) -> Value {
        var value: Value = 0
        for index in try take(MemoryLayout<Value>.size, part).reversed() {
            value = value << 8 | Value(bytes[index])
        }
        return value
    }

    /// The next big-endian unsigned integer.
    mutating func big<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type, _ part: String
    ) throws(InterchangeError) -> Value {
        try little(type, part).byteSwapped
    }

    /// The next 64-bit little-endian count; one that no file could hold is an error.
    mutating func count64(_ part: String) throws(InterchangeError) -> Int {
        guard let value = Int(exactly: try little(UInt64.self, part)) else {
            throw InterchangeError(path, "\(part) holds an impossible size", "Copy or download it again")
        }
        return value
    }
}

extension [UInt8] {
    /// Appends an integer in little-endian order.
    mutating func appendLittle<Value: FixedWidthInteger>(_ value: Value) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Reverses the bytes of every element of `size` bytes.
    mutating func swapBytes(elementSize size: Int) {
        func swap<Word: FixedWidthInteger>(_ words: UnsafeMutableRawBufferPointer, _ type: Word.Type) {
            let stride = MemoryLayout<Word>.size
            for offset in Swift.stride(from: 0, to: words.count - words.count % stride, by: stride) {
                let word = words.loadUnaligned(fromByteOffset: offset, as: Word.self)
                words.storeBytes(of: word.byteSwapped, toByteOffset: offset, as: Word.self)
            }
        }
        withUnsafeMutableBytes { words in
            switch size {
            case 2: swap(words, UInt16.self)
            case 4: swap(words, UInt32.self)
            case 8: swap(words, UInt64.self)
            default: break
            }
        }
    }
}
