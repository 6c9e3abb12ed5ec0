import Foundation
import Testing
@_exported import TestFiles

@testable import Interchange

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
