/// Decodes raw DEFLATE data a bit at a time, with no thought for speed, after RFC 1951.
struct ReferenceInflate {
    private(set) var output: [UInt8] = []
    private let input: [UInt8]
    private let limit: Int
    private var bit: Int

    init(_ input: [UInt8], position: Int, limit: Int) {
        self.input = input
        self.limit = limit
        bit = position * 8
    }

    /// The first byte that was not read from.
    var position: Int { (bit + 7) / 8 }

    /// Decodes all blocks; false where the data is damaged or too large.
    mutating func run() -> Bool {
        while true {
            guard let isLast = take(1), let type = take(2) else { return false }
            switch type {
            case 0: guard stored() else { return false }
            case 1:
                let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
                guard block(Code(lengths), Code([Int](repeating: 5, count: 30))) else { return false }
            case 2:
                guard let (literals, distances) = codes(), block(literals, distances) else { return false }
            default: return false
            }
            guard output.count <= limit else { return false }
            if isLast == 1 { return true }
        }
    }

    private mutating func take(_ count: Int) -> Int? {
        guard bit + count <= input.count * 8 else { return nil }
        var value = 0
        for place in 0..<count { value |= Int(input[(bit + place) / 8] >> ((bit + place) % 8) & 1) << place }
        bit += count
        return value
    }

    private mutating func stored() -> Bool {
        bit = position * 8
        guard let length = take(16), let inverse = take(16), inverse == length ^ 0xFFFF,
            position + length <= input.count
        else { return false }
        output += input[position..<position + length]
        bit += length * 8
        return true
    }

    /// The symbols by length and code.
    private struct Code {
        var symbols: [[Int: Int]] = Array(repeating: [:], count: 16)

        init(_ lengths: [Int]) {
            var code = 0
            for length in 1...15 {
                code <<= 1
                for (symbol, wanted) in lengths.enumerated() where wanted == length {
                    symbols[length][code] = symbol
                    code += 1
                }
            }
        }

        /// Whether the lengths fill the code's space, or are of at most one symbol, of one bit.
        static func isProper(_ lengths: [Int]) -> Bool {
            let used = lengths.filter { $0 > 0 }
            let space = used.reduce(0) { $0 + (1 << (15 - $1)) }
            return space == 1 << 15 || used.isEmpty || used == [1]
        }
    }

    private mutating func symbol(_ code: Code) -> Int? {
        var value = 0
        for length in 1...15 {
            guard let next = take(1) else { return nil }
            value = value << 1 | next
            if let symbol = code.symbols[length][value] { return symbol }
        }
        return nil
    }

    private mutating func codes() -> (Code, Code)? {
        guard let literals = take(5), let distances = take(5), let count = take(4), literals <= 29, distances <= 29
        else { return nil }
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        var codeLengths = [Int](repeating: 0, count: 19)
        for place in order.prefix(count + 4) {
            guard let length = take(3) else { return nil }
            codeLengths[place] = length
        }
        guard Code.isProper(codeLengths) else { return nil }
        let code = Code(codeLengths)
        var lengths: [Int] = []
        let total = 258 + literals + distances
        while lengths.count < total {
            guard let symbol = symbol(code) else { return nil }
            guard symbol >= 16 else {
                lengths.append(symbol)
                continue
            }
            let (bits, least) = symbol == 16 ? (2, 3) : symbol == 17 ? (3, 3) : (7, 11)
            guard let more = take(bits), let value = symbol == 16 ? lengths.last : 0 else { return nil }
            lengths += [Int](repeating: value, count: least + more)
        }
        guard lengths.count == total, lengths[256] > 0 else { return nil }
        let (first, second) = (Array(lengths[..<(257 + literals)]), Array(lengths[(257 + literals)...]))
        guard Code.isProper(first), Code.isProper(second) else { return nil }
        return (Code(first), Code(second))
    }

    private mutating func block(_ literals: Code, _ distances: Code) -> Bool {
        while output.count <= limit {
            guard let symbol = symbol(literals), symbol < 286 else { return false }
            if symbol < 256 {
                output.append(UInt8(symbol))
                continue
            }
            if symbol == 256 { return true }
            let bits = symbol < 265 || symbol == 285 ? 0 : (symbol - 261) / 4
            let least = symbol < 265 ? symbol - 254 : symbol == 285 ? 258 : 3 + (4 + (symbol - 265) % 4) << bits
            guard let more = take(bits), let place = self.symbol(distances), place < 30 else { return false }
            let distanceBits = place < 4 ? 0 : (place - 2) / 2
            let leastDistance = place < 4 ? 1 + place : 1 + (2 + place % 2) << distanceBits
            guard let further = take(distanceBits) else { return false }
            let distance = leastDistance + further
            guard distance <= output.count else { return false }
            for _ in 0..<least + more { output.append(output[output.count - distance]) }
        }
        return false
    }
}
