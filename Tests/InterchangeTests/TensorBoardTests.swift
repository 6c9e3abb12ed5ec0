import Foundation
import Testing

@testable import Interchange

struct TensorBoardTests {
    @Test func theChecksumIsThatOfTheStandard() {
        // The check value of CRC-32C in the catalogue of parametrised checksums.
        #expect(CRC32.castagnoli.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32.castagnoli.checksum([]) == 0)
    }

    @Test func framesHoldLengthsChecksumsAndEvents() throws {
        let scratch = try Scratch()
        let writer = try TensorBoardWriter(folder: scratch.path(""), time: 1_700_000_000)
        try writer.add(step: 300, scalars: [("loss/train", 0.5), ("score", -2)], time: 1_700_000_001)
        let path = scratch.path("") + "/events.out.tfevents.1700000000.descent"
        let bytes = try InputFile.bytes(path)
        var offset = 0
        var events: [[UInt8]] = []
        while offset < bytes.count {
            let length = Array(bytes[offset..<offset + 8])
            let count = length.reversed().reduce(0) { $0 << 8 | Int($1) }
            let event = Array(bytes[offset + 12..<offset + 12 + count])
            func word(_ start: Int) -> UInt32 { bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
            #expect(
                word(offset + 8) == TensorBoardWriter.masked(length)
                    && word(offset + 12 + count) == TensorBoardWriter.masked(event))
            events.append(event)
            offset += 16 + count
        }
        #expect(events.count == 2)
        // Wall time (field 1, eight bytes), then the version as field 3.
        #expect(events[0].first == 0x09 && events[0].suffix(13) == ArraySlice("brain.Event:2".utf8))
        // Step 300 as field 2 in variable length, and both tags.
        #expect(events[1].dropFirst(9).prefix(3) == [0x10, 0xAC, 0x02])
        #expect(String(decoding: events[1], as: UTF8.self).contains("loss/train"))
    }

    @Test func aSecondWriterLeavesTheFirstFileAlone() throws {
        let scratch = try Scratch()
        for _ in 0..<2 { _ = try TensorBoardWriter(folder: scratch.path(""), time: 1) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("")).count == 2)
        #expect(message { _ = try TensorBoardWriter(folder: "/nowhere/at/all") }.contains("cannot be written"))
    }
}
