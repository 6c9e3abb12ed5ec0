/// Element type of a tensor. Raw values are LibTorch's `ScalarType` numbers.
public enum DType: Int32, Sendable, Codable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case int16 = 2
    case int32 = 3
    case int64 = 4
    case float16 = 5
    case float32 = 6
    case float64 = 7
    /// Pairs of float32, real and imaginary: for values within a module; parameters and files stay real.
    case complex64 = 9
    /// Pairs of float64.
    case complex128 = 10
    case bool = 11
    case bfloat16 = 15

    /// Whether values are numbers with a fraction, an infinity and NaN.
    public var isFloatingPoint: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        case .uint8, .int8, .int16, .int32, .int64, .bool, .complex64, .complex128: false
        }
    }

    /// Whether values have an imaginary part.
    public var isComplex: Bool { self == .complex64 || self == .complex128 }

    /// Size of one element in bytes.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64, .complex64: 8
        case .complex128: 16
        }
    }

    /// Distance from 1 to the next representable number; 0 for integers.
    public var epsilon: Double {
        switch self {
        case .float64, .complex128: Double.ulpOfOne
        case .float32, .complex64: Double(Float.ulpOfOne)
        case .float16: 0x1p-10
        case .bfloat16: 0x1p-7
        default: 0
        }
    }
}

extension DType {
    /// A number as arithmetic in this type has it: infinite beyond the largest one, where the engine would refuse it.
    func rounded(_ number: Double) -> Double {
        let greatest: Double
        switch self {
        case .float16: greatest = 65_504
        case .bfloat16: greatest = 0x1.FEp127
        case .float32, .complex64: greatest = Double(Float.greatestFiniteMagnitude)
        default: return number
        }
        return number > greatest ? .infinity : number < -greatest ? -.infinity : number
    }
}

/// A Swift number type that fills tensors.
public protocol TensorElement: Sendable {
    /// The element type that holds values of this type.
    static var dtype: DType { get }
    /// The zero of this type.
    static var zero: Self { get }
}

extension Float: TensorElement {
    /// `float32`
    public static var dtype: DType { .float32 }
}
extension Double: TensorElement {
    /// `float64`
    public static var dtype: DType { .float64 }
}
extension Int64: TensorElement {
    /// `int64`
    public static var dtype: DType { .int64 }
}
extension UInt8: TensorElement {
    /// `uint8`
    public static var dtype: DType { .uint8 }
}
