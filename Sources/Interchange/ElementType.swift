/// The type of an array's elements; the raw value is the name the safetensors format gives it.
public enum ElementType: String, Sendable, Codable, CaseIterable {
    /// One byte, 0 or 1.
    case bool = "BOOL"
    /// An unsigned byte.
    case uint8 = "U8"
    /// A signed byte.
    case int8 = "I8"
    /// A 16-bit signed integer.
    case int16 = "I16"
    /// A 32-bit signed integer.
    case int32 = "I32"
    /// A 64-bit signed integer.
    case int64 = "I64"
    /// An IEEE 754 half-precision number.
    case float16 = "F16"
    /// The upper 16 bits of an IEEE 754 single-precision number.
    case bfloat16 = "BF16"
    /// An IEEE 754 single-precision number.
    case float32 = "F32"
    /// An IEEE 754 double-precision number.
    case float64 = "F64"

    /// The size of one element in bytes.
    public var byteCount: Int {
        switch self {
        case .bool, .uint8, .int8: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }

    /// The bytes an array of `shape` takes, or nil where no array can have that shape.
    func byteCount(shape: [Int]) -> Int? { ElementType.byteCount(shape: shape, elementSize: byteCount) }

    /// The most dimensions of an array, which NumPy and PyTorch have set at the same number.
    static let greatestRank = 64

    /// The bytes an array takes, or nil where there are too many dimensions, one is negative or the product overflows.
    static func byteCount(shape: [Int], elementSize: Int) -> Int? {
        guard shape.count <= greatestRank else { return nil }
        var total = elementSize
        for dimension in shape {
            let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
            guard dimension >= 0, !overflow else { return nil }
            total = product
        }
        return total
    }
}
