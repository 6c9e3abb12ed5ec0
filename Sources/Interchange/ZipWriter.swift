/// Builds an uncompressed ZIP archive as a list of chunks, which share their memory with what was appended.
struct ZipWriter {
    /// Sizes and offsets from here on are written as ZIP64 fields.
    let limit: Int

    private var chunks: [[UInt8]] = []
    private var directory: [UInt8] = []
    private var offset = 0
    private var count = 0

    init(limit: Int) { self.limit = limit }

    /// Appends an entry whose content is the given parts, one after the other.
    mutating func append(name: String, content: [[UInt8]]) {
        let size = content.reduce(0) { $0 + $1.count }
        let checksum = ZipWriter.checksum(content)
        var extra: [UInt8] = []
        if size >= limit {
            extra.appendLittle(UInt64(size))
            extra.appendLittle(UInt64(size))
        }
        var header: [UInt8] = []
        header.appendLittle(UInt32(0x0403_4B50))
        let localExtra = ZipWriter.zip64Field(extra)
        appendCommon(to: &header, name, checksum, size, extraLength: localExtra.count)
        header += Array(name.utf8) + localExtra

        if offset >= limit { extra.appendLittle(UInt64(offset)) }
        let directoryExtra = ZipWriter.zip64Field(extra)
        directory.appendLittle(UInt32(0x0201_4B50))
        directory.appendLittle(UInt16(45))
        appendCommon(to: &directory, name, checksum, size, extraLength: directoryExtra.count)
        // No comment, disk 0, no attributes.
        directory += [UInt8](repeating: 0, count: 10)
        directory.appendLittle(short(offset))
        directory += Array(name.utf8) + directoryExtra

        chunks.append(header)
        chunks += content
        offset += header.count + size
        count += 1
    }

    /// The whole archive.
    func finished() -> [[UInt8]] {
        var end: [UInt8] = []
        let isLarge = offset >= limit || directory.count >= limit || count >= 0xFFFF
        if isLarge {
            end.appendLittle(UInt32(0x0606_4B50))
            end.appendLittle(UInt64(44))
            end.appendLittle(UInt32(45 << 16 | 45))
            end.appendLittle(UInt64(0))
            for value in [count, count, directory.count, offset] { end.appendLittle(UInt64(value)) }
            end.appendLittle(UInt32(0x0706_4B50))
            end.appendLittle(UInt32(0))
            end.appendLittle(UInt64(offset + directory.count))
            end.appendLittle(UInt32(1))
        }
        end.appendLittle(UInt32(0x0605_4B50))
        end.appendLittle(UInt32(0))
        for _ in 0..<2 { end.appendLittle(UInt16(isLarge ? 0xFFFF : count)) }
        end.appendLittle(isLarge ? UInt32.max : UInt32(directory.count))
        end.appendLittle(isLarge ? UInt32.max : UInt32(offset))
        end.appendLittle(UInt16(0))
        return chunks + [directory, end]
    }

    /// The fields that a local header and a directory entry have in common.
    private func appendCommon(
        to header: inout [UInt8], _ name: String, _ checksum: UInt32, _ size: Int, extraLength: Int
    ) {
        header.appendLittle(UInt16(45))
        // Flag 11: the name is UTF-8. Method 0: stored. Then midnight of 1 January 1980, the format's first moment.
        header.appendLittle(UInt16(1 << 11))
        header.appendLittle(UInt16(0))
        header.appendLittle(UInt16(0))
        header.appendLittle(UInt16(1 << 5 | 1))
        header.appendLittle(checksum)
        header.appendLittle(short(size))
        header.appendLittle(short(size))
        header.appendLittle(UInt16(name.utf8.count))
        header.appendLittle(UInt16(extraLength))
    }

    private func short(_ value: Int) -> UInt32 { value >= limit ? .max : UInt32(value) }

    private static func zip64Field(_ values: [UInt8]) -> [UInt8] {
        guard !values.isEmpty else { return [] }
        var field: [UInt8] = [1, 0]
        field.appendLittle(UInt16(values.count))
        return field + values
    }

    private static func checksum(_ parts: [[UInt8]]) -> UInt32 {
        parts.reduce(0) { CRC32.zip.checksum($1[...], continuing: $0) }
    }
}
