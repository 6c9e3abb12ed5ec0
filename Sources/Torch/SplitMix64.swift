import Foundation

/// The SplitMix64 generator (Steele, Lea and Flood 2014): the same numbers on every platform, apart from the engine's
/// own generator. Shuffles are its own too, since the standard library's may change between versions.
public struct SplitMix64: Sendable {
    private var state: UInt64

    /// Where it is: a generator that starts at this seed goes on alike.
    public var position: UInt64 { state }

    /// Starts at a seed.
    public init(seed: UInt64) { state = seed }

    /// Starts at a hash of several numbers, as a seed with the count of a step.
    public init(mixing parts: UInt64...) {
        state = parts.reduce(0x2545_F491_4F6C_DD1D) { ($0 ^ $1) &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03 }
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// A number in [0, 1).
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A standard normal number (Box and Muller 1958).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// A number below `bound`, each equally likely.
    public mutating func next(below bound: Int) -> Int {
        let bound = UInt64(bound)
        var product = next().multipliedFullWidth(by: bound)
        // The lowest products belong to results that would come up once too often.
        let threshold = (0 &- bound) % bound
        while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
        return Int(product.high)
    }

    /// The rows in random order.
    public mutating func shuffled(_ rows: [Int]) -> [Int] {
        var rows = rows
        for index in stride(from: rows.count - 1, to: 0, by: -1) { rows.swapAt(index, next(below: index + 1)) }
        return rows
    }
}
