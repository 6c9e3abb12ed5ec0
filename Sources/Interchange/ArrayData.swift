/// An array as a file holds it: an element type, a shape, and bytes in C order, little endian.
public struct ArrayData: Sendable, Equatable {
    /// The type of every element.
    public var elementType: ElementType
    /// The dimensions, outermost first; empty for a scalar.
    public var shape: [Int]
    /// The elements in C order, little endian: `count * elementType.byteCount` bytes.
    public var bytes: [UInt8]

    /// Makes an array of bytes that are already in C order and little endian.
    ///
    /// The writers refuse an array whose `bytes` do not fill its `shape`.
    public init(elementType: ElementType, shape: [Int], bytes: [UInt8]) {
        self.elementType = elementType
        self.shape = shape
        self.bytes = bytes
    }

    /// Makes a float32 array of `shape` from values in C order.
    public init(_ values: [Float], shape: [Int]) {
        self.init(elementType: .float32, shape: shape, bytes: littleEndianBytes(values))
    }

    /// Makes a float64 array of `shape` from values in C order.
    public init(_ values: [Double], shape: [Int]) {
        self.init(elementType: .float64, shape: shape, bytes: littleEndianBytes(values))
    }

    /// Makes an int64 array of `shape` from values in C order.
    public init(_ values: [Int64], shape: [Int]) {
        self.init(elementType: .int64, shape: shape, bytes: littleEndianBytes(values))
    }

    /// The number of elements: the product of the shape, 1 for a scalar.
    public var count: Int { shape.reduce(1, *) }

    /// Throws unless the bytes fill the shape exactly.
    func requireConsistent(name: String, path: String) throws(InterchangeError) {
        guard elementType.byteCount(shape: shape) == bytes.count else {
            let shape = InterchangeError.text(shape)
            let problem = "'\(name)' has shape \(shape) of \(elementType.rawValue) but \(bytes.count) bytes"
            throw InterchangeError(path, problem, "Nothing was written")
        }
    }
}

// Every platform Swift runs on is little endian, so memory order is file order.
private func littleEndianBytes<Value: BitwiseCopyable>(_ values: [Value]) -> [UInt8] {
    values.withUnsafeBytes { [UInt8]($0) }
}

extension ArrayData {
    /// The elements converted to single precision, rounded to nearest; bool gives 0 and 1.
    public func floats() -> [Float] {
        switch elementType {
        case .bool: map(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint8: map(UInt8.self) { Float($0) }
        case .int8: map(Int8.self) { Float($0) }
        case .int16: map(Int16.self) { Float($0) }
        case .int32: map(Int32.self) { Float($0) }
        case .int64: map(Int64.self) { Float($0) }
        case .float16: map(UInt16.self) { float(half: $0) }
        case .bfloat16: map(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case .float32: map(Float.self) { $0 }
        case .float64: map(Double.self) { Float($0) }
        }
    }

    /// The elements converted to double precision; bool gives 0 and 1.
    public func doubles() -> [Double] {
        switch elementType {
        case .bool: map(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint8: map(UInt8.self) { Double($0) }
        case .int8: map(Int8.self) { Double($0) }
        case .int16: map(Int16.self) { Double($0) }
        case .int32: map(Int32.self) { Double($0) }
        case .int64: map(Int64.self) { Double($0) }
        case .float16: map(UInt16.self) { Double(float(half: $0)) }
        case .bfloat16: map(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .float32: map(Float.self) { Double($0) }
        case .float64: map(Double.self) { $0 }
        }
    }

    /// The elements as integers: fractions are cut towards zero, what is out of range saturates, NaN gives 0.
    public func integers() -> [Int64] {
        switch elementType {
        case .bool: map(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint8: map(UInt8.self) { Int64($0) }
        case .int8: map(Int8.self) { Int64($0) }
        case .int16: map(Int16.self) { Int64($0) }
        case .int32: map(Int32.self) { Int64($0) }
        case .int64: map(Int64.self) { $0 }
        case .float16: map(UInt16.self) { saturated(Double(float(half: $0))) }
        case .bfloat16: map(UInt16.self) { saturated(Double(Float(bitPattern: UInt32($0) << 16))) }
        case .float32: map(Float.self) { saturated(Double($0)) }
        case .float64: map(Double.self) { saturated($0) }
        }
    }

    @inline(__always)
    private func map<Source: BitwiseCopyable, Target>(_ type: Source.Type, _ convert: (Source) -> Target) -> [Target] {
        let stride = MemoryLayout<Source>.stride
        let count = bytes.count / stride
        return bytes.withUnsafeBytes { source in
            [Target](unsafeUninitializedCapacity: count) { target, initialized in
                for index in 0..<count {
                    let value = source.loadUnaligned(fromByteOffset: index &* stride, as: Source.self)
                    target.initializeElement(at: index, to: convert(value))
                }
                initialized = count
            }
        }
    }
}

/// Widens a half with integer operations and one multiplication, which vectorises on any processor.
@inline(__always)
private func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    // The multiplication moves the exponent's bias from 15 to 127 and normalises subnormal halves.
    let finite = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    let isFinite = magnitude < 0x0F80_0000
    return Float(bitPattern: sign | (isFinite ? finite : magnitude | 0x7F80_0000))
}

@inline(__always)
private func saturated(_ value: Double) -> Int64 {
    if value >= 0x1p63 { return .max }
    if value < -0x1p63 { return .min }
    return value.isNaN ? 0 : Int64(value)
}
