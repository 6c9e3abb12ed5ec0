import Foundation

/// Small data in every format, written here byte by byte: what the command reads is not what it wrote itself.
struct SampleData {
    let rows: Int
    let columns: Int
    let features: [Float]
    /// 0, 1 or 2.
    let labels: [Int]
    let values: [Double]

    init(rows: Int = 60, columns: Int = 4, seed: UInt64 = 1) {
        var state = seed
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 30) - 1
        }
        self.rows = rows
        self.columns = columns
        let features = (0..<rows * columns).map { _ in Float(uniform()) }
        self.features = features
        labels = (0..<rows).map { (features[$0 * columns] > 0 ? 1 : 0) + (features[$0 * columns + 1] > 0.2 ? 1 : 0) }
        values = (0..<rows).map {
            Double(max(features[$0 * columns], 0) - 2 * max(-features[$0 * columns + 1], 0)) + 0.1 * uniform()
        }
    }

    private func row(_ j: Int) -> String {
        (0..<columns).map { "\(features[j * columns + $0])" }.joined(separator: ",")
    }

    private func table(_ target: String, _ value: (Int) -> String) -> String {
        let header = (0..<columns).map { "x\($0)," }.joined() + target + "\n"
        return header + (0..<rows).map { row($0) + "," + value($0) + "\n" }.joined()
    }

    /// Three classes with names.
    var classTable: [UInt8] { Array(table("species") { ["cat", "dog", "eel"][labels[$0]] }.utf8) }
    /// Two classes.
    var binaryTable: [UInt8] { Array(table("label") { "\(min(1, labels[$0]))" }.utf8) }
    var valueTable: [UInt8] { Array(table("price") { "\(values[$0])" }.utf8) }

    private var featureBytes: [UInt8] { features.flatMap { Self.little($0.bitPattern) } }
    private var labelBytes: [UInt8] { labels.flatMap { Self.little(UInt64($0)) } }

    var featureArray: [UInt8] { Self.npy("<f4", [rows, columns], featureBytes) }
    var labelArray: [UInt8] { Self.npy("<i8", [rows], labelBytes) }
    var archive: [UInt8] { Self.zip([("features.npy", featureArray), ("labels.npy", labelArray)]) }

    var safetensors: [UInt8] {
        let split = rows * columns * 4
        let header =
            #"{"features":{"dtype":"F32","shape":[\#(rows),\#(columns)],"data_offsets":[0,\#(split)]},"#
            + #""labels":{"dtype":"I64","shape":[\#(rows)],"data_offsets":[\#(split),\#(split + 8 * rows)]}}"#
        return Self.little(UInt64(header.utf8.count)) + Array(header.utf8) + featureBytes + labelBytes
    }

    /// Images of 2 × 2 pixels.
    var images: [UInt8] {
        let size = { (count: Int) in Self.little(UInt32(count)).reversed() }
        return [0, 0, 8, 3] + size(rows) + size(2) + size(2) + features.prefix(4 * rows).map { UInt8(127 + 127 * $0) }
    }
    var imageLabels: [UInt8] { [0, 0, 8, 1] + Self.little(UInt32(rows)).reversed() + labels.map { UInt8($0) } }

    static func little<I: FixedWidthInteger>(_ value: I) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func npy(_ type: String, _ shape: [Int], _ bytes: [UInt8]) -> [UInt8] {
        let list = shape.map { "\($0)," }.joined()
        var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(list)), }"
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0] + little(UInt16(header.utf8.count)) + Array(header.utf8) + bytes
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    /// A gzip file of one stored block.
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt16(bytes.count)
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1] + little(count) + little(~count) + bytes
            + little(checksum(bytes)) + little(UInt32(bytes.count))
    }

    /// A zip archive of stored members, as numpy.savez writes it.
    static func zip(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        var body: [UInt8] = []
        var directory: [UInt8] = []
        for (name, bytes) in members {
            let size = UInt32(bytes.count)
            let common: [UInt8] =
                [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0] + little(checksum(bytes)) + little(size) + little(size)
                + little(UInt16(name.utf8.count)) + [0, 0]
            directory +=
                [0x50, 0x4B, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10) + little(UInt32(body.count))
                + Array(name.utf8)
            body += [0x50, 0x4B, 3, 4] + common + Array(name.utf8) + bytes
        }
        let count = little(UInt16(members.count))
        return body + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count + little(UInt32(directory.count))
            + little(UInt32(body.count)) + [0, 0]
    }
}

extension Scratch {
    /// One file of every format.
    func writeSamples() throws {
        let data = SampleData()
        try write("three.csv", data.classTable)
        try write("two.csv", data.binaryTable)
        try write("values.csv", data.valueTable)
        try write("test.csv", SampleData(rows: 30, seed: 2).classTable)
        try write("arrays.npz", data.archive)
        try write("x.npy", data.featureArray)
        try write("x-labels.npy", data.labelArray)
        try write("arrays.safetensors", data.safetensors)
        try write("images/train-images-idx3-ubyte.gz", SampleData.gzip(data.images))
        try write("images/train-labels-idx1-ubyte", data.imageLabels)
    }
}
