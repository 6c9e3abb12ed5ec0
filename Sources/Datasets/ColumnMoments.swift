import Torch

/// Means and population standard deviations of columns of any scale, in double precision and in two passes.
///
/// Squares of numbers beyond 1e±154 are no double-precision numbers any more. Columns of such numbers are measured in
/// units of a power of two, which changes no digit.
public struct ColumnMoments: Sendable {
    /// Mean of each column; 0 where it has no number.
    public var mean: [Double]
    /// Standard deviation of each column.
    public var deviation: [Double]
    /// Whether each column is constant up to rounding: var ≤ n ε var + (n ε mean)², scikit-learn's rule.
    public var isConstant: [Bool]

    /// Measures `n × d`, n > 0; NaN are passed over.
    ///
    /// - Parameter isGlobal: whether all elements count as one column.
    public init(_ features: Tensor, rowsAtOnce: Int = 4096, isGlobal: Bool = false) {
        let rows = features.shape[0]
        let parts = stride(from: 0, to: rows, by: rowsAtOnce).map { $0..<min($0 + rowsAtOnce, rows) }
        let isFinite = features.isFinite
        let zero = Tensor.zeros([1], dtype: .float64, device: features.device)
        let units = Self.units(features, parts, isGlobal: isGlobal)
        let unit = Tensor(units).to(device: features.device)
        let isPlain = units.allSatisfy { $0 == 1 }
        func double(_ range: Range<Int>) -> Tensor {
            let part = features.rows(range).to(.float64)
            return isPlain ? part : part * unit
        }
        func present(_ part: Tensor) -> Tensor {
            isFinite ? part : part.selecting(where: part.isEqual(to: part), otherwise: zero)
        }
        func total(_ part: Tensor) -> Tensor { isGlobal ? part.sum().reshaped(1) : part.sum(0) }
        let width = isGlobal ? 1 : features.shape[1]
        var sum = Tensor.zeros(like: zero, shape: [width])
        var squares = sum
        var count = Tensor.full([width], Double(isGlobal ? features.count : rows), dtype: .float64, device: zero.device)
        if !isFinite {
            count = parts.reduce(Tensor.zeros(like: zero, shape: [width])) { count, range in
                let part = double(range)
                return count + total(part.isEqual(to: part).to(.float64))
            }
        }
        for range in parts { sum = sum + total(present(double(range))) }
        let mean = sum / count.maximum(Tensor.full([1], 1, dtype: .float64, device: zero.device))
        for range in parts { squares = squares + total(present(double(range) - mean).squared()) }
        let variance = (squares / count).doubles()
        let (means, counts) = (mean.doubles(), count.doubles())
        self.mean = zip(means, units).map { $0 / $1 }
        deviation = zip(variance, units).map { $0.squareRoot() / $1 }
        isConstant = variance.indices.map { column in
            let noise = counts[column] * Double.ulpOfOne
            let bound = noise * means[column]
            return !(variance[column] > noise * variance[column] + bound * bound)
        }
    }

    /// Whether each column of `n × d`, n > 0, holds one number only, exactly: what is to be predicted may vary by little
    /// beside its size.
    public static func areConstant(_ values: Tensor) -> [Bool] {
        zip(values.min(0).doubles(), values.max(0).doubles()).map { $0 == $1 }
    }

    /// A power of two for each column that brings its largest number near 1; 1 where squares are no trouble.
    private static func units(_ features: Tensor, _ parts: [Range<Int>], isGlobal: Bool) -> [Double] {
        let width = features.shape[1]
        var largest = [Double](repeating: 0, count: width)
        for range in parts {
            let part = features.rows(range).to(.float64).absolute()
            let present = part.selecting(
                where: part.isEqual(to: part), otherwise: Tensor.zeros(like: part, shape: [1]))
            largest = zip(largest, present.max(0).doubles()).map { max($0, $1) }
        }
        func unit(_ size: Double) -> Double {
            guard size.isFinite, size > 1e100 || (size < 1e-100 && size > 0) else { return 1 }
            return Double(sign: .plus, exponent: -max(-1000, min(1000, size.exponent)), significand: 1)
        }
        return isGlobal ? [unit(largest.max() ?? 0)] : largest.map(unit)
    }
}
