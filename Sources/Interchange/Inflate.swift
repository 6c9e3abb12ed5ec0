/// What is wrong with a DEFLATE stream.
struct InflateFailure: Error {
    var problem: String
    /// Whether nothing is wrong but the size, which is beyond the limit.
    var isTooLarge = false

    init(_ problem: String) { self.problem = problem }

    static let tooLarge = {
        var failure = InflateFailure("the data is larger than its declared size")
        failure.isTooLarge = true
        return failure
    }()
    static let truncated = InflateFailure("the compressed data ends too early")
}

/// Decompresses raw DEFLATE data (RFC 1951).
struct Inflate: ~Copyable {
    /// No DEFLATE stream grows by more than this factor.
    private static let greatestExpansion = 1032
    /// A match writes at most 258 bytes, and its last word may reach 7 bytes further.
    private static let slack = 272

    private let input: UnsafeRawBufferPointer
    private var position: Int
    /// Bits read but not used, lowest first; those above `bitCount` are zero or what the input holds there.
    private var bits: UInt64 = 0
    private var bitCount = 0

    private var output: UnsafeMutableRawPointer
    private var capacity: Int
    private var count = 0
    private let limit: Int
    /// Whether `output` was allocated here, as it is once the result outgrows what was expected.
    private var ownsOutput = false

    deinit { if ownsOutput { output.deallocate() } }

    private init(
        _ input: UnsafeRawBufferPointer, position: Int, into output: UnsafeMutableBufferPointer<UInt8>, limit: Int
    ) {
        self.input = input
        self.position = position
        self.limit = limit
        self.output = UnsafeMutableRawPointer(output.baseAddress!)
        capacity = output.count
    }

    /// The most that data of `count` bytes may grow to: measured arrays and tables shrink to a hundredth at best, while
    /// a file made to exhaust the memory grows by a thousand.
    static func greatestSize(ofCompressed count: Int) -> Int {
        let (size, overflow) = count.multipliedReportingOverflow(by: 100)
        return overflow ? .max : max(1 << 28, size)
    }

    /// Decompresses the stream that begins at `position` of `input`, ends at `end`, and moves `position` behind it.
    ///
    /// `expected` is a guess of the result's size in bytes; a result larger than `limit` is an error.
    static func decompress(
        _ input: [UInt8], at position: inout Int, until end: Int? = nil, expected: Int, limit: Int = .max
    ) throws(InflateFailure) -> [UInt8] {
        let end = end ?? input.count
        let compressed = end - position
        let (possible, overflow) = compressed.multipliedReportingOverflow(by: greatestExpansion)
        // A guess from a damaged file must not ask for more memory than there is.
        let sensible = min(expected, limit, overflow ? .max : possible, max(1 << 28, possible / 128))
        var failure: InflateFailure?
        var outgrown: [UInt8]?
        // The result's own memory is written to, so that a result of the expected size is never held twice.
        let output = [UInt8](unsafeUninitializedCapacity: max(sensible, 1024) + slack) { buffer, filled in
            input.withUnsafeBytes { source in
                let part = UnsafeRawBufferPointer(rebasing: source[..<end])
                var stream = Inflate(part, position: position, into: buffer, limit: limit)
                do throws(InflateFailure) { try stream.run() } catch { failure = error }
                position = stream.position
                let content = UnsafeRawBufferPointer(start: stream.output, count: stream.count)
                if stream.ownsOutput { outgrown = [UInt8](content) } else { filled = stream.count }
            }
        }
        if let failure { throw failure }
        return outgrown ?? output
    }

    private mutating func run() throws(InflateFailure) {
        var isLast = false
        while !isLast {
            isLast = try take(1) == 1
            switch try take(2) {
            case 0: try copyStored()
            case 1: try decode(Inflate.fixed.literals, Inflate.fixed.distances)
            case 2: try decodeDynamic()
            default: throw InflateFailure("a compressed block has an unknown type")
            }
            guard count <= limit else { throw .tooLarge }
        }
        returnWholeBytes()
    }

    /// Fills the bit buffer to at least 56 bits, fewer only at the end of the input.
    @inline(__always)
    private mutating func refill() {
        if position &+ 8 <= input.count {
            let word = input.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
            bits |= word << UInt64(truncatingIfNeeded: bitCount)
            position &+= (63 &- bitCount) >> 3
            bitCount |= 56
        } else {
            while bitCount <= 56 && position < input.count {
                bits |= UInt64(input[position]) << UInt64(bitCount)
                position += 1
                bitCount += 8
            }
        }
    }

    @inline(__always)
    private mutating func drop(_ amount: Int) {
        bits &>>= UInt64(truncatingIfNeeded: amount)
        bitCount &-= amount
    }

    private mutating func take(_ amount: Int) throws(InflateFailure) -> Int {
        refill()
        let value = Int(bits & (1 << UInt64(amount) - 1))
        drop(amount)
        guard bitCount >= 0 else { throw .truncated }
        return value
    }

    /// Gives unused whole bytes back to the input and drops the rest of the current one.
    private mutating func returnWholeBytes() {
        position -= bitCount >> 3
        bits = 0
        bitCount = 0
    }

