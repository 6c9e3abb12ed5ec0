@testable import Interchange

/// Reads a whole file, or a header with as many elements as it asks for.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let mode = input.byte()
    let content = input.all()
    let array = try Idx.parse(mode & 1 == 0 ? content : filled(content, dimensions: mode >> 1 & 7), path: path)
    checkArray(array)
    check(try Idx.parse(written(array), path: path) == array, "the array changed")
}

private let codes: [ElementType: UInt8] = [
    .uint8: 0x08, .int8: 0x09, .int16: 0x0B, .int32: 0x0C, .float32: 0x0D, .float64: 0x0E,
]

/// A file whose type code and dimensions, one byte each, come from the content.
private func filled(_ content: [UInt8], dimensions: Int) -> [UInt8] {
    guard content.count > dimensions else { return content }
    let type = ElementType.allCases.filter { codes[$0] != nil }[Int(content[0]) % codes.count]
    let shape = content[1..<dimensions + 1].map { Int($0) % 12 }
    let count = shape.reduce(type.byteCount, *)
    guard count <= 1 << 14 else { return content }
    let elements = (0..<count).map { content[$0 % content.count] }
    return written(ArrayData(elementType: type, shape: shape, bytes: elements))
}

private func written(_ array: ArrayData) -> [UInt8] {
    var file: [UInt8] = [0, 0, codes[array.elementType]!, UInt8(array.shape.count)]
    for dimension in array.shape { file.appendLittle(UInt32(dimension).byteSwapped) }
    var elements = array.bytes
    elements.swapBytes(elementSize: array.elementType.byteCount)
    return file + elements
}
