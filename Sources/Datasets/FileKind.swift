import Foundation
import Interchange

/// The kind of a file, by its extension and else by its first bytes.
enum FileKind {
    case table
    case npz
    case npy
    case idx
    case safetensors
    case cifar
    case made

    init(of path: String) {
        let name = path.lowercased()
        let plain = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
        let last = plain.split(separator: "/").last.map(String.init) ?? plain
        switch last.split(separator: ".").last.map(String.init) ?? "" {
        case "npz": self = .npz
        case "npy": self = .npy
        case "safetensors": self = .safetensors
        case "bin": self = .cifar
        case "csv", "tsv", "tab", "txt", "data": self = .table
        case _ where last.contains("idx"): self = .idx
        default: self = Self.sniffed(path)
        }
    }

    private static func sniffed(_ path: String) -> FileKind {
        guard let file = FileHandle(forReadingAtPath: path) else { return .table }
        defer { try? file.close() }
        let start = [UInt8]((try? file.read(upToCount: 9)) ?? Data())
        if start.starts(with: [0x50, 0x4B]) { return .npz }
        if start.starts(with: [0x93, 0x4E, 0x55]) { return .npy }
        if start.starts(with: [0, 0]) { return .idx }
        if start.count == 9, start[8] == UInt8(ascii: "{"), start[6] == 0, start[7] == 0 { return .safetensors }
        if start.starts(with: [0x1F, 0x8B]), (try? Idx.read(path)) != nil { return .idx }
        return .table
    }
}
