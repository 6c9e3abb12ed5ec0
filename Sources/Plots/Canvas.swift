/// The colours of charts and pages.
enum Theme {
    /// The number of distinct series colours.
    static let colours = 7

    /// The custom properties for light surroundings.
    static let light = """
        --ink:#1b1f24;--muted:#5d6670;--line:#d9dde2;--grid:#e9ecef;--axis:#98a1ab;--paper:#ffffff;--back:#f5f6f8;\
        --on:#ffffff;--heat:#0065a3;\
        --s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#cc79a7;--s4:#e69f00;--s5:#56b4e9;--s6:#8c7a00;
        """

    /// The custom properties for dark surroundings, with the brighter members of the palette first.
    static let dark = """
        --ink:#e7eaee;--muted:#9ba5b0;--line:#343b43;--grid:#2a3037;--axis:#6b7580;--paper:#1a1e23;--back:#121519;\
        --on:#101316;--heat:#4aa8de;\
        --s0:#56b4e9;--s1:#e0661a;--s2:#1cb88c;--s3:#d78fb8;--s4:#e69f00;--s5:#c3ccd6;--s6:#f0e442;
        """

    /// The typeface stack.
    static let font = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"

    /// The style sheet that each SVG carries so that it can also stand alone.
    static let svg = """
        .dp{\(light)}@media(prefers-color-scheme:dark){.dp{\(dark)}}\
        .dp text{font-family:\(font);font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums}\
        .dp .h{font-size:16px;font-weight:600}.dp .m{fill:var(--muted)}.dp .t{font-size:11.5px;fill:var(--muted)}\
        .dp .g{stroke:var(--grid);stroke-width:1;fill:none}.dp .a{stroke:var(--axis);stroke-width:1;fill:none}\
        .dp .l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        """

    /// The reference to the colour of a series.
    static func colour(_ series: Int) -> String { "var(--s\(series % colours))" }
}

/// Where text sits relative to its coordinate.
enum Anchor: String {
    case start, middle, end
}

/// The SVG document under construction.
struct Canvas {
    /// The width of every chart in user units.
    static let width = 760.0
    /// The margin around every chart.
    static let padding = 16.0

    private let title: String
    private(set) var body = ""
    /// The vertical position below everything placed so far.
    var top = Canvas.padding

    /// Starts a chart with its title in place.
    init(title: String) {
        self.title = title
        let lines = TextMetrics.wrapped(title, to: Self.width - 2 * Self.padding, size: 16.5, lines: 2)
        for line in lines {
            text(line, x: Self.padding, y: top + 13, style: "h")
            top += 21
        }
        top += lines.isEmpty ? 0 : 6
    }

    /// Appends finished markup.
    mutating func add(_ markup: String) {
        body += markup
        body += "\n"
    }

    /// Places one line of text.
    mutating func text(
        _ text: String, exponent: String? = nil, x: Double, y: Double, anchor: Anchor = .start, style: String = "",
        attributes: String = ""
    ) {
        var markup = "<text x=\"\(coordinate(x))\" y=\"\(coordinate(y))\""
        if anchor != .start { markup += " text-anchor=\"\(anchor.rawValue)\"" }
        if !style.isEmpty { markup += " class=\"\(style)\"" }
        markup += "\(attributes)>\(escaped(text))"
        if let exponent { markup += "<tspan dy=\"-4.5\" font-size=\"9\">\(escaped(exponent))</tspan>" }
        add(markup + "</text>")
    }

    /// Draws a path given by its data.
    mutating func path(_ data: String, style: String, attributes: String = "") {
        guard !data.isEmpty else { return }
        add("<path d=\"\(data)\" class=\"\(style)\"\(attributes)/>")
    }

    /// Ends the document at a height.
    func document(height: Double) -> String {
        let size = "\(coordinate(Self.width)) \(coordinate(height))"
        return """
            <svg xmlns="http://www.w3.org/2000/svg" class="dp" viewBox="0 0 \(size)" \
            width="\(coordinate(Self.width))" height="\(coordinate(height))" role="img" aria-label="\(escaped(title))">
            <style>\(Theme.svg)</style>
            <rect width="100%" height="100%" style="fill:var(--paper)"/>
            \(body)</svg>
            """
    }
}

