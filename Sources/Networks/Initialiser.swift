import Interchange
import Torch

/// How a parameter gets its first values, named as in `torch.nn.init`.
public enum Initialiser: Sendable, Equatable {
    case zeros
    case ones
    case constant(Double)
    /// Uniform in `±bound`.
    case uniform(Double)
    /// Normal with mean 0.
    case normal(standardDeviation: Double)
    /// Normal, cut at two standard deviations.
    case truncatedNormal(standardDeviation: Double)
    /// Uniform in `±gain √(3 / fan_in)` (He et al. 2015, equation 10); PyTorch's layers use `gain = 1/√3`.
    case kaimingUniform(gain: Double)
    /// Normal with deviation `√2 / √fan_out` (He et al. 2015, equation 14), as torchvision's networks.
    case kaimingNormalFanOut
    /// Normal with deviation `√2 / √fan_in` (He et al. 2015, equation 10).
    case kaimingNormal
    /// Uniform in `±√(6 / (fan_in + fan_out))` (Glorot and Bengio 2010, equation 16).
    case xavierUniform
    /// Normal with deviation `√(2 / (fan_in + fan_out))` (Glorot and Bengio 2010, equation 12).
    case xavierNormal
    /// Truncated normal with variance `1 / fan_in` (LeCun et al. 1998), the default of Flax.
    case lecunNormal
    /// A matrix with orthonormal rows or columns (Saxe et al. 2014).
    case orthogonal

    /// The initialiser of the weights of PyTorch's linear and convolutional layers.
    public static let layerDefault = Initialiser.kaimingUniform(gain: 1 / 3.0.squareRoot())

    /// Values for a parameter, float64.
    ///
    /// - Parameters:
    ///   - shape: as PyTorch's: output features first, then input features, then positions.
    ///   - name: dotted name, which makes the values of parameters independent of each other's order.
    public func tensor(_ shape: [Int], name: String, seed: UInt64) -> Tensor {
        let count = shape.reduce(1, *)
        let (fanIn, fanOut) = Self.fans(shape)
        var source = SplitMix64(name: name, seed: seed)
        func uniform(_ bound: Double) -> Tensor {
            Tensor((0..<count).map { _ in bound * (2 * source.uniform() - 1) }, shape: shape)
        }
        func normal(_ deviation: Double) -> Tensor {
            Tensor((0..<count).map { _ in deviation * source.normal() }, shape: shape)
        }
        func truncated(_ deviation: Double) -> Tensor {
            Tensor((0..<count).map { _ in deviation * source.truncatedNormal() }, shape: shape)
        }
        switch self {
        case .zeros: return .zeros(shape, dtype: .float64)
        case .ones: return .full(shape, 1, dtype: .float64)
        case .constant(let value): return .full(shape, value, dtype: .float64)
        case .uniform(let bound): return uniform(bound)
        case .normal(let deviation): return normal(deviation)
        case .truncatedNormal(let deviation): return truncated(deviation)
        case .kaimingUniform(let gain): return uniform(gain * (3 / fanIn).squareRoot())
        case .kaimingNormal: return normal((2 / fanIn).squareRoot())
        case .kaimingNormalFanOut: return normal((2 / fanOut).squareRoot())
        case .xavierUniform: return uniform((6 / (fanIn + fanOut)).squareRoot())
        case .xavierNormal: return normal((2 / (fanIn + fanOut)).squareRoot())
        // A normal cut at two deviations has 0.8796 of the deviation.
        case .lecunNormal: return truncated((1 / fanIn).squareRoot() / 0.879_625_661_034_239_78)
        case .orthogonal:
            let rows = shape.first ?? 1
            let columns = max(1, count / max(1, rows))
            let square = normal(1).reshaped(max(rows, columns), min(rows, columns))
            guard let (q, r) = try? square.qr() else { return normal(1) }
            let signed = q * r.diagonal.sign()
            return (rows < columns ? signed.transposed() : signed).contiguous().reshaped(shape)
        }
    }

    /// Inputs and outputs of one position: `fan_in` and `fan_out`.
    static func fans(_ shape: [Int]) -> (Double, Double) {
        let positions = shape.dropFirst(2).reduce(1, *)
        let rows = shape.first ?? 1
        let columns = shape.count > 1 ? shape[1] : rows
        return (Double(max(1, columns * positions)), Double(max(1, rows * positions)))
    }
}

extension SplitMix64 {
    /// Numbers of one parameter, from a hash of its name and the seed.
    init(name: String, seed: UInt64) {
        var hash = FNV1a()
        hash.add(name)
        self.init(seed: hash.value ^ (seed &* 0x9E37_79B9_7F4A_7C15))
    }

    /// A standard normal number, drawn again outside of two deviations.
    mutating func truncatedNormal() -> Double {
        while true {
            let value = normal()
            if abs(value) <= 2 { return value }
        }
    }
}
