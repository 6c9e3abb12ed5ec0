/// Reads gzip data (RFC 1952).
public enum Gzip {
    /// Decompresses every member of `bytes` and joins them; `path` is named in errors.
    ///
    /// Throws where the data is not gzip, is cut short, does not match its size or CRC-32, or grows beyond a hundred
    /// times its size and 256 MiB.
    public static func decompress(_ bytes: [UInt8], path: String) throws(InterchangeError) -> [UInt8] {
        guard !bytes.isEmpty else { throw .empty(path) }
        var reader = ByteReader(bytes: bytes, path: path)
        let limit = Inflate.greatestSize(ofCompressed: bytes.count)
        var output = try member(&reader, limit: limit)
        while reader.remaining > 0 {
            // Tapes and some downloads pad the file with zeros, which gzip itself ignores.
            if bytes[reader.position...].allSatisfy({ $0 == 0 }) { break }
            output += try member(&reader, limit: limit - output.count)
        }
        return output
    }

    /// The bytes of a file, decompressed where they are compressed.
    public static func read(_ path: String) throws(InterchangeError) -> [UInt8] {
        let bytes = try InputFile.bytes(path)
        return isGzip(bytes) ? try decompress(bytes, path: path) : bytes
    }

    /// Whether the content begins like a gzip file.
    static func isGzip(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B]) }

    private static func member(_ reader: inout ByteReader, limit: Int) throws(InterchangeError) -> [UInt8] {
        let path = reader.path
        try skipHeader(&reader)
        // Where the file is one member, its last four bytes are the size modulo 2^32.
        let sizeHint = reader.bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        let output: [UInt8]
        do throws(InflateFailure) {
            output = try Inflate.decompress(reader.bytes, at: &reader.position, expected: sizeHint, limit: limit)
        } catch {
            if error.isTooLarge {
                let problem = "the gzip data grow beyond 256 MiB and a hundred times their size"
                throw InterchangeError(path, problem, "Decompress the file first, if you trust it")
            }
            throw InterchangeError(path, "the gzip data is damaged: \(error.problem)", "Copy or download it again")
        }
        let checksum = try reader.little(UInt32.self, "the gzip trailer")
        let size = try reader.little(UInt32.self, "the gzip trailer")
        guard size == UInt32(truncatingIfNeeded: output.count), checksum == CRC32.zip.checksum(output) else {
            throw InterchangeError(path, "the gzip data does not match its checksum", "Copy or download it again")
        }
        return output
    }

    private static func skipHeader(_ reader: inout ByteReader) throws(InterchangeError) {
        let part = "the gzip header"
        guard try reader.big(UInt16.self, part) == 0x1F8B else {
            let problem = reader.position == 2 ? "this is not a gzip file" : "other data follows the gzip data"
            throw InterchangeError(reader.path, problem, "Check that it is the right file")
        }
        guard try reader.little(UInt8.self, part) == 8 else {
            throw InterchangeError(reader.path, "the gzip file uses an unknown compression", "Compress it with gzip")
        }
        let flags = try reader.little(UInt8.self, part)
        guard flags & 0xE0 == 0 else { throw InterchangeError(reader.path, "the gzip header is damaged") }
        _ = try reader.take(6, part)
        if flags & 4 != 0 { _ = try reader.take(Int(try reader.little(UInt16.self, part)), part) }
        // Bit 3 announces a file name and bit 4 a comment, each ended by a zero.
        for bit: UInt8 in [8, 16] where flags & bit != 0 {
            while try reader.little(UInt8.self, part) != 0 {}
        }
        if flags & 2 != 0 { _ = try reader.take(2, part) }
    }
}
