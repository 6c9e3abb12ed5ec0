/// A 32-bit cyclic redundancy check, eight bytes a step.
struct CRC32: Sendable {
    /// The check of gzip and ZIP.
    static let zip = CRC32(polynomial: 0xEDB8_8320)
    /// The check of Castagnoli, as in TensorBoard's files.
    static let castagnoli = CRC32(polynomial: 0x82F6_3B78)

    /// Eight tables of 256: table k advances a byte's remainder over k further zero bytes.
    private let tables: [UInt32]

    /// Makes the tables of a reflected polynomial.
    init(polynomial: UInt32) {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? polynomial : 0) }
        }
        for index in 256..<8 * 256 {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 255)]
        }
        self.tables = tables
    }

    func checksum(_ bytes: [UInt8]) -> UInt32 { checksum(bytes[...]) }

    /// The checksum of earlier content, whose checksum is `previous`, followed by `bytes`.
    func checksum(_ bytes: ArraySlice<UInt8>, continuing previous: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { source in
            tables.withUnsafeBufferPointer { table in
                var crc = ~previous
                var offset = 0
                while offset &+ 8 <= source.count {
                    let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian ^ UInt64(crc)
                    crc = 0
                    for byte in 0..<8 {
                        crc ^= table[(7 &- byte) &* 256 &+ Int(truncatingIfNeeded: word >> UInt64(byte &* 8) & 255)]
                    }
                    offset &+= 8
                }
                for index in offset..<source.count {
                    crc = crc >> 8 ^ table[Int((crc ^ UInt32(source[index])) & 255)]
                }
                return ~crc
            }
        }
    }
}
