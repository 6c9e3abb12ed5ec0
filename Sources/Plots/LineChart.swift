/// A chart of one or more series over a common horizontal axis.
public struct LineChart: Sendable {
    private static let plotHeight = 260.0

    private let title: String
    private let x: Axis
    private let y: Axis
    private let series: [Series]
    private let marker: (x: Double, label: String)?

    /// Creates a chart; a marker is a labelled vertical line.
    public init(title: String, x: Axis, y: Axis, series: [Series], marker: (x: Double, label: String)? = nil) {
        self.title = title
        self.x = x
        self.y = y
        self.series = series
        self.marker = marker.flatMap { x.scale.accepts($0.x) ? $0 : nil }
    }

    /// Draws the chart as a self-contained SVG element.
    ///
    /// Points that are not finite, or not positive on a logarithmic axis, are left out.
    public func svg() -> String {
        let samples = series.map { visible($0.samples(x: x.scale, y: y.scale)) }
        let isEmpty = samples.allSatisfy(\.isEmpty)
        var canvas = Canvas(title: title)

        var xs = samples.joined().map(\.x)
        if let marker, !isEmpty { xs.append(marker.x) }
        let ys = samples.joined().flatMap { [$0.lower, $0.y, $0.upper] }.filter(y.scale.accepts)
        let horizontal = AxisScale(x, extent: Self.extent(xs), target: 7, tight: true)
        let vertical = AxisScale(y, extent: Self.extent(ys), target: 5, tight: false)

        let labelsDirectly = hasDirectLabels(samples, horizontal, vertical)
        if !labelsDirectly, showsLegend {
            canvas.legend(series.indices.map { (legendName($0, isEmpty: samples[$0].isEmpty), $0, isDots($0)) })
        }
        let frame = layOut(&canvas, horizontal: horizontal, vertical: vertical, labelsDirectly: labelsDirectly)

        if isEmpty {
            canvas.path(
                "M\(coordinate(frame.left)) \(coordinate(frame.top))h\(coordinate(frame.width))"
                    + "v\(coordinate(frame.height))h\(coordinate(-frame.width))z", style: "g")
            canvas.emptyNote(in: frame)
        } else {
            canvas.verticalAxis(vertical, in: frame)
            canvas.horizontalAxis(horizontal, in: frame)
            drawMarker(&canvas, on: horizontal, in: frame)
            let screen = samples.map { Self.screen($0, horizontal, vertical, frame) }
            drawData(&canvas, screen, in: frame)
            if labelsDirectly { drawDirectLabels(&canvas, screen, in: frame) }
        }
        canvas.axisTitle(
            x.label, factor: isEmpty ? nil : horizontal.factor, x: frame.left + frame.width / 2, y: frame.bottom + 40,
            anchor: .middle, limit: frame.width)
        return canvas.document(height: frame.bottom + 40 + Canvas.padding)
    }

    /// Writes the vertical axis title and the marker label, and returns the room left for the data.
    private func layOut(
        _ canvas: inout Canvas, horizontal: AxisScale, vertical: AxisScale, labelsDirectly: Bool
    ) -> Frame {
        if !y.label.isEmpty || vertical.factor != nil {
            canvas.axisTitle(
                y.label, factor: vertical.factor, x: Canvas.padding, y: canvas.top + 10, anchor: .start,
                limit: Canvas.width - 2 * Canvas.padding)
            canvas.top += 16
        }
        if marker.map({ !$0.label.isEmpty }) == true { canvas.top += 18 }
        canvas.top += 8
        let left = Canvas.leftMargin(for: vertical.ticks)
        let names = labelsDirectly ? series.map { TextMetrics.width(Self.directName($0), size: 12) } : []
        let overhang = (horizontal.ticks.last?.width(size: 12) ?? 0) / 2
        let right = max(Canvas.padding + 6, overhang + 8, (names.max() ?? -40) + 26 + Canvas.padding)
        return Frame(left: left, top: canvas.top, width: Canvas.width - left - right, height: Self.plotHeight)
    }

