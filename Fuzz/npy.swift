@testable import Interchange

/// Reads a whole file, or frames a header, with as many elements as it asks for, so that its depths are reached.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let mode = input.byte() & 3
    let content = input.all()
    let array = try Npy.parse(mode == 0 ? content : npyFile(header: content, version: mode), path: path)
    checkArray(array)
    let header = try Npy.header(array, name: "the array", path: path)
    check(header.count % 64 == 0, "the elements are not aligned")
    check(try Npy.parse(header + array.bytes, path: path) == array, "the array changed")
}