/// The rectangle in which data are drawn.
struct Frame {
    var left: Double
    var top: Double
    var width: Double
    var height: Double

    var right: Double { left + width }
    var bottom: Double { top + height }
}

extension Canvas {
    /// The room that tick labels need to the left of a frame.
    static func leftMargin(for ticks: [Tick]) -> Double {
        max(40, padding + 8 + (ticks.map { $0.width(size: 12) }.max() ?? 0))
    }

    /// Draws the grid and the labels of a vertical axis.
    mutating func verticalAxis(_ axis: AxisScale, in frame: Frame) {
        func position(_ value: Double) -> String { coordinate(frame.bottom - axis.fraction(value) * frame.height) }
        path(
            axis.ticks.map { "M\(coordinate(frame.left)) \(position($0.value))h\(coordinate(frame.width))" }.joined(),
            style: "g")
        path(axis.minor.map { "M\(coordinate(frame.left)) \(position($0))h-4" }.joined(), style: "g")
        for tick in axis.ticks {
            let y = frame.bottom - axis.fraction(tick.value) * frame.height
            text(tick.text, exponent: tick.exponent, x: frame.left - 8, y: y + 4, anchor: .end, style: "t")
        }
    }

    /// Draws the base line and the labels of a horizontal axis.
    mutating func horizontalAxis(_ axis: AxisScale, in frame: Frame) {
        func position(_ value: Double) -> Double { frame.left + axis.fraction(value) * frame.width }
        var marks = "M\(coordinate(frame.left)) \(coordinate(frame.bottom))h\(coordinate(frame.width))"
        for tick in axis.ticks { marks += "M\(coordinate(position(tick.value))) \(coordinate(frame.bottom))v5" }
        for value in axis.minor { marks += "M\(coordinate(position(value))) \(coordinate(frame.bottom))v3" }
        path(marks, style: "a")
        for tick in axis.ticks {
            text(
                tick.text, exponent: tick.exponent, x: position(tick.value), y: frame.bottom + 19, anchor: .middle,
                style: "t")
        }
    }

    /// Writes what an axis measures, with the power of ten that its labels leave out.
    mutating func axisTitle(_ label: String, factor: Int?, x: Double, y: Double, anchor: Anchor, limit: Double) {
        let short = TextMetrics.shortened(label, to: limit, size: 12)
        guard let factor else { return text(short, x: x, y: y, anchor: anchor, style: "m") }
        let separator = short.isEmpty ? "" : " "
        text(
            "\(short)\(separator)\u{00D7}\u{2009}10", exponent: Format.exponent(factor), x: x, y: y, anchor: anchor,
            style: "m")
    }

    /// Says in the middle of a frame that there is nothing to draw.
    mutating func emptyNote(in frame: Frame) {
        text(
            "no data", x: frame.left + frame.width / 2, y: frame.top + frame.height / 2 + 4, anchor: .middle,
            style: "m")
    }

    /// Places the names of series in rows under the title.
    mutating func legend(_ entries: [(name: String, series: Int, isDot: Bool)]) {
        var x = Self.padding
        var y = top + 9
        for entry in entries {
            let name = TextMetrics.shortened(entry.name, to: 300, size: 12)
            let width = 24 + TextMetrics.width(name, size: 12) + 20
            if x > Self.padding, x + width > Self.width - Self.padding {
                x = Self.padding
                y += 19
            }
            let stroke = " style=\"stroke:\(Theme.colour(entry.series))\"\(dash(entry.series))"
            if entry.isDot {
                path(
                    "M\(coordinate(x + 8)) \(coordinate(y))h0", style: "l",
                    attributes: " style=\"stroke:\(Theme.colour(entry.series));stroke-width:7\"")
            } else {
                path("M\(coordinate(x)) \(coordinate(y))h16", style: "l", attributes: stroke)
            }
            text(name, x: x + 24, y: y + 4)
            x += width
        }
        top = y + 19
    }

    /// The dashes that tell series apart once the colours repeat.
    func dash(_ series: Int) -> String {
        switch series / Theme.colours {
        case 0: ""
        case 1: " stroke-dasharray=\"7 5\""
        default: " stroke-dasharray=\"1 5\""
        }
    }
}