    /// The samples inside a given horizontal range, with one neighbour on each side to lead the line out of the frame.
    private func visible(_ samples: [Sample]) -> [Sample] {
        guard let range = x.range, zip(samples, samples.dropFirst()).allSatisfy({ $0.x <= $1.x }) else {
            return samples
        }
        guard let first = samples.firstIndex(where: { $0.x >= range.lowerBound }),
            let last = samples.lastIndex(where: { $0.x <= range.upperBound })
        else { return samples }
        let start = max(0, min(first, last) - 1)
        return Array(samples[start...min(samples.count - 1, max(first, last) + 1)])
    }

    private static func extent(_ values: [Double]) -> ClosedRange<Double>? {
        guard let lowest = values.min(), let highest = values.max() else { return nil }
        return lowest...highest
    }

    private static func screen(
        _ samples: [Sample], _ horizontal: AxisScale, _ vertical: AxisScale, _ frame: Frame
    ) -> [Sample] {
        func limited(_ value: Double) -> Double { min(max(value, -10_000), 10_000) }
        func height(_ value: Double) -> Double { limited(frame.bottom - vertical.fraction(value) * frame.height) }
        return samples.map {
            Sample(
                x: limited(frame.left + horizontal.fraction($0.x) * frame.width), y: height($0.y),
                lower: height($0.lower), upper: height($0.upper))
        }
    }
}

// MARK: - Names

extension LineChart {
    private func isDots(_ index: Int) -> Bool {
        if case .points = series[index].style { return true }
        return false
    }

    /// A single series needs no name when a heading already says it.
    private var showsLegend: Bool {
        guard series.count == 1 else { return !series.isEmpty }
        let name = series[0].name.lowercased()
        return !name.isEmpty && name != y.label.lowercased() && name != title.lowercased()
    }

    private func legendName(_ index: Int, isEmpty: Bool) -> String {
        isEmpty ? series[index].name + " (no data)" : series[index].name
    }

    private static func directName(_ series: Series) -> String {
        TextMetrics.shortened(series.name, to: 150, size: 12)
    }

    /// Names stand beside the lines only where every line ends near the right edge and near its name.
    private func hasDirectLabels(_ samples: [[Sample]], _ horizontal: AxisScale, _ vertical: AxisScale) -> Bool {
        guard (2...8).contains(series.count) else { return false }
        var ends: [Double] = []
        for index in series.indices {
            guard !isDots(index), let last = samples[index].last else { return false }
            let height = vertical.fraction(last.y)
            guard (0...1).contains(height), (0.97...1.02).contains(horizontal.fraction(last.x)) else { return false }
            ends.append((1 - height) * Self.plotHeight)
        }
        let heights = Self.spread(ends, in: 0...Self.plotHeight)
        return zip(ends, heights).allSatisfy { abs($0 - $1) < 32 }
    }

    /// Moves heights apart until a line of text fits between any two.
    static func spread(_ wanted: [Double], in range: ClosedRange<Double>) -> [Double] {
        let gap = 16.0
        let order = wanted.indices.sorted { wanted[$0] < wanted[$1] }
        var down = wanted
        var up = wanted
        for (above, below) in zip(order, order.dropFirst()) { down[below] = max(down[below], down[above] + gap) }
        for (above, below) in zip(order, order.dropFirst()).reversed() { up[above] = min(up[above], up[below] - gap) }
        // The mean of the two keeps the gaps and moves crowded names evenly to both sides.
        var result = zip(down, up).map { ($0 + $1) / 2 }
        var limit = range.lowerBound
        for index in order {
            result[index] = max(result[index], limit)
            limit = result[index] + gap
        }
        limit = range.upperBound
        for index in order.reversed() {
            result[index] = min(result[index], limit)
            limit = result[index] - gap
        }
        return result
    }

    private func drawDirectLabels(_ canvas: inout Canvas, _ screen: [[Sample]], in frame: Frame) {
        let ends = screen.map { $0.last?.y ?? frame.bottom }
        let heights = Self.spread(ends, in: frame.top...frame.bottom)
        for index in series.indices {
            // A short piece of the line leads to its name, which itself keeps the contrast of plain text.
            let data = [(frame.right + 5, ends[index]), (frame.right + 13, heights[index])]
            canvas.path(
                Self.polyline(data) + "h7", style: "l",
                attributes: " style=\"stroke:\(Theme.colour(index))\"\(canvas.dash(index))")
            canvas.text(Self.directName(series[index]), x: frame.right + 26, y: heights[index] + 4)
        }
    }
}

