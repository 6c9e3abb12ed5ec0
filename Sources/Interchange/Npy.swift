/// Reads and writes NumPy's `.npy` files.
public enum Npy {
    /// Reads a `.npy` file of version 1, 2 or 3.
    ///
    /// Fortran order is transposed and big endian swapped. Unsigned 16- and 32-bit integers become int32 and int64,
    /// unsigned 64-bit ones int64 where all fit. Throws for other element types and for damaged files.
    public static func read(_ path: String) throws(InterchangeError) -> ArrayData {
        try parse(try InputFile.bytes(path), path: path)
    }

    /// Where the elements of a `.npy` file lie, for those who map it instead of reading it.
    public struct Layout: Sendable, Equatable {
        /// The type of every element.
        public var elementType: ElementType
        /// The dimensions, outermost first.
        public var shape: [Int]
        /// Bytes before the first element.
        public var offset: Int
        /// Bytes that the elements take.
        public var byteCount: Int
    }

    /// The layout of a file whose elements are in C order, little endian and of a known type; nil for others.
    ///
    /// Reads the header only. Throws for damaged files.
    public static func layout(_ path: String) throws(InterchangeError) -> Layout? {
        let file = try InputFile(path)
        guard let size = file.size else { return nil }
        let (header, offset) = try header(try file.read(upTo: min(size, 1 << 20)), size: size, path: path)
        guard let elementType = header.nativeType, let byteCount = header.byteCount,
            offset % elementType.byteCount == 0
        else { return nil }
        return Layout(elementType: elementType, shape: header.shape, offset: offset, byteCount: byteCount)
    }

    /// Parses the content of a `.npy` file as `read` does; `path` is named in errors.
    public static func parse(_ bytes: consuming [UInt8], path: String) throws(InterchangeError) -> ArrayData {
        let (header, offset) = try header(bytes, size: bytes.count, path: path)
        bytes.removeFirst(offset)
        return try header.array(bytes, path: path)
    }

    /// The header of a file of `size` bytes that starts with `bytes`, and where its elements begin.
    private static func header(
        _ bytes: [UInt8], size: Int, path: String
    ) throws(InterchangeError) -> (NpyHeader, offset: Int) {
        guard !bytes.isEmpty else { throw .empty(path) }
        var reader = ByteReader(bytes: bytes, path: path)
        let part = "the npy header"
        guard bytes.starts(with: magic.prefix(bytes.count)) else {
            throw InterchangeError(path, "this is not a npy file", "Write it with numpy.save")
        }
        _ = try reader.take(magic.count, part)
        let version = try reader.little(UInt8.self, part)
        _ = try reader.take(1, part)
        guard (1...3).contains(version) else {
            throw InterchangeError(path, "npy version \(version) is unknown", "Write it with numpy.save")
        }
        let length =
            version == 1 ? Int(try reader.little(UInt16.self, part)) : Int(try reader.little(UInt32.self, part))
        guard length <= UInt16.max else {
            throw InterchangeError(path, "the npy header takes \(length) bytes", "Write it with numpy.save")
        }
        let text = String(decoding: bytes[try reader.take(length, part)], as: UTF8.self)
        let header = try NpyHeader(parsing: text, path: path)
        guard let needed = header.byteCount else {
            throw InterchangeError(
                path, "the shape \(InterchangeError.text(header.shape)) is too large", "Write the file again")
        }
        let present = size - reader.position
        guard needed == present else {
            let problem =
                "shape \(InterchangeError.text(header.shape)) takes \(needed) bytes but \(present) follow the header"
            throw InterchangeError(path, problem, "Copy or write the file again")
        }
        return (header, reader.position)
    }

    /// Writes `array` as a version 1 file, by way of a temporary file beside `path`.
    ///
    /// Throws for bfloat16, which NumPy does not have, for bytes that do not fill the shape, and where `path` cannot
    /// be written.
    public static func write(_ array: ArrayData, to path: String) throws(InterchangeError) {
        try AtomicFile.write(chunks: [try header(array, name: "the array", path: path), array.bytes], to: path)
    }

    /// The bytes that precede the elements in a file, padded to a multiple of 64 as NumPy does.
    static func header(_ array: ArrayData, name: String, path: String) throws(InterchangeError) -> [UInt8] {
        try array.requireConsistent(name: name, path: path)
        guard let description = NpyHeader.description(array.elementType) else {
            throw InterchangeError(
                path, "NumPy has no \(array.elementType.rawValue) for \(name)", "Convert it to float32")
        }
        let dimensions = array.shape.map(String.init).joined(separator: ", ") + (array.shape.count == 1 ? "," : "")
        var text = "{'descr': '\(description)', 'fortran_order': False, 'shape': (\(dimensions)), }"
        let unpadded = magic.count + 4 + text.utf8.count + 1
        text += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
        guard let length = UInt16(exactly: text.utf8.count) else {
            throw InterchangeError(path, "the shape of \(name) has too many dimensions", "Nothing was written")
        }
        var bytes = magic + [1, 0]
        bytes.appendLittle(length)
        return bytes + text.utf8
    }

    private static let magic: [UInt8] = [0x93] + "NUMPY".utf8
}
