import Foundation

/// One labelled position on an axis; the exponent is set above the text.
struct Tick: Equatable {
    var value: Double
    var text: String
    var exponent: String?

    /// The approximate width of the label.
    func width(size: Double) -> Double {
        TextMetrics.width(text, size: size) + TextMetrics.width(exponent ?? "", size: size * 0.75)
    }
}

/// The interval that an axis shows, with its ticks.
struct AxisScale {
    let scale: Axis.Scale
    private(set) var lower: Double
    private(set) var upper: Double
    private(set) var ticks: [Tick] = []
    /// The positions of unlabelled ticks.
    private(set) var minor: [Double] = []
    /// The power of ten by which the labels are to be multiplied.
    private(set) var factor: Int?

    /// Lays out an axis; a tight one ends with the data, any other one with a tick.
    init(_ axis: Axis, extent: ClosedRange<Double>?, target: Int, tight: Bool) {
        scale = axis.scale
        let isLogarithmic = axis.scale == .logarithmic
        let given = axis.range.flatMap { range -> ClosedRange<Double>? in
            guard axis.scale.accepts(range.upperBound), Axis.Scale.linear.accepts(range.lowerBound) else { return nil }
            if axis.scale.accepts(range.lowerBound) { return range }
            let start = min(extent?.lowerBound ?? range.upperBound / 1000, range.upperBound)
            return start...range.upperBound
        }
        let interval = given ?? extent ?? (isLogarithmic ? 1...10 : 0...1)
        lower = interval.lowerBound
        upper = interval.upperBound
        widenIfDegenerate()
        let extends = given == nil && !tight
        if isLogarithmic {
            layOutLogarithmic(extends: extends, target: target)
        } else {
            // Starting at zero costs little when the data come near it, and keeps heights comparable.
            if extends, lower > 0, lower < 0.3 * upper { lower = 0 }
            layOutLinear(extends: extends, snaps: given == nil && tight, target: target)
        }
    }

