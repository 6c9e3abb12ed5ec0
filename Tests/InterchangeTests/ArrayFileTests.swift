import Foundation
import Testing

@testable import Interchange

struct ArrayFileTests {
    /// Six elements of each type, of bits that differ in every byte.
    private func samples() -> [(String, ArrayData)] {
        ElementType.allCases.map { type in
            let bytes = (0..<6 * type.byteCount).map { type == .bool ? UInt8($0 % 2) : UInt8($0 * 37 % 256) }
            return ("\(type)", ArrayData(elementType: type, shape: [2, 3], bytes: bytes))
        }
    }

    @Test func everyElementTypeSurvivesANpyFile() throws {
        let scratch = try Scratch()
        for (name, array) in samples() where name != "bfloat16" {
            try Npy.write(array, to: scratch.path("a.npy"))
            #expect(try Npy.read(scratch.path("a.npy")) == array)
        }
        let brain = samples().first { $0.0 == "bfloat16" }!.1
        #expect(message { try Npy.write(brain, to: scratch.path("b.npy")) }.contains("NumPy has no BF16"))
    }

    @Test func aLayoutTellsWhereTheElementsLie() throws {
        let scratch = try Scratch()
        for (name, array) in samples() where name != "bfloat16" {
            try Npy.write(array, to: scratch.path("a.npy"))
            let layout = try #require(try Npy.layout(scratch.path("a.npy")))
            let bytes = try InputFile.bytes(scratch.path("a.npy"))
            #expect(layout.elementType == array.elementType && layout.shape == [2, 3])
            #expect(Array(bytes[layout.offset...]) == array.bytes && layout.byteCount == array.bytes.count)
            try AtomicFile.write(chunks: [Array(bytes.dropLast())], to: scratch.path("cut.npy"))
            #expect(message { _ = try Npy.layout(scratch.path("cut.npy")) }.contains("follow the header"))
        }
    }

    @Test func everyElementTypeSurvivesASafeTensorsFile() throws {
        let scratch = try Scratch()
        let metadata = ["format": "pt", "note": "a \"quoted\" \\ \n\u{1} \u{1F600} é"]
        let file = SafeTensorsFile(tensors: samples().map { (name: $0.0, array: $0.1) }, metadata: metadata)
        try SafeTensors.write(file, to: scratch.path("a.safetensors"))
        let read = try SafeTensors.read(scratch.path("a.safetensors"))
        #expect(read.metadata == metadata)
        #expect(read.tensors.map(\.name) == file.tensors.map(\.name))
        #expect(read.tensors.map(\.array) == file.tensors.map(\.array))
        #expect(read["int16"] == file["int16"])
        #expect(read["missing"] == nil)
        let length = Int(try InputFile.bytes(scratch.path("a.safetensors"))[0])
        #expect(length % 8 == 0)
    }

    @Test(arguments: [1, 100, 1 << 31]) func aNpzArchiveSurvivesWithAndWithoutZip64(limit: Int) throws {
        let scratch = try Scratch()
        let arrays = samples().filter { $0.0 != "bfloat16" } + [("ünï/code", ArrayData([Float](), shape: [0, 2]))]
        try Npz.write(arrays, to: scratch.path("a.npz"), zip64From: limit)
        let read = try Npz.read(scratch.path("a.npz"))
        #expect(read == Dictionary(uniqueKeysWithValues: arrays))
    }

    @Test func filesOfNumPyAreReadInEveryOrderAndVersion() throws {
        let ramp: [Double] = [0, 1, 2, 3, 4, 5]
        for name in ["big_endian", "version2", "version3", "uint64"] {
            let array = try Npy.parse(Fixtures.bytes("npy_\(name)"), path: name)
            #expect(array.shape == [2, 3] && array.doubles() == ramp)
        }
        let fortran = try Npy.parse(Fixtures.bytes("npy_fortran"), path: "f")
        #expect(fortran.shape == [2, 3, 4] && fortran.doubles() == (0..<24).map(Double.init))
        let scalar = try Npy.parse(Fixtures.bytes("npy_scalar"), path: "s")
        #expect(scalar.shape == [] && scalar.doubles() == [2.5] && scalar.count == 1)
        #expect(try Npy.parse(Fixtures.bytes("npy_empty"), path: "e").shape == [0, 3])
        let narrow = try Npy.parse(Fixtures.bytes("npy_uint16"), path: "u")
        #expect(narrow.elementType == .int32 && narrow.integers() == (65530...65535).map { $0 })
        let wide = try Npy.parse(Fixtures.bytes("npy_uint32"), path: "u")
        #expect(wide.elementType == .int64 && wide.integers() == (4_294_967_290...4_294_967_295).map { $0 })
    }

