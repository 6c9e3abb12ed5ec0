/// A canonical Huffman code of DEFLATE: short codes are looked up at once, longer ones are walked bit by bit.
///
/// An entry is `symbol << 4 | length`; 0 stands for no code.
final class HuffmanTable: @unchecked Sendable {
    // Sendable because the tables are written by `init` alone.
    static let rootBits = 10
    private let root = UnsafeMutablePointer<UInt16>.allocate(capacity: 1 << rootBits)
    private let counts = UnsafeMutablePointer<UInt16>.allocate(capacity: 16)
    private let symbols = UnsafeMutablePointer<UInt16>.allocate(capacity: 288)

    deinit {
        root.deallocate()
        counts.deallocate()
        symbols.deallocate()
    }

    /// Makes the code in which symbol `i` has `lengths[i]` bits (0: unused, at most 15), of at most 288 symbols.
    ///
    /// An over-subscribed code is refused, and so is an incomplete one, unless it has at most one symbol, of one bit.
    init(lengths: ArraySlice<UInt8>) throws(InflateFailure) {
        root.initialize(repeating: 0, count: 1 << HuffmanTable.rootBits)
        counts.initialize(repeating: 0, count: 16)
        symbols.initialize(repeating: 0, count: 288)
        for length in lengths { counts[Int(length)] += 1 }
        let used = lengths.count - Int(counts[0])
        counts[0] = 0

        var nextCode = [Int](repeating: 0, count: 17)
        var nextIndex = [Int](repeating: 0, count: 17)
        var left = 1
        for length in 1...15 {
            left = left * 2 - Int(counts[length])
            guard left >= 0 else { throw InflateFailure("a Huffman code has too many symbols") }
            nextCode[length + 1] = (nextCode[length] + Int(counts[length])) << 1
            nextIndex[length + 1] = nextIndex[length] + Int(counts[length])
        }
        guard left == 0 || used == 0 || used == 1 && counts[1] == 1 else {
            throw InflateFailure("a Huffman code is incomplete")
        }
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let length = Int(length)
            symbols[nextIndex[length]] = UInt16(symbol)
            nextIndex[length] += 1
            if length <= HuffmanTable.rootBits {
                fillRoot(code: nextCode[length], length: length, entry: UInt16(symbol << 4 | length))
            }
            nextCode[length] += 1
        }
    }

    /// Writes `entry` wherever the low bits of the index are `code` reversed.
    private func fillRoot(code: Int, length: Int, entry: UInt16) {
        var reversed = 0
        for bit in 0..<length where code >> bit & 1 == 1 { reversed |= 1 << (length - 1 - bit) }
        for index in stride(from: reversed, to: 1 << HuffmanTable.rootBits, by: 1 << length) { root[index] = entry }
    }

    /// The entry of the code that begins at the lowest bit of `bits`.
    @inline(__always)
    func entry(_ bits: UInt64) -> Int {
        let entry = root[Int(truncatingIfNeeded: bits & UInt64(1 << HuffmanTable.rootBits - 1))]
        return entry != 0 ? Int(entry) : longEntry(bits)
    }

    @inline(never)
    private func longEntry(_ bits: UInt64) -> Int {
        var code = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            code |= Int(bits >> UInt64(length - 1) & 1)
            let count = Int(counts[length])
            if code - first < count { return Int(symbols[index + code - first]) << 4 | length }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        return 0
    }
}
