/// The FNV-1a hash of 64 bits: tells contents apart that nobody chose to be alike.
public struct FNV1a: Sendable {
    /// The hash of what was added.
    public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Starts with nothing.
    public init() {}

    /// Adds a number as one step.
    public mutating func add(_ number: UInt64) { value = (value ^ number) &* 0x100_0000_01B3 }

    /// Adds bytes. Not generic, since all of a data set goes through it.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes { add(UInt64(byte)) }
    }

    /// Adds the bytes of a text in UTF-8.
    public mutating func add(_ text: String) {
        for byte in text.utf8 { add(UInt64(byte)) }
    }

    /// The hash as 16 hexadecimal digits.
    public var digits: String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
