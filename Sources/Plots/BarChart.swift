import Foundation

/// A chart of one value for each name: rows for a few, thin columns for many.
public struct BarChart: Sendable {
    private static let mostRows = 24

    private let title: String
    private let label: String
    private let bars: [(name: String, value: Double)]

    /// Creates a chart; the label says what the values measure.
    public init(title: String, label: String, names: [String], values: [Double]) {
        self.title = title
        self.label = label
        bars = Array(zip(names, values)).map { (name: $0, value: $1) }
    }

    /// Draws the chart as a self-contained SVG element.
    public func svg() -> String {
        let drawn = bars.map(\.value).filter(Axis.Scale.linear.accepts)
        guard let lowest = drawn.min(), let highest = drawn.max() else { return emptyChart() }
        let extent = min(0, lowest)...max(0, highest)
        return bars.count <= Self.mostRows ? rows(extent) : columns(extent)
    }

    private func emptyChart() -> String {
        var canvas = Canvas(title: title)
        let frame = Frame(left: Canvas.padding, top: canvas.top, width: Canvas.width - 32, height: 120)
        canvas.path(
            "M\(coordinate(frame.left)) \(coordinate(frame.top))h\(coordinate(frame.width))v\(coordinate(frame.height))"
                + "h\(coordinate(-frame.width))z", style: "g")
        canvas.emptyNote(in: frame)
        return canvas.document(height: frame.bottom + Canvas.padding)
    }

    // MARK: - Rows

    private func rows(_ extent: ClosedRange<Double>) -> String {
        var canvas = Canvas(title: title)
        writeLabel(&canvas, factor: nil)
        let pitch = 26.0
        let names = bars.map { TextMetrics.shortened($0.name, to: 220, size: 12) }
        let numbers = Format.consistent(bars.map(\.value))
        let numberWidth = (numbers.map { TextMetrics.width($0, size: 12) }.max() ?? 0) + 10
        let left = Canvas.padding + (names.map { TextMetrics.width($0, size: 12) }.max() ?? 0) + 10
        // Numbers stand at the outer ends of the bars, so a negative bar needs room on its left as well.
        let inset = extent.lowerBound < 0 ? numberWidth : 0
        let frame = Frame(
            left: left + inset, top: canvas.top, width: Canvas.width - left - inset - numberWidth - Canvas.padding,
            height: pitch * Double(bars.count))
        let span = extent.upperBound - extent.lowerBound
        func position(_ value: Double) -> Double {
            frame.left + (span > 0 ? (value - extent.lowerBound) / span : 0) * frame.width
        }
        let zero = position(0)
        for (index, bar) in bars.enumerated() {
            let y = frame.top + pitch * Double(index)
            canvas.text(names[index], x: left - 10, y: y + pitch / 2 + 4, anchor: .end)
            var end = zero
            if Axis.Scale.linear.accepts(bar.value) {
                end = position(bar.value)
                let size = "width=\"\(coordinate(abs(end - zero)))\" height=\"\(coordinate(pitch - 8))\""
                canvas.add(
                    "<rect x=\"\(coordinate(min(zero, end)))\" y=\"\(coordinate(y + 4))\" \(size) rx=\"1.5\" "
                        + "style=\"fill:\(Theme.colour(0))\"/>")
            }
            let isNegative = bar.value < 0
            canvas.text(
                numbers[index], x: end + (isNegative ? -6 : 6), y: y + pitch / 2 + 4,
                anchor: isNegative ? .end : .start, style: "m")
        }
        canvas.path("M\(coordinate(zero)) \(coordinate(frame.top))V\(coordinate(frame.bottom))", style: "a")
        return canvas.document(height: frame.bottom + Canvas.padding)
    }

    private func writeLabel(_ canvas: inout Canvas, factor: Int?) {
        guard !label.isEmpty || factor != nil else { return }
        canvas.axisTitle(
            label, factor: factor, x: Canvas.padding, y: canvas.top + 10, anchor: .start,
            limit: Canvas.width - 2 * Canvas.padding)
        canvas.top += 24
    }

    // MARK: - Columns

    private func columns(_ extent: ClosedRange<Double>) -> String {
        var canvas = Canvas(title: title)
        let axis = AxisScale(Axis(label), extent: extent, target: 5, tight: false)
        writeLabel(&canvas, factor: axis.factor)
        let left = Canvas.leftMargin(for: axis.ticks)
        let frame = Frame(left: left, top: canvas.top, width: Canvas.width - left - Canvas.padding - 6, height: 220)
        canvas.verticalAxis(axis, in: frame)
        let pitch = frame.width / Double(bars.count)
        // Thin neighbours overlap a little, or seams of the background show between them.
        let width = pitch > 3 ? pitch - min(2, pitch * 0.25) : pitch + 0.4
        let zero = frame.bottom - axis.fraction(0) * frame.height
        canvas.add("<g style=\"fill:\(Theme.colour(0))\">")
        for (index, bar) in bars.enumerated() where Axis.Scale.linear.accepts(bar.value) {
            let end = frame.bottom - axis.fraction(bar.value) * frame.height
            let x = String(format: "%.2f", frame.left + (Double(index) * pitch) + (pitch - width) / 2)
            let size = String(format: "%.2f", width)
            let tip = "\(escaped(bar.name)): \(Format.short(bar.value))"
            let data = "M\(x) \(coordinate(zero))V\(coordinate(end))h\(size)V\(coordinate(zero))z"
            canvas.add("<path d=\"\(data)\"><title>\(tip)</title></path>")
        }
        canvas.add("</g>")
        canvas.path("M\(coordinate(frame.left)) \(coordinate(zero))h\(coordinate(frame.width))", style: "a")
        writeNames(&canvas, pitch: pitch, in: frame)
        return canvas.document(height: frame.bottom + 22 + Canvas.padding)
    }

    /// Writes every n-th name, with n the smallest round number that keeps the names apart.
    private func writeNames(_ canvas: inout Canvas, pitch: Double, in frame: Frame) {
        let names = bars.map { TextMetrics.shortened($0.name, to: 110, size: 11.5) }
        let widest = names.map { TextMetrics.width($0, size: 11.5) }.max() ?? 0
        let stride = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500].first { Double($0) * pitch >= widest + 14 } ?? 1000
        for index in Swift.stride(from: 0, to: bars.count, by: stride) {
            let x = frame.left + (Double(index) + 0.5) * pitch
            let half = TextMetrics.width(names[index], size: 11.5) / 2
            canvas.path("M\(coordinate(x)) \(coordinate(frame.bottom))v5", style: "a")
            let centre = min(max(x, Canvas.padding + half), Canvas.width - 4 - half)
            canvas.text(names[index], x: centre, y: frame.bottom + 19, anchor: .middle, style: "t")
        }
    }
}
