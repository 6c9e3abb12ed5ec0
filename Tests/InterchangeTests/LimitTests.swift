import Foundation
import Testing

@testable import Interchange

/// What a small file may ask for.
struct LimitTests {
    /// A gzip file of zeros in one block with fixed codes: 258 of them take 13 bits.
    private static func bomb(_ matches: Int) -> [UInt8] {
        var (bytes, buffer, filled): ([UInt8], UInt64, Int) = ([], 0, 0)
        func put(_ value: UInt64, _ count: Int) {
            buffer |= value << UInt64(filled)
            filled += count
            while filled >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: buffer))
                (buffer, filled) = (buffer >> 8, filled - 8)
            }
        }
        // Codes go most significant bit first.
        func code(_ value: UInt64, _ count: Int) {
            for bit in (0..<count).reversed() { put(value >> UInt64(bit) & 1, 1) }
        }
        put(0b011, 3)
        code(0b00110000, 8)
        for _ in 0..<matches {
            code(0b11000101, 8)
            code(0, 5)
        }
        code(0, 7)
        put(0, 7)
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255] + bytes + [UInt8](repeating: 0, count: 8)
    }

    @Test func aBombIsRefusedWhereItPassesTheLimit() {
        let text = message { _ = try Gzip.decompress(Self.bomb(1_100_000), path: "bomb") }
        #expect(text.contains("grow beyond 256 MiB"))
        // A small one is only damaged: its checksum is missing.
        #expect(message { _ = try Gzip.decompress(Self.bomb(1000), path: "small") }.contains("checksum"))
    }

    @Test func anArchiveMayNotClaimMoreThanItsSizeAllows() throws {
        let scratch = try Scratch()
        try Npz.write([("x", ArrayData([Float](repeating: 0, count: 64), shape: [64]))], to: scratch.path("a"))
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: scratch.path("a"))))
        // The sizes in the central directory, at 20 and 24 of its entry.
        let entry = try #require((0..<bytes.count - 4).first { Array(bytes[$0..<$0 + 4]) == [0x50, 0x4B, 1, 2] })
        bytes.replaceSubrange(entry + 24..<entry + 28, with: [0, 0, 0, 0x7F])
        #expect(message { _ = try Npz.parse(bytes, path: "a") }.contains("grows beyond 256 MiB"))
    }

    @Test(arguments: Array("+-.0123456789eE\"\n")) func whatNumbersAreWrittenWithSeparatesNothing(separator: Character)
        throws
    {
        let scratch = try Scratch()
        let path = try scratch.file("a.csv", Array("a.b\n1.5.c\n".utf8))
        #expect(message { _ = try CSV.read(path, separator: separator) }.contains("cannot separate fields"))
    }

    @Test func aDoubledQuoteBeforeAnAccentIsOneQuote() throws {
        let table = try CSV.parse(Array("a,b\n\"x\"\"\u{301}y\",1\n\"z\",2\n".utf8), path: "a")
        #expect(table.columns[0].text?[0].unicodeScalars.elementsEqual("x\"\u{301}y".unicodeScalars) == true)
    }

    @Test func aLineOfCommasIsNoTable() {
        let text = message { _ = try CSV.parse([UInt8](repeating: UInt8(ascii: ","), count: 1 << 18), path: "a") }
        #expect(text.contains("more than 131072 fields"))
    }

    @Test func noArrayHasMoreThan64Dimensions() throws {
        let scratch = try Scratch()
        let dimensions = [String](repeating: "1", count: 65).joined(separator: ",")
        let header = Array(#"{"x":{"dtype":"F32","shape":[\#(dimensions)],"data_offsets":[0,4]}}"#.utf8)
        var length: [UInt8] = []
        length.appendLittle(UInt64(header.count))
        let path = try scratch.file("a", length + header + [0, 0, 0, 0])
        #expect(message { _ = try SafeTensors.read(path) }.contains("and 57 more dimensions"))
        let array = ArrayData(elementType: .float32, shape: [Int](repeating: 1, count: 65), bytes: [0, 0, 0, 0])
        #expect(throws: InterchangeError.self) { try Npy.write(array, to: scratch.path("b")) }
    }

    @Test func aHeaderIsNoLongerThanItsFile() throws {
        let scratch = try Scratch()
        var length: [UInt8] = []
        length.appendLittle(UInt64(90_000_000))
        let path = try scratch.file("a", length + Array("{}".utf8))
        #expect(message { _ = try SafeTensors.read(path) }.contains("the file ends inside the header"))
        var npy: [UInt8] = [0x93] + Array("NUMPY".utf8) + [2, 0]
        npy.appendLittle(UInt32(70_000))
        npy += [UInt8](repeating: 0x20, count: 70_000)
        #expect(message { _ = try Npy.parse(npy, path: "b") }.contains("header takes 70000 bytes"))
    }

    @Test func anyBitThatFlipsIsNoticedInASealedFile() {
        let file = SafeTensorsFile(
            tensors: [("a", ArrayData([1, 2, 3] as [Float], shape: [3])), ("b", ArrayData([Int64](), shape: [0]))],
            metadata: ["k": "v"]
        ).sealed()
        #expect(file.isIntact && !SafeTensorsFile(tensors: file.tensors).isIntact)
        for bit in 0..<96 {
            var copy = file
            copy.tensors[0].array.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!copy.isIntact)
        }
        var copies = [file, file, file, file]
        copies[0].metadata["k"] = "w"
        copies[1].tensors[0].array.shape = [3, 1]
        copies[2].tensors[0].name = "c"
        copies[3].tensors.removeLast()
        for copy in copies { #expect(!copy.isIntact) }
    }
}
