import Foundation

@testable import Interchange

/// Compares the value of a number with that of the C library, which rounds correctly too.
func test(_ bytes: [UInt8]) throws {
    bytes.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress, !buffer.isEmpty else { return }
        let end = start + buffer.count
        var cursor = start
        guard let value = DecimalNumber.scan(&cursor, end) else {
            check(cursor == start, "the cursor moved without a number")
            return
        }
        check(cursor > start && cursor <= end, "the cursor is astray")
        let text = String(decoding: UnsafeBufferPointer(start: start, count: cursor - start), as: UTF8.self)
        let expected = strtod(text, nil)
        check(value.bitPattern == expected.bitPattern, "\(text) gave \(value), not \(expected)")
    }
}
