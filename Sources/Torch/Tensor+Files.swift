import Interchange

extension DType {
    /// The engine's type of a file's elements.
    public init(_ elementType: ElementType) {
        switch elementType {
        case .bool: self = .bool
        case .uint8: self = .uint8
        case .int8: self = .int8
        case .int16: self = .int16
        case .int32: self = .int32
        case .int64: self = .int64
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .float32: self = .float32
        case .float64: self = .float64
        }
    }
}

extension ElementType {
    /// A file's type of the engine's elements.
    public init(_ dtype: DType) {
        switch dtype {
        case .uint8: self = .uint8
        case .int8: self = .int8
        case .int16: self = .int16
        case .int32: self = .int32
        case .int64: self = .int64
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .float32: self = .float32
        case .float64: self = .float64
        case .bool: self = .bool
        case .complex64, .complex128: fatalError("\(dtype) in a file: write viewAsReal() instead")
        }
    }
}

extension Tensor {
    /// A hash of type, shape and bytes, as 16 hexadecimal digits.
    public var fingerprint: String {
        var hash = FNV1a()
        hash.add("\(dtype)\(shape)")
        to(device: .cpu).contiguous().withBytes { hash.add($0) }
        return hash.digits
    }

    /// Copies the elements of a file's array.
    public init(_ array: ArrayData) {
        // The engine takes a byte of a bool for 0 or 1, whatever a file holds.
        let bytes = array.elementType == .bool ? array.bytes.map { $0 == 0 ? 0 : 1 } : array.bytes
        self = bytes.withUnsafeBytes {
            Tensor(bytes: $0, shape: array.shape, dtype: DType(array.elementType))
        }
    }

    /// The elements for a file, in their own type.
    public var arrayData: ArrayData {
        withBytes { ArrayData(elementType: ElementType(dtype), shape: shape, bytes: Array($0)) }
    }
}
