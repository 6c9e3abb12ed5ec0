import Foundation
import Testing

@testable import Interchange

struct FileTests {
    private let readers: [(String, (String) throws -> Void)] = [
        ("safetensors", { _ = try SafeTensors.read($0) }), ("npy", { _ = try Npy.read($0) }),
        ("npz", { _ = try Npz.read($0) }), ("idx", { _ = try Idx.read($0) }), ("csv", { _ = try CSV.read($0) }),
    ]

    @Test func missingEmptyAndUnreadableFilesAndFoldersAreNamed() throws {
        let scratch = try Scratch()
        let empty = try scratch.file("empty", [])
        for (name, read) in readers {
            #expect(message { try read(scratch.path("none")) }.contains("none: there is no such file"), "\(name)")
            #expect(message { try read(scratch.folder) }.contains("this is a folder"), "\(name)")
            #expect(message { try read(empty) }.contains("empty: the file is empty"), "\(name)")
            #expect(message { try read("/dev/null") }.contains("this is a device"), "\(name)")
        }
        if getuid() != 0 {
            chmod(empty, 0)
            #expect(message { _ = try Npy.read(empty) }.contains("permission to read it is denied"))
        }
    }

    @Test func aFailedWriteLeavesNothingBehind() throws {
        let scratch = try Scratch()
        try AtomicFile.write([1, 2, 3] as [UInt8], to: scratch.path("a"))
        try AtomicFile.write(chunks: [[4], [], [5, 6]], to: scratch.path("a"))
        #expect(try InputFile.bytes(scratch.path("a")) == [4, 5, 6])
        #expect(message { try AtomicFile.write(Data(), to: scratch.path("no/b")) }.contains("Create its folder first"))
        #expect(message { try AtomicFile.write(Data(), to: scratch.folder) }.contains("Is a directory"))
        #expect(scratch.names == ["a"])
    }

    @Test func aLinkStaysALinkAndPermissionsStay() throws {
        let scratch = try Scratch()
        let target = try scratch.file("target", [1])
        chmod(target, 0o640)
        symlink(target, scratch.path("link"))
        try AtomicFile.write([2] as [UInt8], to: scratch.path("link"))
        #expect(try InputFile.bytes(target) == [2])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: scratch.path("link")) == target)
        let mode = try FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? Int
        #expect(mode == 0o640)
    }

    #if os(Linux)
        @Test func aFullDiskIsReported() {
            let text = message { try AtomicFile.write([1] as [UInt8], to: "/dev/full") }
            #expect(text.contains("No space left on device. Free some space"))
        }
    #endif

    @Test func idxFilesAreReadPlainAndCompressed() throws {
        for name in ["idx", "idx_gzip", "idx_gzip_named"] {
            let array = try Idx.parse(Fixtures.bytes(name), path: name)
            #expect(array == ArrayData(elementType: .uint8, shape: [2, 3], bytes: [1, 2, 3, 250, 251, 252]))
        }
        #expect(try Idx.parse(Fixtures.bytes("idx_int16"), path: "i").integers() == [-2, 0, 300])
    }

    @Test func faultyIdxFilesAreRefused() {
        let good = Fixtures.bytes("idx")
        func fault(_ bytes: [UInt8]) -> String { message { _ = try Idx.parse(bytes, path: "x") } }
        #expect(fault([1] + good.dropFirst()).contains("not an IDX file"))
        #expect(fault(good + [0]).contains("takes 6 bytes but 7 follow"))
        #expect(fault(good.dropLast()).contains("takes 6 bytes but 5 follow"))
        #expect(fault(Array(good.prefix(6))).contains("ends inside the IDX header"))
        let huge: [UInt8] = [0, 0, 8, 3] + [UInt8](repeating: 255, count: 12)
        #expect(fault(huge).contains("too large"))
    }

    @Test func everyKindOfBlockInflates() throws {
        let runs =
            [UInt8](repeating: 97, count: 100_000) + (0..<10_000).map { 97 + UInt8($0 % 2) }
            + (0..<9_000).map { 97 + UInt8($0 % 3) }
        for (name, expected) in [
            ("stored", Array(sampleText().prefix(600))), ("fixed", sampleText()), ("dynamic", sampleText()),
            ("huffman", sampleText()), ("runs", runs),
        ] {
            let bytes = Fixtures.bytes("deflate_\(name)")
            var position = 3
            let output = try Inflate.decompress([9, 9, 9] + bytes + [9], at: &position, expected: 0)
            #expect(output == expected, "\(name)")
            #expect(position == bytes.count + 3, "\(name)")
        }
    }

    @Test func inflatingStopsAtTheLimit() {
        var position = 0
        #expect(throws: InflateFailure.self) {
            try Inflate.decompress(Fixtures.bytes("deflate_runs"), at: &position, expected: 10, limit: 1000)
        }
    }

    @Test func gzipPaddingIsIgnoredAndOtherTrailingDataRefused() throws {
        let bytes = Fixtures.bytes("idx_gzip_named")
        #expect(try Gzip.decompress(bytes + [0, 0, 0], path: "x") == Fixtures.bytes("idx"))
        #expect(message { _ = try Gzip.decompress(bytes + [1, 2], path: "x") }.contains("other data follows"))
        #expect(message { _ = try Gzip.decompress([1, 2, 3], path: "x") }.contains("not a gzip file"))
        var flipped = bytes
        flipped[bytes.count - 6] ^= 1
        #expect(message { _ = try Gzip.decompress(flipped, path: "x") }.contains("does not match its checksum"))
    }
}