    /// The position of a value, zero at the lower and one at the upper end.
    func fraction(_ value: Double) -> Double {
        switch scale {
        case .linear: return (value - lower) / (upper - lower)
        case .logarithmic:
            guard value > 0 else { return -1 }
            // The quotient of the ends may overflow, the difference of their logarithms cannot.
            return (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
        }
    }

    private mutating func widenIfDegenerate() {
        let size = max(abs(lower), abs(upper))
        switch scale {
        case .linear:
            guard upper - lower <= size * 1e-10 else { return }
            let margin = size == 0 ? 1 : size * 0.1
            lower -= margin
            upper += margin
        case .logarithmic:
            guard upper / lower <= 1 + 1e-9 else { return }
            lower /= 2
            upper *= 2
        }
    }

    private mutating func layOutLinear(extends: Bool, snaps: Bool = false, target: Int) {
        var (values, step) = Self.linearTicks(lower, upper, target: target, covering: extends)
        if extends, let first = values.first, let last = values.last {
            lower = min(lower, first)
            upper = max(upper, last)
        }
        if snaps {
            // A short step to a round number gives the axis a labelled end.
            let reach = 0.03 * (upper - lower)
            if let start = values.first.map({ $0 - step }), lower - start <= reach {
                values.insert(start, at: 0)
                lower = start
            }
            if let end = values.last.map({ $0 + step }), end - upper <= reach {
                values.append(end)
                upper = end
            }
        }
        let size = max(abs(lower), abs(upper))
        if size >= 1e6 || size < 1e-3 { factor = Int(floor(log10(size) / 3)) * 3 }
        let unit = pow(10, Double(factor ?? 0))
        // One guard digit absorbs the rounding error of the logarithm at exact powers of ten.
        let decimals = min(12, max(0, Int(ceil(-log10(step / unit) - 1e-9))))
        ticks = values.map { Tick(value: $0, text: Format.fixed($0 / unit, decimals: decimals)) }
    }

    private mutating func layOutLogarithmic(extends: Bool, target: Int) {
        if upper / lower < 3 {
            // Less than half a decade holds too few round numbers of the form 1, 2, 5.
            layOutLinear(extends: extends, target: target)
            if lower > 0 { return }
            lower = ticks.first { $0.value > 0 }?.value ?? upper / 2
            ticks.removeAll { $0.value <= 0 }
            return
        }
        if extends {
            lower = Self.roundNumbers(around: lower).last { $0 <= lower * (1 + 1e-9) } ?? lower
            upper = Self.roundNumbers(around: upper).first { $0 >= upper * (1 - 1e-9) } ?? upper
        }
        let first = Int(ceil(log10(lower) - 1e-9))
        let last = Int(floor(log10(upper) + 1e-9))
        if last - first >= 1 {
            layOutDecades(first, last, target: target)
        } else {
            let candidates = (first - 1...max(last, first)).flatMap { decade in [1, 2, 5].map { (decade, $0) } }
            for (decade, digit) in candidates where contains(Self.number(digit, decade)) {
                ticks.append(Self.tick(digit: digit, decade: decade))
            }
        }
    }

    private mutating func layOutDecades(_ first: Int, _ last: Int, target: Int) {
        let count = last - first + 1
        let stride = [1, 2, 3, 5, 10, 20, 50, 100].first { count <= $0 * (target + 2) } ?? 200
        let isPlain = first >= -3 && last <= 4
        for decade in first - 1...last {
            if decade >= first, decade % stride == 0 {
                ticks.append(
                    isPlain
                        ? Self.tick(digit: 1, decade: decade)
                        : Tick(value: Self.number(1, decade), text: "10", exponent: Format.exponent(decade)))
            } else if contains(Self.number(1, decade)) {
                minor.append(Self.number(1, decade))
            }
            guard stride == 1 else { continue }
            minor += (2...9).map { Self.number($0, decade) }.filter(contains)
        }
    }

    private func contains(_ value: Double) -> Bool {
        value >= lower * (1 - 1e-9) && value <= upper * (1 + 1e-9)
    }

    /// The multiples of a step of 1, 2 or 5 times a power of ten, within or just covering an interval.
    static func linearTicks(
        _ lower: Double, _ upper: Double, target: Int, covering: Bool
    ) -> (values: [Double], step: Double) {
        let raw = (upper - lower) / Double(max(target, 1))
        let power = pow(10, floor(log10(raw)))
        // The bounds lie midway between 1, 2, 5 and 10 on a logarithmic scale.
        let ratio = raw / power
        let step = power * (ratio < 1.414 ? 1 : ratio < 3.162 ? 2 : ratio < 7.071 ? 5 : 10)
        let tolerance = 1e-9
        let first = covering ? floor(lower / step + tolerance) : ceil(lower / step - tolerance)
        let last = covering ? ceil(upper / step - tolerance) : floor(upper / step + tolerance)
        guard step > 0, last >= first, last - first < 1000 else { return ([lower, upper], max(upper - lower, 1e-300)) }
        // Multiplying, and dividing where the step is below one, keeps 0.3 from becoming 0.30000000000000004.
        let inverse = (1 / step).rounded()
        let divides = step < 1 && inverse < 1e15
        let values = (0...Int(last - first)).map {
            divides ? (first + Double($0)) / inverse : (first + Double($0)) * step
        }
        return (values, step)
    }

    private static func number(_ digit: Int, _ decade: Int) -> Double {
        decade < 0 ? Double(digit) / pow(10, Double(-decade)) : Double(digit) * pow(10, Double(decade))
    }

    private static func roundNumbers(around value: Double) -> [Double] {
        let decade = Int(floor(log10(value)))
        return (decade - 1...decade + 1).flatMap { decade in [1, 2, 5].map { number($0, decade) } }
    }

    private static func tick(digit: Int, decade: Int) -> Tick {
        let value = number(digit, decade)
        if decade >= -4, decade <= 5 { return Tick(value: value, text: Format.fixed(value, decimals: max(0, -decade))) }
        return Tick(value: value, text: "\(digit)\u{00D7}10", exponent: Format.exponent(decade))
    }
}
