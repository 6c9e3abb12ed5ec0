import Foundation
import Interchange
@_exported import TestFiles

@testable import Datasets

extension Scratch {
    func table(_ text: String, name: String = "t.csv") throws -> String { try file(name, text.utf8) }

    func npz(_ arrays: [(String, ArrayData)], name: String = "a.npz") throws -> String {
        try Npz.write(arrays, to: path(name))
        return path(name)
    }

    func npy(_ name: String, _ array: ArrayData) throws -> String {
        try Npy.write(array, to: path(name))
        return path(name)
    }

    /// Writes images of 2 × 2 pixels, the bytes 0, 1, 2..., and their labels behind `start`.
    func images(_ start: String, labels: [UInt8]) throws {
        let count = UInt8(labels.count)
        let pixels = (0..<4 * labels.count).map { UInt8(truncatingIfNeeded: $0) }
        let sizes: [UInt8] = [0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2]
        _ = try file(start + "-images-idx3-ubyte", [0, 0, 8, 3] + sizes + pixels)
        _ = try file(start + "-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, count] + labels)
    }
}

func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}

/// What loading the request reports, without the folders.
func fault(_ request: DataRequest, searching folders: [String] = []) -> String {
    let text = message { _ = try loadData(request, searching: folders) }
    let folder = request.source.lastIndex(of: "/").map { String(request.source[...$0]) } ?? ""
    return folder.isEmpty ? text : text.replacingOccurrences(of: folder, with: "")
}

func fault(_ source: String) -> String { fault(DataRequest(source: source)) }

/// Float32 features 0, 1, 2... of `rows` × `columns`.
func counting(_ rows: Int, _ columns: Int) -> ArrayData {
    ArrayData((0..<rows * columns).map(Float.init), shape: [rows, columns])
}

func whole(_ values: [Int64]) -> ArrayData { ArrayData(values, shape: [values.count]) }
