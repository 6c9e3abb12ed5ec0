import Foundation
import Testing

@testable import Plots

/// A decoder that shares nothing with the encoder and checks every length and checksum.
private struct Decoded {
    var width = 0
    var height = 0
    var palette: [UInt8] = []
    var rows: [UInt8] = []
    var types: [String] = []

    init(_ bytes: [UInt8]) throws {
        func number(_ start: Int) -> Int { bytes[start..<start + 4].reduce(0) { $0 * 256 + Int($1) } }
        #expect(Array(bytes.prefix(8)) == [137, 80, 78, 71, 13, 10, 26, 10])
        var position = 8
        while position < bytes.count {
            let length = number(position)
            let type = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
            let data = Array(bytes[position + 8..<position + 8 + length])
            #expect(number(position + 8 + length) == Self.crc(bytes[position + 4..<position + 8 + length]))
            types.append(type)
            switch type {
            case "IHDR":
                width = number(position + 8)
                height = number(position + 12)
                #expect(Array(data[8...]) == [8, 3, 0, 0, 0])
            case "PLTE": palette = data
            case "IDAT": rows = try Self.inflateStored(data)
            default: #expect(length == 0)
            }
            position += 12 + length
        }
        #expect(position == bytes.count)
    }

    /// Divides the message by the generator bit by bit, in the order in which the bits are sent.
    private static func crc(_ bytes: ArraySlice<UInt8>) -> Int {
        var register: UInt32 = .max
        for byte in bytes {
            for bit in 0..<8 {
                let feedback = (register & 1) ^ UInt32(byte >> UInt8(bit) & 1)
                register >>= 1
                if feedback == 1 { register ^= 0xEDB8_8320 }
            }
        }
        return Int(~register)
    }

    private static func inflateStored(_ data: [UInt8]) throws -> [UInt8] {
        #expect((Int(data[0]) * 256 + Int(data[1])) % 31 == 0 && data[0] & 15 == 8)
        var result: [UInt8] = []
        var position = 2
        var isLast = false
        while !isLast {
            isLast = data[position] == 1
            try #require(data[position] <= 1)
            let length = Int(data[position + 1]) + 256 * Int(data[position + 2])
            let complement = Int(data[position + 3]) + 256 * Int(data[position + 4])
            #expect(length + complement == 65_535)
            result += data[position + 5..<position + 5 + length]
            position += 5 + length
        }
        // Adler-32 as the closed sums of its definition.
        let sum = result.reduce(1) { $0 + Int($1) }
        let weighted = result.enumerated().reduce(result.count) { $0 + (result.count - $1.offset) * Int($1.element) }
        let stored = data[position...].reduce(0) { $0 * 256 + Int($1) }
        #expect(data.count == position + 4)
        #expect(stored == (weighted % 65_521) * 65_536 + sum % 65_521)
        return result
    }
}

@Suite("Images")
struct PNGTests {
    @Test("An encoded image decodes to the same pixels", arguments: [(1, 1), (28, 28), (300, 500)])
    func roundTrip(width: Int, height: Int) throws {
        let pixels = (0..<width * height).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 7) }
        let palette = (0...255).map { (level: UInt8) in (red: level, green: 255 - level, blue: level / 2) }
        let image = try Decoded(PNG.encode(width: width, height: height, palette: palette, pixels: pixels))
        #expect(image.types == ["IHDR", "PLTE", "IDAT", "IEND"])
        #expect((image.width, image.height) == (width, height))
        #expect(image.palette == palette.flatMap { [$0.red, $0.green, $0.blue] })
        for row in 0..<height {
            let start = row * (width + 1)
            #expect(image.rows[start] == 0)
            let decoded = Array(image.rows[(start + 1)...].prefix(width))
            let original = Array(pixels[(row * width)...].prefix(width))
            #expect(decoded == original)
        }
    }

    @Test("Colours run from blue over near-white to red, symmetrically about zero")
    func colours() throws {
        let image = try Decoded(ImageGrid.png([-2, 0, 2, .nan, 1, -1], height: 1, width: 7))
        let indices = image.rows.dropFirst().map(Int.init)
        #expect(indices[0] == 0 && indices[1] == 127 && indices[2] == 254)
        #expect(indices[3] == 255 && indices[6] == 255)
        #expect(indices[4] - 127 == 127 - indices[5])
        func colour(_ index: Int) -> [UInt8] { Array(image.palette[3 * index..<3 * index + 3]) }
        #expect(colour(127) == [250, 250, 250])
        #expect(colour(0)[2] > colour(0)[0] && colour(254)[0] > colour(254)[2])
        let blank = try Decoded(ImageGrid.png([0, 0], height: 1, width: 2))
        #expect(blank.rows == [0, 127, 127])
        let extreme = try Decoded(
            ImageGrid.png([.greatestFiniteMagnitude, .leastNonzeroMagnitude], height: 1, width: 2))
        #expect(extreme.rows == [0, 254, 127])
    }

    @Test("A grid embeds one decodable image for each set of weights")
    func grid() throws {
        let images = (0..<5).map { image in (0..<6).map { Float($0 - image) } }
        let html = ImageGrid(title: "weights", images: images, height: 2, width: 3, columns: 4, labels: ["one"]).html()
        expectWellFormed(html)
        let sources = Attributes("src", of: "img", in: html).values
        #expect(sources.count == 5)
        for source in sources {
            let prefix = "data:image/png;base64,"
            try #require(source.hasPrefix(prefix))
            let data = try #require(Data(base64Encoded: String(source.dropFirst(prefix.count))))
            let image = try Decoded(Array(data))
            #expect((image.width, image.height) == (3, 2))
        }
    }
}
