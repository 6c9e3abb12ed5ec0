import CTorch

/// A multi-dimensional array on a device.
///
/// A value type over a reference-counted LibTorch tensor. Operators return new tensors; the few mutating
/// methods copy first when the storage is shared, so a copy never changes behind its owner's back.
/// Shape errors trap and name the operation and both shapes, as an array index out of range does.
public struct Tensor: @unchecked Sendable {
    // Sendable because shared storage is never written: see `makeExclusive()`.
    private final class Handle {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { ct_tensor_free(pointer) }
    }

    private var handle: Handle

    /// The shim's handle, valid while this value lives.
    var pointer: OpaquePointer { handle.pointer }

    init(owning pointer: OpaquePointer) { handle = Handle(pointer) }

    /// Creates a tensor from values in C order.
    ///
    /// - Precondition: `values.count` is the product of `shape`.
    public init<Element: TensorElement>(_ values: [Element], shape: [Int]) {
        self = values.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: Element.dtype) }
    }

    /// Creates a rank-1 tensor.
    public init<Element: TensorElement>(_ values: [Element]) { self.init(values, shape: [values.count]) }

    /// Creates a tensor by copying C-ordered bytes.
    ///
    /// - Precondition: the buffer holds exactly the bytes of `shape` elements of `dtype`.
    public init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType) {
        var result: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        let sizes = shape.map(Int64.init)
        let status = ct_tensor_from_bytes(
            bytes.baseAddress, Int64(bytes.count), sizes, Int64(sizes.count), dtype.rawValue, &result, &message)
        guard status == 0, let result else {
            fatalError("Tensor(shape: \(shape)): \(message.map { String(cString: $0) } ?? "failed")")
        }
        self.init(owning: result)
    }

    /// Creates a tensor over the bytes of a file, which are read when they are touched and not before.
    ///
    /// The file must stay as it is while the tensor lives. Copies are made on writing, as for any other tensor.
    ///
    /// - Parameters:
    ///   - path: a file of C-ordered elements.
    ///   - offset: bytes before the first element, a multiple of the element's size.
    ///   - shape: length of each dimension.
    ///   - dtype: element type.
    /// - Throws: `TorchError` when the file cannot be mapped or is too short.
    public init(mapping path: String, offset: Int, shape: [Int], dtype: DType) throws(TorchError) {
        demand(offset % dtype.byteCount == 0, "a \(dtype) tensor mapped from byte \(offset)")
        var result: OpaquePointer?
        var message: UnsafeMutablePointer<CChar>?
        let sizes = shape.map(Int64.init)
        let status = ct_tensor_map_file(
            path, Int64(offset), sizes, Int64(sizes.count), dtype.rawValue, &result, &message)
        guard status == 0, let result else {
            defer { ct_string_free(message) }
            throw TorchError(operation: "map", message: message.map { String(cString: $0) } ?? "failed")
        }
        self.init(owning: result)
    }

    /// Number of dimensions.
    public var rank: Int { Int(ct_tensor_rank(pointer)) }
    /// Length of each dimension.
    public var shape: [Int] { (0..<rank).map { Int(ct_tensor_size(pointer, Int64($0))) } }
    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Element type; traps for types this package never makes.
    public var dtype: DType {
        guard let dtype = DType(rawValue: ct_tensor_dtype(pointer)) else {
            fatalError("a tensor of LibTorch type number \(ct_tensor_dtype(pointer)) is not supported")
        }
        return dtype
    }
    /// Device that holds the elements.
    public var device: Device {
        Device(
            Device.Kind(rawValue: ct_tensor_device_type(pointer)) ?? .cpu,
            index: Int(ct_tensor_device_index(pointer)))
    }
    /// Whether the elements lie in C order without gaps.
    public var isContiguous: Bool { ct_tensor_is_contiguous(pointer) != 0 }

    /// The memory that holds the elements: equal for views of one tensor, and larger than they are where they are parts.
    public var storage: (identity: Int, bytes: Int) {
        var bytes: Int64 = 0
        let address = ct_tensor_storage(pointer, &bytes)
        return (Int(bitPattern: address), Int(bytes))
    }
    /// Whether the elements lie in a file, and only in memory where they are touched.
    public var isMapped: Bool { ct_tensor_is_file(pointer) != 0 }

    var summary: String {
        let number = ct_tensor_dtype(pointer)
        return (DType(rawValue: number).map { "\($0)" } ?? "type \(number)") + "\(shape)"
    }

    /// The elements in C order.
    ///
    /// - Precondition: `Element` is the tensor's element type.
    public func array<Element: TensorElement>(of type: Element.Type = Element.self) -> [Element] {
        demand(dtype == Element.dtype, "array(of: \(type)) of a \(dtype) tensor: convert with to(_:) first")
        let total = count
        var values = [Element](repeating: .zero, count: total)
        var message: UnsafeMutablePointer<CChar>?
        let status = values.withUnsafeMutableBytes {
            ct_tensor_to_bytes(pointer, $0.baseAddress, Int64($0.count), &message)
        }
        demand(status == 0, "array: \(message.map { String(cString: $0) } ?? "failed")")
        return values
    }

    /// The elements as double-precision numbers, in C order; of complex ones real and imaginary parts in turn.
    public func doubles() -> [Double] { (dtype.isComplex ? viewAsReal() : self).to(.float64).array(of: Double.self) }
    /// The elements as single-precision numbers, in C order; of complex ones real and imaginary parts in turn.
    public func floats() -> [Float] { (dtype.isComplex ? viewAsReal() : self).to(.float32).array(of: Float.self) }

    /// The only element, as a double-precision number.
    ///
    /// - Precondition: the tensor has one element, which is real.
    public var scalar: Double {
        demand(count == 1 && !dtype.isComplex, "scalar of a tensor of shape \(shape)")
        return doubles()[0]
    }

    /// Calls `body` with the elements in host memory, in C order, without a copy where possible.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let host = to(device: .cpu).contiguous()
        return try withExtendedLifetime(host) {
            try body(UnsafeRawBufferPointer(start: ct_tensor_data(host.pointer), count: host.count * dtype.byteCount))
        }
    }

    /// Calls `body` with writable elements in host memory, in C order; copies first when the storage is shared.
    ///
    /// - Precondition: the tensor is on the CPU.
    public mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        demand(device.kind == .cpu, "withMutableBytes of a tensor on \(device)")
        makeExclusive()
        if !isContiguous { self = contiguous() }
        let bytes = count * dtype.byteCount
        return try withExtendedLifetime(handle) {
            try body(UnsafeMutableRawBufferPointer(start: ct_tensor_data(pointer), count: bytes))
        }
    }

    /// Copies the storage unless this value is its only owner, in Swift and in LibTorch.
    mutating func makeExclusive() {
        if !isKnownUniquelyReferenced(&handle) || ct_tensor_is_shared(pointer) != 0 {
            self = Op.clone(.tensor(self))
        }
    }
}

extension Tensor: CustomStringConvertible {
    /// Type, shape, device and, when there are few, the values.
    public var description: String {
        let values = count <= 16 ? " \(doubles())" : ""
        return "Tensor(\(dtype)\(shape), \(device)\(values))"
    }
}
