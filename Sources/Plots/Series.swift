/// One named sequence of points in a line chart.
public struct Series: Sendable {
    /// The way in which a series is drawn.
    public enum Style: Sendable {
        /// Draws straight segments between consecutive points.
        case line
        /// Draws a dot at every point.
        case points
        /// Holds each value until the next point.
        case step
        /// Draws a line with a shaded region between a lower and an upper bound.
        case band(lower: [Double], upper: [Double])
    }

    /// The name shown in the legend or beside the end of the line.
    public var name: String
    /// The horizontal coordinates.
    public var x: [Double]
    /// The vertical coordinates.
    public var y: [Double]
    /// The way in which the points are drawn.
    public var style: Style

    /// Creates a series; where the arrays differ in length, the shortest one decides.
    public init(_ name: String, x: [Double], y: [Double], style: Style = .line) {
        self.name = name
        self.x = x
        self.y = y
        self.style = style
    }
}

/// The description of one axis of a chart.
public struct Axis: Sendable {
    /// The mapping from values to positions.
    public enum Scale: Sendable {
        /// Places equal differences at equal distances.
        case linear
        /// Places equal ratios at equal distances.
        case logarithmic
    }

    /// The text that says what the axis measures.
    public var label: String
    /// The mapping from values to positions.
    public var scale: Scale
    /// The interval shown, or nil to show all the data.
    public var range: ClosedRange<Double>?

    /// Creates an axis that shows all the data unless a range is given.
    public init(_ label: String, scale: Scale = .linear, range: ClosedRange<Double>? = nil) {
        self.label = label
        self.scale = scale
        self.range = range
    }
}

extension Axis.Scale {
    /// Whether a value has a place on the axis; the bounds keep differences and powers of ten finite.
    func accepts(_ value: Double) -> Bool {
        guard value.isFinite, abs(value) < 1e300 else { return false }
        return self == .linear || value > 1e-300
    }
}

/// One point of a series, in data or in screen coordinates.
struct Sample {
    var x: Double
    var y: Double
    var lower: Double
    var upper: Double
}

extension Series {
    /// The points that both axes accept.
    func samples(x xScale: Axis.Scale, y yScale: Axis.Scale) -> [Sample] {
        var result: [Sample] = []
        for index in 0..<min(x.count, y.count) where xScale.accepts(x[index]) && yScale.accepts(y[index]) {
            var sample = Sample(x: x[index], y: y[index], lower: y[index], upper: y[index])
            if case .band(let lower, let upper) = style {
                guard index < lower.count, index < upper.count else { continue }
                // A lower bound of zero on a logarithmic axis is legitimate: the band then reaches the frame.
                guard Axis.Scale.linear.accepts(lower[index]), yScale.accepts(upper[index]) else { continue }
                sample.lower = lower[index]
                sample.upper = upper[index]
            }
            result.append(sample)
        }
        return result
    }
}
