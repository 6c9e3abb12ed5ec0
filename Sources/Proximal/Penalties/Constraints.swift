import Settings
import Torch

/// Every element in `[low, high]`.
public struct BoxConstraint: DiagonalPenalty {
    /// Name on the command line.
    public static let name = "box"
    /// One line of help.
    public static let summary = "bounds on every element"
    /// Where the method was published.
    public static let citation = "Parikh and Boyd, Proximal Algorithms, 2014, section 6.2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("low", \.low, .any, "least value"), Setting("high", \.high, .any, "largest value"),
    ]

    /// Least value.
    public var low = 0.0
    /// Largest value, ≥ low.
    public var high = 1.0

    /// Creates the default constraint.
    public init() {}

    /// 0 inside, infinite outside.
    public func value(_ w: Tensor) -> Double { w.min().scalar >= low && w.max().scalar <= high ? 0 : .infinity }

    /// The nearest point.
    public func prox(_ w: Tensor, step: Double) -> Tensor { w.clamped(to: low...high) }

    /// The nearest point in the metric: each element for itself.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor { (z / metric).clamped(to: low...high) }
}

/// Non-negative elements that sum to `radius`.
public struct SimplexConstraint: Penalty {
    /// Name on the command line.
    public static let name = "simplex"
    /// One line of help.
    public static let summary = "non-negative elements with a given sum"
    /// Where the method was published.
    public static let citation = "Duchi, Shalev-Shwartz, Singer and Chandra, ICML 2008, Figure 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("radius", \.radius, .above(0), "the sum")]

    /// The sum.
    public var radius = 1.0

    /// Creates the default constraint.
    public init() {}

    /// 0 inside, up to rounding, infinite outside.
    public func value(_ w: Tensor) -> Double {
        let slack = (w.dtype == .float64 ? 1e-9 : 1e-4) * radius
        return w.min().scalar >= 0 && abs(w.sumInDouble() - radius) <= slack ? 0 : .infinity
    }

    /// The nearest point.
    public func prox(_ w: Tensor, step: Double) -> Tensor { (w - Self.shift(w.doubles(), radius)).relu() }

    /// The number whose subtraction leaves positive parts that sum to `radius`.
    static func shift(_ values: [Double], _ radius: Double) -> Double {
        var (sum, shift) = (0.0, 0.0)
        for (index, value) in values.sorted(by: >).enumerated() {
            sum += value
            let candidate = (sum - radius) / Double(index + 1)
            guard value > candidate else { break }
            shift = candidate
        }
        return shift
    }
}

/// Tensors of norm at most `radius`.
public struct BallConstraint: Penalty {
    /// Name on the command line.
    public static let name = "ball"
    /// One line of help.
    public static let summary = "a bound on the l1, l2 or largest norm"
    /// Where the method was published.
    public static let citation = "Parikh and Boyd, Proximal Algorithms, 2014, section 6.5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("radius", \.radius, .above(0), "largest norm"),
        Setting("norm", \.norm, .oneOf(["l1", "l2", "linf"]), "which norm"),
    ]

    /// Largest norm.
    public var radius = 1.0
    /// Which norm: l1, l2 or linf.
    public var norm = "l2"

    /// Creates the default constraint.
    public init() {}

    private func length(_ w: Tensor) -> Double {
        switch norm {
        case "l1": w.absolute().sumInDouble()
        case "l2": w.norm
        default: w.absolute().max().scalar
        }
    }

    /// 0 inside, up to rounding, infinite outside.
    public func value(_ w: Tensor) -> Double {
        length(w) <= radius * (1 + (w.dtype == .float64 ? 1e-12 : 1e-5)) ? 0 : .infinity
    }

    /// The nearest point.
    public func prox(_ w: Tensor, step: Double) -> Tensor {
        guard length(w) > radius else { return w }
        switch norm {
        case "l1": return w.softThresholded(SimplexConstraint.shift(w.absolute().doubles(), radius))
        case "l2": return w * (radius / length(w))
        default: return w.clamped(to: -radius...radius)
        }
    }
}
