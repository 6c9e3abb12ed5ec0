/// Reads the IDX files of MNIST and its relatives.
public enum Idx {
    /// Reads an IDX file, plain or compressed with gzip, which the content tells apart.
    ///
    /// Throws where the file is missing, is not IDX, is cut short or is longer than its shape.
    public static func read(_ path: String) throws(InterchangeError) -> ArrayData {
        try parse(try InputFile.bytes(path), path: path)
    }

    static func parse(_ content: consuming [UInt8], path: String) throws(InterchangeError) -> ArrayData {
        guard !content.isEmpty else { throw .empty(path) }
        if Gzip.isGzip(content) { content = try Gzip.decompress(content, path: path) }
        let (elementType, shape, offset) = try header(content, path: path)
        content.removeFirst(offset)
        content.swapBytes(elementSize: elementType.byteCount)
        return ArrayData(elementType: elementType, shape: shape, bytes: content)
    }

    /// What the header says, and where the elements begin.
    private static func header(
        _ bytes: [UInt8], path: String
    ) throws(InterchangeError) -> (elementType: ElementType, shape: [Int], offset: Int) {
        var reader = ByteReader(bytes: bytes, path: path)
        let part = "the IDX header"
        let zeros = try reader.big(UInt16.self, part)
        let code = try reader.little(UInt8.self, part)
        let rank = Int(try reader.little(UInt8.self, part))
        guard zeros == 0, let elementType = elementTypes[code] else {
            throw InterchangeError(path, "this is not an IDX file", "Its first bytes should be 0, 0 and a type code")
        }
        var shape: [Int] = []
        for _ in 0..<rank { shape.append(Int(try reader.big(UInt32.self, part))) }
        guard let size = elementType.byteCount(shape: shape) else {
            throw InterchangeError(
                path, "the IDX shape \(InterchangeError.text(shape)) is too large", "Copy or download it again")
        }
        guard size == reader.remaining else {
            let problem =
                "shape \(InterchangeError.text(shape)) takes \(size) bytes but \(reader.remaining) follow the header"
            throw InterchangeError(path, problem, "Copy or download it again")
        }
        return (elementType, shape, reader.position)
    }

    private static let elementTypes: [UInt8: ElementType] = [
        0x08: .uint8, 0x09: .int8, 0x0B: .int16, 0x0C: .int32, 0x0D: .float32, 0x0E: .float64,
    ]
}
