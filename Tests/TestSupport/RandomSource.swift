import Torch

/// Reproducible numbers that leave the engine's generator alone, so that tests may run at the same time.
package struct RandomSource {
    private var source: SplitMix64

    package init(_ seed: UInt64) { source = SplitMix64(seed: seed &* 0x9E37_79B9_7F4A_7C15) }

    package mutating func next() -> UInt64 { source.next() }

    /// A number in `range`.
    package mutating func uniform(_ range: Range<Double> = 0..<1) -> Double {
        range.lowerBound + source.uniform() * (range.upperBound - range.lowerBound)
    }

    /// A number in `0..<count`.
    package mutating func integer(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// Nearly normal: the sum of twelve uniform numbers, which needs no library function.
    package mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }

    package mutating func normals(_ count: Int) -> [Double] { (0..<count).map { _ in normal() } }

    package mutating func tensor(_ shape: [Int], dtype: DType = .float64, scale: Double = 1) -> Tensor {
        Tensor(normals(shape.reduce(1, *)).map { $0 * scale }, shape: shape).to(dtype)
    }

    /// Zeros and ones, `uint8`.
    package mutating func mask(_ rows: Int, _ columns: Int) -> Tensor {
        Tensor((0..<rows * columns).map { _ in UInt8(next() >> 63) }, shape: [rows, columns])
    }
}
