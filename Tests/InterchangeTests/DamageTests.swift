import Foundation
import Testing

@testable import Interchange

/// Damaged files must give an error or a value, and never a crash.
struct DamageTests {
    private static func parse(_ name: String, _ bytes: [UInt8], _ scratch: Scratch) throws {
        switch name.prefix(3) {
        case "npy": _ = try Npy.parse(bytes, path: name)
        case "npz", "zip": _ = try Npz.parse(bytes, path: name)
        case "idx": _ = try Idx.parse(bytes, path: name)
        case "saf": _ = try SafeTensors.read(try scratch.file("a", bytes))
        case "csv": _ = try CSV.parse(bytes, path: name)
        default:
            var position = 0
            _ = try Inflate.decompress(bytes, at: &position, expected: bytes.count, limit: 1 << 20)
        }
    }

    @Test(arguments: Fixtures.names) func aFileCutShortAnywhereIsRefused(name: String) throws {
        let scratch = try Scratch()
        let bytes = Fixtures.bytes(name)
        for length in 0..<bytes.count {
            // The first gzip member of two is a whole file by itself, though no whole IDX file.
            #expect(throws: (any Error).self, "\(name) of length \(length)") {
                try DamageTests.parse(name, Array(bytes.prefix(length)), scratch)
            }
        }
    }

    @Test(arguments: Fixtures.names) func flippedBytesNeverCrash(name: String) throws {
        let scratch = try Scratch()
        let bytes = Fixtures.bytes(name)
        var generator = SeededGenerator(state: 7)
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                damaged[index] = Bool.random(using: &generator) ? .random(in: 0...255, using: &generator) : 255
            }
            _ = try? DamageTests.parse(name, damaged, scratch)
        }
    }

    @Test(arguments: ["idx_gzip_named", "npz_stored", "npz_deflated"])
    func aFlippedBitInCompressedContentIsNoticed(name: String) throws {
        let scratch = try Scratch()
        let bytes = Fixtures.bytes(name)
        let original = try Idx.parse(Fixtures.bytes("idx"), path: "idx")
        let arrays = try Npz.parse(Fixtures.bytes("npz_stored"), path: "npz")
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x10
            // Times and the like are not covered by a checksum: what is then read must be unharmed.
            if name.hasPrefix("idx") {
                if let array = try? Idx.parse(damaged, path: name) { #expect(array == original) }
            } else if let read = try? Npz.parse(damaged, path: name) {
                #expect(read.values.allSatisfy { arrays.values.contains($0) })
            }
            _ = try? DamageTests.parse(name, damaged, scratch)
        }
    }

    @Test func randomBytesNeverCrashAnyParser() throws {
        let scratch = try Scratch()
        var generator = SeededGenerator(state: 11)
        let alphabet = Array("0123456789.eE+-,;\t|\"\n\r naNAif?x ".utf8)
        for _ in 0..<4000 {
            let count = Int.random(in: 0..<80, using: &generator)
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let table = (0..<count).map { _ in alphabet.randomElement(using: &generator)! }
            for name in ["npy", "npz", "idx", "csv", "deflate"] { _ = try? DamageTests.parse(name, noise, scratch) }
            _ = try? CSV.parse(table, path: "csv")
            _ = try? CSV.parse(table, path: "csv", header: true, separator: ";")
            _ = try? Npy.parse([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(count), 0] + table, path: "npy")
        }
    }
}
