import Foundation
import Testing

@testable import Interchange

/// A folder for one test, removed with everything in it when the test lets go of it.
final class Scratch {
    let folder = FileManager.default.temporaryDirectory.path + "/interchange-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(filePath: path(name)))
        return path(name)
    }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
}

/// SplitMix64, so that a failing case can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// The text that Generate/make_fixtures.py compresses.
func sampleText() -> [UInt8] {
    var state = 1
    let words = (0..<700).map { _ in
        state = (state * 1_103_515_245 + 12345) % (1 << 31)
        return ["descent", "gradient", "of", "a", "loss", "\(state % 1000)"][min(state >> 16 & 7, 5)]
    }
    return Array(words.joined(separator: " ").utf8)
}

func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
