/// What a `.npy` header says about the elements that follow it.
struct NpyHeader {
    /// How the elements lie in the file: NumPy's kind letter and size, as in `f4`.
    private enum Storage {
        case native(ElementType)
        /// An unsigned integer of that many bytes, for which there is no element type.
        case unsigned(Int)
    }

    let shape: [Int]
    private let storage: Storage
    private let isBigEndian: Bool
    private let isFortranOrder: Bool

    private static let elementTypes: [String: ElementType] = [
        "b1": .bool, "u1": .uint8, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "f2": .float16,
        "f4": .float32, "f8": .float64,
    ]

    /// NumPy's description of an element type, as in `<f4`; nil for bfloat16.
    static func description(_ elementType: ElementType) -> String? {
        guard let code = elementTypes.first(where: { $0.value == elementType })?.key else { return nil }
        return (elementType.byteCount == 1 ? "|" : "<") + code
    }

    /// Parses the Python dictionary of a header.
    init(parsing text: String, path: String) throws(InterchangeError) {
        var literal = PythonLiteral(text)
        guard let fields = literal.dictionary() else {
            throw InterchangeError(path, "the npy header is damaged", "Copy or write the file again")
        }
        guard case .string(let description) = fields["descr"] else {
            if fields["descr"] != nil {
                throw InterchangeError(path, "the array has named fields", "Save each field as an array of its own")
            }
            throw InterchangeError(path, "the npy header has no descr", "Copy or write the file again")
        }
        guard case .truth(let isFortranOrder) = fields["fortran_order"], case .tuple(let shape) = fields["shape"],
            fields.count == 3
        else {
            throw InterchangeError(path, "the npy header is damaged", "Copy or write the file again")
        }
        self.shape = shape
        self.isFortranOrder = isFortranOrder
        isBigEndian = description.hasPrefix(">")
        let code = "<>|=".contains(description.prefix(1)) ? String(description.dropFirst()) : description
        switch code {
        case "u2": storage = .unsigned(2)
        case "u4": storage = .unsigned(4)
        case "u8": storage = .unsigned(8)
        default:
            guard let elementType = NpyHeader.elementTypes[code] else {
                throw NpyHeader.refusal(description, code, path)
            }
            storage = .native(elementType)
        }
    }

    private static func refusal(_ description: String, _ code: String, _ path: String) -> InterchangeError {
        let kind =
            switch code.first {
            case "O": "Python objects"
            case "U", "S", "a", "T": "text"
            case "c": "complex numbers"
            case "M", "m": "dates"
            case "V": "raw records"
            default: "elements of type '\(description)'"
            }
        let advice = "Save numbers instead, for example array.astype('float32')"
        return InterchangeError(path, "the array holds \(kind), which cannot be read", advice)
    }

    private var elementSize: Int {
        switch storage {
        case .native(let elementType): elementType.byteCount
        case .unsigned(let size): size
        }
    }

    /// The element type when the file holds it as memory does: in C order and little endian.
    var nativeType: ElementType? {
        guard case .native(let elementType) = storage, !isBigEndian, !isFortranOrder else { return nil }
        return elementType
    }

    /// The bytes the elements take in the file, or nil where the product overflows.
    var byteCount: Int? {
        ElementType.byteCount(shape: shape, elementSize: elementSize)
    }

    /// The array of the file's elements, brought to C order, little endian and a known type.
    func array(_ bytes: consuming [UInt8], path: String) throws(InterchangeError) -> ArrayData {
        if isBigEndian { bytes.swapBytes(elementSize: elementSize) }
        if isFortranOrder { bytes = transposed(bytes) }
        switch storage {
        case .native(let elementType):
            return ArrayData(elementType: elementType, shape: shape, bytes: bytes)
        case .unsigned(2):
            return ArrayData(elementType: .int32, shape: shape, bytes: widened(bytes, UInt16.self, Int32.self))
        case .unsigned(4):
            return ArrayData(elementType: .int64, shape: shape, bytes: widened(bytes, UInt32.self, Int64.self))
        case .unsigned:
            let array = ArrayData(elementType: .int64, shape: shape, bytes: bytes)
            guard array.integers().allSatisfy({ $0 >= 0 }) else {
                let problem = "the array holds unsigned integers above \(Int64.max)"
                throw InterchangeError(path, problem, "Save it as float64, if rounding is acceptable")
            }
            return array
        }
    }

