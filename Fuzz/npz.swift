@testable import Interchange

/// Reads a whole archive, or builds one with proper sizes and checksums of fuzzed entries.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let isBuilt = input.byte() & 1 == 1
    let arrays = try Npz.parse(isBuilt ? built(&input) : input.all(), path: path)
    for array in arrays.values { checkArray(array) }
    for limit in [0, 200, Int(UInt32.max)] {
        var writer = ZipWriter(limit: limit)
        for (name, array) in arrays {
            writer.append(name: name + ".npy", content: [try Npy.header(array, name: name, path: path), array.bytes])
        }
        // The format has no place for ZIP64 fields in an archive without entries.
        guard !arrays.isEmpty else { return }
        let again = try Npz.parse(Array(writer.finished().joined()), path: path)
        check(again == arrays, "the arrays changed where ZIP64 begins at \(limit)")
    }
}

/// An archive of entries that are each a header's text, a whole `.npy` file or a DEFLATE stream.
private func built(_ input: inout Input) -> [UInt8] {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    var count = 0
    while !input.rest.isEmpty, count < 8 {
        let flags = input.byte()
        let chunk = input.chunk()
        let isDeflated = flags & 1 == 1
        let data = flags & 2 == 2 && !isDeflated ? npyFile(header: chunk, version: 1 + flags >> 2 & 1) : chunk
        var position = 0
        let content =
            isDeflated ? (try? Inflate.decompress(data, at: &position, expected: 0, limit: 1 << 20)) ?? [] : data
        let name = Array("\(flags >> 4).npy".utf8)

        var common: [UInt8] = [20, 0, 0, 0, isDeflated ? 8 : 0, 0, 0, 0, 0x21, 0]
        common.appendLittle(CRC32.zip.checksum(content))
        common.appendLittle(UInt32(data.count))
        common.appendLittle(UInt32(content.count))
        common.appendLittle(UInt16(name.count))
        common.appendLittle(UInt16(0))
        directory += [0x50, 0x4B, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10)
        directory.appendLittle(UInt32(archive.count))
        directory += name
        archive += [0x50, 0x4B, 3, 4] + common + name + data
        count += 1
    }
    var end: [UInt8] = [0x50, 0x4B, 5, 6, 0, 0, 0, 0, UInt8(count), 0, UInt8(count), 0]
    end.appendLittle(UInt32(directory.count))
    end.appendLittle(UInt32(archive.count))
    return archive + directory + end + [0, 0]
}
