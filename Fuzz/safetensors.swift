@testable import Interchange

/// Reads a whole file, or frames a header, with as many elements as it asks for, so that its depths are reached.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let isFramed = input.byte() & 1 == 1
    let content = input.all()
    let file = try SafeTensors.parse(isFramed ? framed(content) : content, path: path)
    for (_, array) in file.tensors { checkArray(array) }
    let written = try SafeTensors.chunks(of: file, path: path)
    let again = try SafeTensors.parse(Array(written.joined()), path: path)
    check(again.metadata == file.metadata, "the metadata changed")
    check(again.tensors.map(\.name) == file.tensors.map(\.name), "the names changed")
    check(again.tensors.map(\.array) == file.tensors.map(\.array), "the arrays changed")
}

private func framed(_ header: [UInt8]) -> [UInt8] {
    var file: [UInt8] = []
    file.appendLittle(UInt64(header.count))
    file += header
    guard let parsed = try? SafeTensorsHeader(parsing: header, path: path),
        let size = try? parsed.dataSize(path: path), size <= 1 << 14
    else { return file }
    return file + (0..<size).map { UInt8(truncatingIfNeeded: $0 * 37) }
}