    @Test func elementsThatAreNoNumbersAreRefusedByName() {
        for (name, word) in [
            ("object", "Python objects"), ("text", "text"), ("fields", "named fields"), ("complex", "complex numbers"),
            ("uint64_large", "above 9223372036854775807"),
        ] {
            let text = message { _ = try Npy.parse(Fixtures.bytes("npy_\(name)"), path: "x.npy") }
            #expect(text.hasPrefix("x.npy: the array h") && text.contains(word))
        }
    }

    @Test(arguments: ["npz_stored", "npz_deflated"]) func archivesOfNumPyAreRead(name: String) throws {
        let arrays = try Npz.parse(Fixtures.bytes(name), path: name)
        #expect(arrays.keys.sorted() == ["x", "y"])
        #expect(arrays["x"] == ArrayData((0..<40).map(Float.init), shape: [5, 8]))
        #expect(arrays["y"] == ArrayData([Int64(3), 1, 2], shape: [3]))
    }

    @Test func anArchiveOfOtherFilesIsRefused() {
        let text = message { _ = try Npz.parse(Fixtures.bytes("zip_other"), path: "x.npz") }
        #expect(text.contains("'notes.txt', which is not a npy file"))
    }

    @Test func aFileOfTheSafeTensorsLibraryIsRead() throws {
        let scratch = try Scratch()
        let file = try SafeTensors.read(try scratch.file("a.safetensors", Fixtures.bytes("safetensors")))
        #expect(file.metadata == ["format": "pt", "note": "a \"quoted\" \\ é"])
        #expect(file.tensors.count == 11)
        for elementType in ElementType.allCases {
            let array = try #require(file["\(elementType)"])
            #expect(array.elementType == elementType && array.shape == [2, 3])
            #expect(array.floats() == (elementType == .bool ? [0, 1, 1, 1, 1, 1] : [0, 1, 2, 3, 4, 5]))
        }
        #expect(file["none"]?.shape == [0, 4])
    }

    @Test(arguments: [
        ("[]", 0, "no header begins at byte 8"),
        ("{", 0, "'\"' was expected"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#, 4, "'}' was expected"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "has 4 bytes"),
        (#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, 4, "unsupported element type 'F4'"),
        (#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}}"#, 4, "a whole number was expected"),
        (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#, 4, "lacks a proper"),
        (#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "has 0 bytes"),
        (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 5, "4 bytes of data but 5 follow"),
        (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 3, "4 bytes of data but 3 follow"),
        (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}"#, 5, "'a' follows a gap"),
        (
            #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
            4, "'b' overlaps another tensor"
        ),
        (#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}"#, 0, "'a' is used twice"),
        (#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}}"#, 0, "in vain"),
        (#"{"__metadata__":{"a":1}}"#, 0, "'\"' was expected"),
        (#"{"\ud800":{}}"#, 0, "half a character"),
        (#"{} x"#, 0, "something follows"),
    ]) func aFaultyHeaderIsRefused(header: String, dataSize: Int, problem: String) throws {
        let scratch = try Scratch()
        var bytes: [UInt8] = []
        bytes.appendLittle(UInt64(header.utf8.count))
        bytes += Array(header.utf8) + [UInt8](repeating: 7, count: dataSize)
        let path = try scratch.file("a.safetensors", bytes)
        let text = message { _ = try SafeTensors.read(path) }
        #expect(text.contains(problem))
    }

    @Test func writersRefuseEqualNamesAndBytesThatDoNotFillTheShape() throws {
        let scratch = try Scratch()
        let good = ArrayData([Float(1)], shape: [1])
        let bad = ArrayData([Float(1)], shape: [2])
        let path = scratch.path("a")
        let twice = SafeTensorsFile(tensors: [("x", good), ("x", good)])
        #expect(message { try SafeTensors.write(twice, to: path) }.contains("'x' is used twice"))
        #expect(message { try Npz.write([("x", good), ("x", good)], to: path) }.contains("'x' is used twice"))
        #expect(message { try SafeTensors.write(.init(tensors: [("x", bad)]), to: path) }.contains("shape [2] of F32"))
        #expect(message { try Npy.write(bad, to: path) }.contains("shape [2] of F32 but 4 bytes"))
        #expect(scratch.names.isEmpty)
    }
}
