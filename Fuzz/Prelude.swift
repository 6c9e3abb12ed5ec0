import Foundation

@testable import Interchange

/// The name that errors give to what is parsed.
let path = "input"

/// A fuzzed input, read from its front: what steers a harness comes first, the parser's share is what is left.
struct Input {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// The next byte; 0 at the end.
    mutating func byte() -> Int { rest.popFirst().map(Int.init) ?? 0 }

    /// The next bytes, as many as the two bytes before them say, or as many as there are.
    mutating func chunk() -> [UInt8] {
        let count = byte() << 8 | byte()
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// All that is left.
    mutating func all() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }
}

/// Ends the process, which the fuzzer counts as a finding, unless `condition` holds.
func check(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

/// Checks what holds of every array that a parser returns.
func checkArray(_ array: ArrayData) {
    check(array.elementType.byteCount(shape: array.shape) == array.bytes.count, "\(array.shape) does not fit its bytes")
    check(array.count * array.elementType.byteCount == array.bytes.count, "\(array.shape) has the wrong count")
    check(array.floats().count == array.count, "floats() lost elements")
    check(array.doubles().count == array.count, "doubles() lost elements")
    check(array.integers().count == array.count, "integers() lost elements")
}

/// A `.npy` file of the given header, with as many elements as the header asks for where these are few.
func npyFile(header: [UInt8], version: Int) -> [UInt8] {
    var file: [UInt8] = [0x93] + Array("NUMPY".utf8) + [UInt8(version), 0]
    if version == 1 { file.appendLittle(UInt16(header.count)) } else { file.appendLittle(UInt32(header.count)) }
    file += header
    let text = String(decoding: header, as: UTF8.self)
    guard let count = (try? NpyHeader(parsing: text, path: path))?.byteCount, count <= 1 << 14 else { return file }
    return file + (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
}

/// Called by the fuzzer's engine with every input; the harness's `test` may throw for a damaged one, but not crash.
@_cdecl("LLVMFuzzerTestOneInput") public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    do {
        try test([UInt8](UnsafeBufferPointer(start: data, count: size)))
    } catch {
        // A message must be writable whatever names the damaged content holds.
        check(!"\(error)".isEmpty, "an error without a message")
    }
    return 0
}