    private mutating func reserve(_ amount: Int) throws(InflateFailure) {
        guard count + amount + Inflate.slack > capacity else { return }
        guard count <= limit else { throw .tooLarge }
        capacity = max(capacity * 2, count + amount + Inflate.slack)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: output, byteCount: count)
        if ownsOutput { output.deallocate() }
        output = larger
        ownsOutput = true
    }

    private mutating func copyStored() throws(InflateFailure) {
        returnWholeBytes()
        let length = try take(16)
        guard try take(16) == length ^ 0xFFFF else { throw InflateFailure("a stored block's length is damaged") }
        returnWholeBytes()
        guard length <= input.count - position else { throw .truncated }
        guard length > 0 else { return }
        try reserve(length)
        (output + count).copyMemory(from: input.baseAddress! + position, byteCount: length)
        position += length
        count += length
    }

    /// The codes of fixed blocks, made once: a block may be ten bits long, and a file may hold millions.
    private static let fixed = {
        let lengths = (0..<288).map { UInt8($0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8) }
        do {
            let literals = try HuffmanTable(lengths: lengths[...])
            return (literals: literals, distances: try HuffmanTable(lengths: [UInt8](repeating: 5, count: 32)[...]))
        } catch {
            fatalError("the fixed codes are complete")
        }
    }()

    private mutating func decodeDynamic() throws(InflateFailure) {
        let literalCount = try take(5) + 257
        let total = try take(5) + 1 + literalCount
        let codeCount = try take(4) + 4
        guard literalCount <= 286, total - literalCount <= 30 else {
            throw InflateFailure("a compressed block declares too many symbols")
        }
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        var codeLengths = [UInt8](repeating: 0, count: 19)
        for index in 0..<codeCount { codeLengths[order[index]] = UInt8(try take(3)) }
        let codes = try HuffmanTable(lengths: codeLengths[...])

        var lengths: [UInt8] = []
        while lengths.count < total {
            refill()
            let entry = codes.entry(bits)
            guard entry != 0 else { throw InflateFailure("a compressed block holds an invalid code") }
            drop(entry & 15)
            switch entry >> 4 {
            case 16:
                guard let last = lengths.last else { throw InflateFailure("a code length repeats nothing") }
                lengths += [UInt8](repeating: last, count: 3 + (try take(2)))
            case 17: lengths += [UInt8](repeating: 0, count: 3 + (try take(3)))
            case 18: lengths += [UInt8](repeating: 0, count: 11 + (try take(7)))
            case let length: lengths.append(UInt8(length))
            }
            guard bitCount >= 0 else { throw .truncated }
        }
        guard lengths.count == total, lengths[256] != 0 else {
            throw InflateFailure("a compressed block's code lengths are damaged")
        }
        try decode(try HuffmanTable(lengths: lengths[..<literalCount]), HuffmanTable(lengths: lengths[literalCount...]))
    }

    /// Decodes literals and matches up to the end of the block.
    private mutating func decode(_ literals: HuffmanTable, _ distances: HuffmanTable) throws(InflateFailure) {
        while true {
            // One refill covers the longest step: 15 + 5 bits of length and 15 + 13 of distance.
            refill()
            let entry = literals.entry(bits)
            drop(entry & 15)
            guard entry != 0, bitCount >= 0 else { throw .invalid(bitCount) }
            if count &+ Inflate.slack > capacity { try reserve(Inflate.slack) }
            let symbol = entry >> 4
            if symbol < 256 {
                output.storeBytes(of: UInt8(truncatingIfNeeded: symbol), toByteOffset: count, as: UInt8.self)
                count &+= 1
                continue
            }
            if symbol == 256 { return }
            guard symbol < 286 else { throw InflateFailure("a compressed block holds an invalid length") }
            let length = matchLength(symbol &- 257)
            let distanceEntry = distances.entry(bits)
            drop(distanceEntry & 15)
            guard distanceEntry != 0, distanceEntry >> 4 < 30 else { throw .invalid(bitCount) }
            let distance = matchDistance(distanceEntry >> 4)
            guard bitCount >= 0 else { throw .truncated }
            guard distance <= count else { throw InflateFailure("a match reaches before the start of the data") }
            copyMatch(length, distance)
        }
    }

    @inline(__always)
    private mutating func matchLength(_ symbol: Int) -> Int {
        if symbol < 8 { return 3 &+ symbol }
        if symbol == 28 { return 258 }
        let extra = symbol >> 2 &- 1
        return 3 &+ (4 &+ symbol & 3) &<< extra &+ extraBits(extra)
    }

    @inline(__always)
    private mutating func matchDistance(_ symbol: Int) -> Int {
        if symbol < 4 { return 1 &+ symbol }
        let extra = symbol >> 1 &- 1
        return 1 &+ (2 &+ symbol & 1) &<< extra &+ extraBits(extra)
    }

    @inline(__always)
    private mutating func extraBits(_ amount: Int) -> Int {
        let value = Int(truncatingIfNeeded: bits) & (1 &<< amount &- 1)
        drop(amount)
        return value
    }

    /// Repeats what was written `distance` bytes ago; the caller has reserved room for the last word's excess.
    @inline(__always)
    private mutating func copyMatch(_ length: Int, _ distance: Int) {
        let target = output + count
        let source = target - distance
        if distance >= 8 {
            for offset in stride(from: 0, to: length, by: 8) {
                target.storeBytes(
                    of: source.loadUnaligned(fromByteOffset: offset, as: UInt64.self), toByteOffset: offset,
                    as: UInt64.self)
            }
        } else {
            for offset in 0..<length {
                target.storeBytes(
                    of: source.load(fromByteOffset: offset, as: UInt8.self), toByteOffset: offset, as: UInt8.self)
            }
        }
        count &+= length
    }
}

extension InflateFailure {
    /// The failure for bits that are no code, which past the end of the input are padding.
    static func invalid(_ bitsLeft: Int) -> InflateFailure {
        bitsLeft < 15 ? .truncated : InflateFailure("a compressed block holds an invalid code")
    }
}
