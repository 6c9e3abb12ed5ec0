/// Reads ZIP archives held in memory, stored or deflated, with ZIP64.
enum ZipReader {
    struct Entry {
        var name: String
        var isDeflated: Bool
        var checksum: UInt32
        var compressedSize: Int
        var size: Int
        var headerOffset: Int
    }

    private static let advice = "Copy or download it again"

    /// The entries of the archive's central directory, checked to lie within the file.
    static func entries(_ bytes: [UInt8], path: String) throws(InterchangeError) -> [Entry] {
        guard bytes.starts(with: [0x50, 0x4B]) else {
            throw InterchangeError(path, "this is not a ZIP archive", "Write it with numpy.savez")
        }
        let directory = try findDirectory(bytes, path: path)
        var reader = ByteReader(bytes: bytes, path: path, position: directory.offset)
        var entries: [Entry] = []
        var total = 0
        var expanded = 0
        let limit = Inflate.greatestSize(ofCompressed: bytes.count)
        for _ in 0..<directory.count {
            let entry = try readEntry(&reader)
            entries.append(entry)
            total += min(entry.compressedSize, bytes.count)
            // Entries that share data are how a small archive expands beyond all bounds.
            guard total <= bytes.count else { throw InterchangeError(path, "entries of the archive overlap", advice) }
            guard entry.size <= limit - expanded else {
                let problem = "the archive grows beyond 256 MiB and a hundred times its size"
                throw InterchangeError(path, problem, "Write it with numpy.savez, if you trust it")
            }
            expanded += entry.size
        }
        return entries
    }

    /// The content of an entry, after checking its size and CRC-32.
    static func content(of entry: Entry, in bytes: [UInt8], path: String) throws(InterchangeError) -> [UInt8] {
        var reader = ByteReader(bytes: bytes, path: path, position: min(entry.headerOffset, bytes.count))
        let part = "entry '\(entry.name)'"
        guard try reader.little(UInt32.self, part) == 0x0403_4B50 else {
            throw InterchangeError(path, "\(part) of the archive has a damaged header", advice)
        }
        _ = try reader.take(22, part)
        let nameLength = Int(try reader.little(UInt16.self, part))
        let extraLength = Int(try reader.little(UInt16.self, part))
        _ = try reader.take(nameLength + extraLength, part)
        let range = try reader.take(entry.compressedSize, part)

        var content: [UInt8]
        if entry.isDeflated {
            var position = range.lowerBound
            do throws(InflateFailure) {
                content = try Inflate.decompress(
                    bytes, at: &position, until: range.upperBound, expected: entry.size, limit: entry.size)
            } catch {
                throw InterchangeError(path, "\(part) of the archive is damaged: \(error.problem)", advice)
            }
            if position != range.upperBound { content = [] }
        } else {
            content = Array(bytes[range])
        }
        guard content.count == entry.size, CRC32.zip.checksum(content) == entry.checksum else {
            throw InterchangeError(path, "\(part) of the archive does not match its checksum", advice)
        }
        return content
    }

    /// Where the central directory lies, from the record at the end of the file.
    private static func findDirectory(
        _ bytes: [UInt8], path: String
    ) throws(InterchangeError) -> (offset: Int, count: Int) {
        // The record takes 22 bytes and may be followed by a comment of up to 65535.
        let lowest = max(0, bytes.count - 22 - 65535)
        let signature: [UInt8] = [0x50, 0x4B, 5, 6]
        guard bytes.count >= 22,
            let end = (lowest...bytes.count - 22).last(where: { bytes[$0..<$0 + 4].elementsEqual(signature) })
        else { throw .truncated(path, "the archive") }
        let part = "the archive's directory"
        var reader = ByteReader(bytes: bytes, path: path, position: end + 10)
        var count = Int(try reader.little(UInt16.self, part))
        _ = try reader.take(4, part)
        var offset = Int(try reader.little(UInt32.self, part))
        if count == 0xFFFF || offset == 0xFFFF_FFFF, end >= 20 {
            reader.position = end - 20
            if try reader.little(UInt32.self, part) == 0x0706_4B50 {
                _ = try reader.take(4, part)
                reader.position = min(try reader.count64(part), bytes.count)
                guard try reader.little(UInt32.self, part) == 0x0606_4B50 else {
                    throw InterchangeError(path, "\(part) is damaged", advice)
                }
                _ = try reader.take(28, part)
                count = try reader.count64(part)
                _ = try reader.take(8, part)
                offset = try reader.count64(part)
            }
        }
        // An entry of the directory takes at least 46 bytes.
        guard offset <= end, count <= (end - offset) / 46 else {
            throw InterchangeError(path, "\(part) is damaged", advice)
        }
        return (offset, count)
    }

    private static func readEntry(_ reader: inout ByteReader) throws(InterchangeError) -> Entry {
        let path = reader.path
        let part = "the archive's directory"
        guard try reader.little(UInt32.self, part) == 0x0201_4B50 else {
            throw InterchangeError(path, "\(part) is damaged", advice)
        }
        _ = try reader.take(4, part)
        let flags = try reader.little(UInt16.self, part)
        let method = try reader.little(UInt16.self, part)
        _ = try reader.take(4, part)
        let checksum = try reader.little(UInt32.self, part)
        var sizes = [Int(try reader.little(UInt32.self, part)), Int(try reader.little(UInt32.self, part))]
        let nameLength = Int(try reader.little(UInt16.self, part))
        let extraLength = Int(try reader.little(UInt16.self, part))
        let commentLength = Int(try reader.little(UInt16.self, part))
        _ = try reader.take(8, part)
        var offset = Int(try reader.little(UInt32.self, part))
        let name = String(decoding: reader.bytes[try reader.take(nameLength, part)], as: UTF8.self)
        let extra = try reader.take(extraLength, part)
        _ = try reader.take(commentLength, part)

        // The ZIP64 field holds, in this order, those of the values that do not fit their own.
        var fields = ByteReader(bytes: reader.bytes, path: path, position: extra.lowerBound)
        while extra.upperBound - fields.position >= 4 {
            let identifier = try fields.little(UInt16.self, part)
            let length = Int(try fields.little(UInt16.self, part))
            let next = fields.position + length
            if identifier == 1 {
                if sizes[1] == 0xFFFF_FFFF { sizes[1] = try fields.count64(part) }
                if sizes[0] == 0xFFFF_FFFF { sizes[0] = try fields.count64(part) }
                if offset == 0xFFFF_FFFF { offset = try fields.count64(part) }
            }
            fields.position = min(next, extra.upperBound)
        }
        guard flags & 1 == 0 else {
            throw InterchangeError(path, "'\(name)' is encrypted", "Give an archive without password")
        }
        guard method == 0 || method == 8 else {
            let advice = "Write it with numpy.savez or numpy.savez_compressed"
            throw InterchangeError(path, "'\(name)' uses an unknown compression (method \(method))", advice)
        }
        return Entry(
            name: name, isDeflated: method == 8, checksum: checksum, compressedSize: sizes[0], size: sizes[1],
            headerOffset: offset)
    }
}