// MARK: - Data

extension LineChart {
    private func drawMarker(_ canvas: inout Canvas, on axis: AxisScale, in frame: Frame) {
        guard let marker, (0...1).contains(axis.fraction(marker.x)) else { return }
        let x = frame.left + axis.fraction(marker.x) * frame.width
        canvas.path(
            "M\(coordinate(x)) \(coordinate(frame.top - 6))V\(coordinate(frame.bottom))", style: "a",
            attributes: " stroke-dasharray=\"4 4\"")
        let label = TextMetrics.shortened(marker.label, to: 320, size: 12)
        let half = TextMetrics.width(label, size: 12) / 2
        let centre = min(max(x, Canvas.padding + half), Canvas.width - Canvas.padding - half)
        canvas.text(label, x: centre, y: frame.top - 11, anchor: .middle)
    }

    private func drawData(_ canvas: inout Canvas, _ screen: [[Sample]], in frame: Frame) {
        // A nested element clips without an identifier, which several charts on one page would have to share.
        let bleed = 4.0
        let box = [frame.left - bleed, frame.top - bleed, frame.width + 2 * bleed, frame.height + 2 * bleed]
            .map(coordinate)
        canvas.add(
            "<svg x=\"\(box[0])\" y=\"\(box[1])\" width=\"\(box[2])\" height=\"\(box[3])\" "
                + "viewBox=\"\(box.joined(separator: " "))\" overflow=\"hidden\">")
        for (index, samples) in screen.enumerated() { drawBand(&canvas, samples, index) }
        // The first series is the most important one and therefore lies on top.
        for (index, samples) in screen.enumerated().reversed() { drawSeries(&canvas, samples, index) }
        canvas.add("</svg>")
    }

    private func drawBand(_ canvas: inout Canvas, _ samples: [Sample], _ index: Int) {
        guard case .band = series[index].style, !samples.isEmpty else { return }
        let kept = Decimation.bandIndices(samples).map { samples[$0] }
        let outline = kept.map { ($0.x, $0.upper) } + kept.reversed().map { ($0.x, $0.lower) }
        let fill = " style=\"fill:\(Theme.colour(index));fill-opacity:.18\""
        canvas.add("<path d=\"\(Self.polyline(outline))z\"\(fill)/>")
    }

    private func drawSeries(_ canvas: inout Canvas, _ samples: [Sample], _ index: Int) {
        let stroke = " style=\"stroke:\(Theme.colour(index))"
        if isDots(index) {
            let dots = Decimation.dots(samples)
            let data = dots.map { "M\(coordinate($0.x)) \(coordinate($0.y))h0" }.joined()
            let size = dots.count > 400 ? 3.5 : 6
            canvas.path(data, style: "l", attributes: stroke + ";stroke-width:\(size);stroke-opacity:.8\"")
            return
        }
        let kept = Decimation.indices(x: samples.map(\.x), y: samples.map(\.y)).map { (samples[$0].x, samples[$0].y) }
        guard let first = kept.first else { return }
        var data = Self.polyline(kept)
        if case .step = series[index].style {
            data = "M\(coordinate(first.0)) \(coordinate(first.1))"
            for point in kept.dropFirst() { data += "H\(coordinate(point.0))V\(coordinate(point.1))" }
        }
        if kept.count == 1 {
            canvas.path(data + "h0", style: "l", attributes: stroke + ";stroke-width:6\"")
        } else {
            canvas.path(data, style: "l", attributes: stroke + "\"\(canvas.dash(index))")
        }
    }

    private static func polyline(_ points: [(Double, Double)]) -> String {
        var data = ""
        for (x, y) in points {
            data += data.isEmpty ? "M" : "L"
            data += "\(coordinate(x)) \(coordinate(y))"
        }
        return data
    }
}
