/// A 64-bit hash that any change of a single bit changes: FNV-1a over words in place of bytes.
///
/// It finds what a disk or a copy damaged. It is no signature: whoever writes a file writes its checksum.
struct Checksum {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Sixteen hexadecimal digits.
    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func add(_ word: UInt64) {
        state = (state ^ word) &* 0x100_0000_01B3
        // Multiplication moves bits up only.
        state ^= state >> 32
    }

    mutating func add(_ bytes: [UInt8]) {
        add(UInt64(bytes.count))
        bytes.withUnsafeBytes { source in
            var offset = 0
            while offset &+ 8 <= source.count {
                add(source.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian)
                offset &+= 8
            }
            for index in offset..<source.count { add(UInt64(source[index])) }
        }
    }

    mutating func add(_ text: String) { add(Array(text.utf8)) }
}

extension SafeTensorsFile {
    /// The metadata key of ``sealed()``.
    private static let key = "descent.checksum"

    /// The file with a checksum of all that it holds: names, types, shapes, elements and metadata.
    public func sealed() -> SafeTensorsFile {
        var copy = self
        copy.metadata[Self.key] = checksum
        return copy
    }

    /// Whether a checksum is there.
    public var isSealed: Bool { metadata[Self.key] != nil }

    /// Whether the checksum is there and is that of the content.
    public var isIntact: Bool { metadata[Self.key] == checksum }

    private var checksum: String {
        var sum = Checksum()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != Self.key {
            sum.add(key)
            sum.add(value)
        }
        for (name, array) in tensors.sorted(by: { $0.name < $1.name }) {
            sum.add(name)
            sum.add(array.elementType.rawValue)
            for length in array.shape { sum.add(UInt64(bitPattern: Int64(length))) }
            sum.add(array.bytes)
        }
        return sum.text
    }
}
