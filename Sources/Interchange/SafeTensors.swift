/// The content of a safetensors file.
public struct SafeTensorsFile: Sendable {
    /// The tensors in the order of the file's header.
    public var tensors: [(name: String, array: ArrayData)]
    /// The free texts of the header's `__metadata__`.
    public var metadata: [String: String]

    /// Makes the content of a file; the names must differ.
    public init(tensors: [(name: String, array: ArrayData)] = [], metadata: [String: String] = [:]) {
        self.tensors = tensors
        self.metadata = metadata
    }

    /// The tensor called `name`, or nil where there is none.
    public subscript(name: String) -> ArrayData? {
        tensors.first { $0.name == name }?.array
    }
}

/// Reads and writes safetensors files.
public enum SafeTensors {
    /// The largest header the reference implementation accepts, in bytes.
    private static let greatestHeader = 100_000_000
    private static let metadataKey = "__metadata__"

    /// Reads a safetensors file.
    ///
    /// Throws where the file cannot be read, where its header is not what the format asks for, where an element type
    /// is unknown, and where the tensors overlap, leave gaps or do not end with the file.
    public static func read(_ path: String) throws(InterchangeError) -> SafeTensorsFile {
        let file = try InputFile(path)
        guard let size = file.size else {
            throw InterchangeError(path, "a safetensors file cannot be read from a pipe", "Save it as a file first")
        }
        return try content(size: size, path: path) { (count) throws(InterchangeError) in try file.read(upTo: count) }
    }

    /// Parses the content of a safetensors file as `read` does; `path` is named in errors.
    static func parse(_ bytes: [UInt8], path: String) throws(InterchangeError) -> SafeTensorsFile {
        var rest = bytes[...]
        return try content(size: bytes.count, path: path) { (count) throws(InterchangeError) in
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
    }

    /// The content of a file of `size` bytes; `next` gives its next bytes, fewer than asked for only at its end.
    private static func content(
        size: Int, path: String, next: (Int) throws(InterchangeError) -> [UInt8]
    ) throws(InterchangeError) -> SafeTensorsFile {
        let start = try next(8)
        guard !start.isEmpty else { throw .empty(path) }
        var reader = ByteReader(bytes: start, path: path)
        let length = try reader.little(UInt64.self, "the header length")
        guard length <= greatestHeader else {
            throw InterchangeError(
                path, "this is not a safetensors file: its header length is \(length) bytes", checkIt)
        }
        guard length <= size - 8 else { throw .truncated(path, "the header") }
        let headerBytes = try next(Int(length))
        guard headerBytes.count == length else { throw .truncated(path, "the header") }
        let header = try SafeTensorsHeader(parsing: headerBytes, path: path)
        let total = try header.dataSize(path: path)
        let following = size - 8 - Int(length)
        guard total == following else {
            let problem = "the header describes \(total) bytes of data but \(following) follow it"
            throw InterchangeError(path, problem, "Copy or download it again")
        }
        var arrays = [ArrayData?](repeating: nil, count: header.entries.count)
        for index in header.fileOrder {
            let entry = header.entries[index]
            let bytes = try next(entry.offsets.count)
            guard bytes.count == entry.offsets.count else { throw .truncated(path, "tensor '\(entry.name)'") }
            arrays[index] = ArrayData(elementType: entry.elementType, shape: entry.shape, bytes: bytes)
        }
        let tensors = zip(header.entries, arrays).map { (name: $0.name, array: $1!) }
        return SafeTensorsFile(tensors: tensors, metadata: header.metadata)
    }

    /// Writes a safetensors file by way of a temporary file beside `path`.
    ///
    /// The header is padded with spaces to a multiple of 8 bytes and wider elements come first in the data, so that
    /// every tensor is aligned to its element size. Throws for equal names, for bytes that do not fill their shape,
    /// and where `path` cannot be written.
    public static func write(_ file: SafeTensorsFile, to path: String) throws(InterchangeError) {
        try AtomicFile.write(chunks: try chunks(of: file, path: path), to: path)
    }

    /// The content that `write` gives a file, as its length, its header and the tensors' own bytes.
    static func chunks(of file: SafeTensorsFile, path: String) throws(InterchangeError) -> [[UInt8]] {
        var names: Set = [metadataKey]
        for (name, array) in file.tensors {
            guard names.insert(name).inserted else {
                throw InterchangeError(path, "the name '\(name)' is used twice or reserved", "Nothing was written")
            }
            try array.requireConsistent(name: name, path: path)
        }
        let order = file.tensors.indices.sorted {
            let (left, right) = (file.tensors[$0].array.elementType, file.tensors[$1].array.elementType)
            return (right.byteCount, $0) < (left.byteCount, $1)
        }
        var starts = [Int](repeating: 0, count: order.count)
        var end = 0
        for index in order {
            starts[index] = end
            end += file.tensors[index].array.bytes.count
        }
        var fields: [String] = []
        if !file.metadata.isEmpty {
            let texts = file.metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            fields.append("\"\(metadataKey)\":{\(texts.joined(separator: ","))}")
        }
        for ((name, array), start) in zip(file.tensors, starts) {
            let shape = array.shape.map(String.init).joined(separator: ",")
            let offsets = "\(start),\(start + array.bytes.count)"
            let type = array.elementType.rawValue
            fields.append("\(quoted(name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}")
        }
        var header = Array("{\(fields.joined(separator: ","))}".utf8)
        header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
        guard header.count <= greatestHeader else {
            throw InterchangeError(path, "the header would take \(header.count) bytes", "Shorten the metadata")
        }
        var length: [UInt8] = []
        length.appendLittle(UInt64(header.count))
        return [length, header] + order.map { file.tensors[$0].array.bytes }
    }

    /// The text as a JSON string.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 32:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static let checkIt = "Check that it is the right file and complete"
}
