@testable import Interchange

/// Reads whole gzip data, or frames DEFLATE streams with proper sizes and checksums.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    guard input.byte() & 1 == 1 else {
        _ = try Gzip.decompress(input.all(), path: path)
        return
    }
    var file: [UInt8] = []
    var expected: [UInt8] = []
    while !input.rest.isEmpty {
        let flags = UInt8(input.byte())
        file += [0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 3] + (flags & 0x1C == 0 ? [] : input.chunk())
        let stream = input.chunk()
        var position = 0
        let content = try? Inflate.decompress(stream, at: &position, expected: stream.count, limit: 1 << 20)
        file += stream
        file.appendLittle(CRC32.zip.checksum(content ?? []))
        file.appendLittle(UInt32(content?.count ?? 0))
        expected += content ?? []
        if flags != 0 || content == nil || position != stream.count { expected = [] }
        if expected.isEmpty { break }
    }
    let output = try Gzip.decompress(file, path: path)
    check(expected.isEmpty || output == expected, "the members were joined wrongly")
}