    private func widened<Source: FixedWidthInteger & BitwiseCopyable, Target: FixedWidthInteger>(
        _ bytes: [UInt8], _ source: Source.Type, _ target: Target.Type
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count / MemoryLayout<Source>.size * MemoryLayout<Target>.size)
        bytes.withUnsafeBytes { raw in
            for offset in stride(from: 0, to: raw.count, by: MemoryLayout<Source>.size) {
                result.appendLittle(Target(raw.loadUnaligned(fromByteOffset: offset, as: Source.self)))
            }
        }
        return result
    }

    /// Copies elements from first-index-fastest to last-index-fastest order.
    private func transposed(_ bytes: [UInt8]) -> [UInt8] {
        guard shape.count > 1, !bytes.isEmpty else { return bytes }
        let size = elementSize
        var strides: [Int] = []
        var stride = size
        for dimension in shape {
            strides.append(stride)
            stride *= dimension
        }
        let inner = shape.count - 1
        var index = [Int](repeating: 0, count: inner)
        var source = 0
        return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
            while initialized < bytes.count {
                for column in 0..<shape[inner] {
                    for byte in 0..<size {
                        target.initializeElement(
                            at: initialized + byte, to: bytes[source + column * strides[inner] + byte])
                    }
                    initialized += size
                }
                // Step to the next row: the outer indices count up, the last of them fastest.
                for axis in (0..<inner).reversed() {
                    index[axis] += 1
                    source += strides[axis]
                    if index[axis] < shape[axis] { break }
                    source -= index[axis] * strides[axis]
                    index[axis] = 0
                }
            }
        }
    }
}

/// Reads the few Python literals a `.npy` header is made of.
private struct PythonLiteral {
    enum Value {
        case string(String)
        case truth(Bool)
        case tuple([Int])
        /// A list, as it describes named fields; its content is not kept.
        case list
    }

    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    /// The dictionary that makes up the whole text, or nil where there is none.
    mutating func dictionary() -> [String: Value]? {
        guard accept("{") else { return nil }
        var fields: [String: Value] = [:]
        while !accept("}") {
            guard let key = string(), accept(":"), let value = value() else { return nil }
            guard fields.updateValue(value, forKey: key) == nil else { return nil }
            if case .list = value { return fields }
            guard accept(",") || rest.first == "}" else { return nil }
        }
        skipSpaces()
        return rest.isEmpty ? fields : nil
    }

    private mutating func value() -> Value? {
        skipSpaces()
        switch rest.first {
        case "'", "\"": return string().map(Value.string)
        case "(": return tuple().map(Value.tuple)
        case "[": return .list
        default:
            if accept("True") { return .truth(true) }
            return accept("False") ? .truth(false) : nil
        }
    }

    private mutating func string() -> String? {
        skipSpaces()
        guard let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
        rest.removeFirst()
        guard let end = rest.firstIndex(of: quote) else { return nil }
        defer { rest = rest[end...].dropFirst() }
        return String(rest[..<end])
    }

    private mutating func tuple() -> [Int]? {
        guard accept("(") else { return nil }
        var numbers: [Int] = []
        while !accept(")") {
            skipSpaces()
            guard let number = Int(rest.prefix { $0.isASCII && $0.isNumber }) else { return nil }
            rest = rest.drop { $0.isASCII && $0.isNumber }
            // Python 2 wrote long integers with a suffix.
            _ = accept("L")
            numbers.append(number)
            guard accept(",") || rest.first == ")" else { return nil }
        }
        return numbers
    }

    private mutating func accept(_ token: String) -> Bool {
        skipSpaces()
        guard rest.hasPrefix(token) else { return false }
        rest.removeFirst(token.count)
        return true
    }

    private mutating func skipSpaces() { rest = rest.drop { $0 == " " || $0 == "\n" } }
}
