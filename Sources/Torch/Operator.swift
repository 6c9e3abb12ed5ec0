import CTorch

/// An argument of a dispatcher call.
public enum Value: Sendable {
    case none
    case tensor(Tensor)
    case tensors([Tensor])
    case int(Int)
    case double(Double)
    case bool(Bool)
    case ints([Int])
    case doubles([Double])
    case string(String)
    case dtype(DType)
    case device(Device)

    var summary: String {
        switch self {
        case .none: "none"
        case .tensor(let tensor): tensor.summary
        case .tensors(let tensors): "[" + tensors.map(\.summary).joined(separator: ", ") + "]"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .ints(let values): "\(values)"
        case .doubles(let values): "\(values)"
        case .string(let value): "\"\(value)\""
        case .dtype(let value): "\(value)"
        case .device(let value): "\(value)"
        }
    }
}

/// An operator of LibTorch's dispatcher, looked up once by name.
public struct Operator: Sendable {
    /// Name with namespace, as in `aten::add`.
    public let name: String
    /// Which of the operators of that name.
    public let overload: String
    private nonisolated(unsafe) let handle: OpaquePointer

    /// Looks the operator up; traps when LibTorch does not know it, which is an error of this package.
    public init(_ name: String, _ overload: String = "") {
        guard let found = Operator(ifKnown: name, overload) else {
            fatalError("no operator \(name).\(overload) in LibTorch \(Runtime.version)")
        }
        self = found
    }

    /// Looks up an operator that not every build of LibTorch has.
    public init?(ifKnown name: String, _ overload: String = "") {
        var handle: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        guard ct_operator_find(name, overload, &handle, &message) == 0, let handle else {
            ct_string_free(message)
            return nil
        }
        (self.name, self.overload) = (name, overload)
        self.handle = handle
    }

    /// Calls the operator and returns its results; non-tensor results come back as rank-0 values.
    ///
    /// - Throws: `TorchError` with the operands when LibTorch refuses the call.
    public func call(_ arguments: [Value]) throws(TorchError) -> [Value] {
        var packed = PackedArguments(arguments)
        var results = [ct_value](repeating: ct_value(), count: 8)
        var count: Int64 = 0
        var more: UnsafeMutablePointer<ct_value>?
        var message: UnsafeMutablePointer<CChar>?
        // The packed arguments hold bare handles: the operands must outlive the call.
        let status = withExtendedLifetime(arguments) {
            packed.withValues { values, valueCount in
                ct_operator_call(handle, values, valueCount, &results, Int64(results.count), &count, &more, &message)
            }
        }
        guard status == 0 else {
            let text = message.map { String(cString: $0) } ?? "unknown failure"
            ct_string_free(message)
            throw TorchError(operation: name, operands: arguments.map(\.summary), message: text)
        }
        defer { ct_values_free(more) }
        let unpacked = (0..<Int(count)).map { Self.unpack(more?[$0] ?? results[$0]) }
        OperatorTrace.current?.calls.append(
            OperatorTrace.Call(name: name, overload: overload, arguments: arguments, results: unpacked))
        return unpacked
    }

    /// Calls the operator and returns its first result as a tensor; a refused call traps, as a wrong index does.
    public func callAsFunction(_ arguments: Value...) -> Tensor {
        do {
            guard case .tensor(let result)? = try call(arguments).first else {
                fatalError("\(name) returned no tensor")
            }
            return result
        } catch {
            Runtime.fail(error)
        }
    }

    private static func unpack(_ value: ct_value) -> Value {
        switch ct_tag(UInt32(value.tag)) {
        case CT_TENSOR: .tensor(Tensor(owning: OpaquePointer(value.pointer)))
        case CT_INT: .int(Int(value.integer))
        case CT_DOUBLE: .double(value.real)
        case CT_BOOL: .bool(value.integer != 0)
        default: .none
        }
    }
}

/// Arguments in the shim's form. Lists live in side arrays for the length of the call.
private struct PackedArguments {
    private var values: [ct_value] = []
    private var integers: [Int64] = []
    private var numbers: [Double] = []
    private var handles: [OpaquePointer?] = []
    private var bytes: [UInt8] = []
    private var offsets: [(position: Int, kind: ct_tag, start: Int)] = []

    init(_ arguments: [Value]) {
        values.reserveCapacity(arguments.count)
        for argument in arguments { append(argument) }
    }

    private mutating func append(_ argument: Value) {
        var value = ct_value()
        switch argument {
        case .none: break
        case .tensor(let tensor): set(&value, CT_TENSOR, pointer: UnsafeRawPointer(tensor.pointer))
        case .int(let number): set(&value, CT_INT, integer: number)
        case .bool(let flag): set(&value, CT_BOOL, integer: flag ? 1 : 0)
        case .dtype(let dtype): set(&value, CT_INT, integer: Int(dtype.rawValue))
        case .double(let number):
            value.tag = Int32(CT_DOUBLE.rawValue)
            value.real = number
        case .device(let device):
            set(&value, CT_DEVICE, integer: Int(device.kind.rawValue))
            value.count = Int64(device.index)
        case .ints(let list):
            offsets.append((values.count, CT_INT_LIST, integers.count))
            integers.append(contentsOf: list.map(Int64.init))
            set(&value, CT_INT_LIST, count: list.count)
        case .doubles(let list):
            offsets.append((values.count, CT_DOUBLE_LIST, numbers.count))
            numbers.append(contentsOf: list)
            set(&value, CT_DOUBLE_LIST, count: list.count)
        case .tensors(let list):
            offsets.append((values.count, CT_TENSOR_LIST, handles.count))
            handles.append(contentsOf: list.map { $0.pointer })
            set(&value, CT_TENSOR_LIST, count: list.count)
        case .string(let text):
            offsets.append((values.count, CT_STRING, bytes.count))
            bytes.append(contentsOf: text.utf8)
            set(&value, CT_STRING, count: text.utf8.count)
        }
        values.append(value)
    }

    private func set(
        _ value: inout ct_value, _ tag: ct_tag, integer: Int = 0, pointer: UnsafeRawPointer? = nil, count: Int = 0
    ) {
        value.tag = Int32(tag.rawValue)
        value.integer = Int64(integer)
        value.pointer = pointer
        value.count = Int64(count)
    }

    mutating func withValues<R>(_ body: (UnsafePointer<ct_value>?, Int64) -> R) -> R {
        integers.withUnsafeBufferPointer { integers in
            handles.withUnsafeBufferPointer { handles in
                numbers.withUnsafeBufferPointer { numbers in
                    bytes.withUnsafeBufferPointer { bytes in
                        for (position, kind, start) in offsets {
                            let first: UnsafeRawPointer? =
                                switch kind {
                                case CT_INT_LIST: integers.baseAddress.map { .init($0 + start) }
                                case CT_TENSOR_LIST: handles.baseAddress.map { .init($0 + start) }
                                case CT_DOUBLE_LIST: numbers.baseAddress.map { .init($0 + start) }
                                default: bytes.baseAddress.map { .init($0 + start) }
                                }
                            values[position].pointer = first
                        }
                        return values.withUnsafeBufferPointer { body($0.baseAddress, Int64($0.count)) }
                    }
                }
            }
        }
    }
}
