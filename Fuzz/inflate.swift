@testable import Interchange

/// Decodes raw DEFLATE data and compares content and end with those of a plain decoder.
func test(_ bytes: [UInt8]) throws {
    var input = Input(bytes)
    let steering = input.byte()
    let stream = [UInt8](repeating: 0xFF, count: steering >> 6) + input.all()
    let limit = 1 << 20
    let expected = [0, 1, stream.count, 3 * stream.count, limit, .max, 5000, 70000][steering & 7]
    var reference = ReferenceInflate(stream, position: steering >> 6, limit: limit)
    let isSound = reference.run()
    var position = steering >> 6
    let content: [UInt8]
    do throws(InflateFailure) {
        content = try Inflate.decompress(stream, at: &position, expected: expected, limit: limit)
    } catch {
        check(!isSound, "sound data was refused: \(error.problem)")
        throw error
    }
    check(isSound, "damaged data was accepted")
    check(content == reference.output, "the content differs")
    check(position == reference.position, "the stream ends at \(reference.position), not \(position)")
    guard content.count > 0 else { return }
    position = steering >> 6
    let short = try? Inflate.decompress(stream, at: &position, expected: expected, limit: content.count - 1)
    check(short == nil, "the limit was not kept")
}
