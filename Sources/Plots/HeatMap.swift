/// A table of counts shaded by size, such as a confusion matrix.
public struct HeatMap: Sendable {
    /// The colours on and off the diagonal.
    private static let fills = ["var(--heat)", Theme.colour(1)]

    private let title: String
    private let rowLabels: [String]
    private let columnLabels: [String]
    private let rowTitle: String
    private let columnTitle: String
    private let counts: [[Double]]

    /// Creates a map; cells missing from the counts stay blank.
    public init(
        title: String, rowLabels: [String], columnLabels: [String], rowTitle: String, columnTitle: String,
        counts: [[Double]]
    ) {
        self.title = title
        self.rowLabels = rowLabels
        self.columnLabels = columnLabels
        self.rowTitle = rowTitle
        self.columnTitle = columnTitle
        self.counts = counts
    }

    /// Draws the map as a self-contained SVG element.
    ///
    /// Where rows and columns bear the same labels, the cells off the diagonal have a colour and a scale of their own,
    /// so that a few mistakes show beside many hits.
    public func svg() -> String {
        var canvas = Canvas(title: title)
        guard !rowLabels.isEmpty, !columnLabels.isEmpty, counts.contains(where: { !$0.isEmpty }) else {
            let frame = Frame(left: Canvas.padding, top: canvas.top, width: Canvas.width - 32, height: 120)
            canvas.emptyNote(in: frame)
            return canvas.document(height: frame.bottom + Canvas.padding)
        }
        let rows = rowLabels.map { TextMetrics.shortened($0, to: 130, size: 12) }
        let columns = columnLabels.map { TextMetrics.shortened($0, to: 90, size: 12) }
        let left = Canvas.padding + max(rows.map { TextMetrics.width($0, size: 12) }.max() ?? 0, 30) + 12
        let cellWidth = min(96, (Canvas.width - left - Canvas.padding) / Double(columns.count))
        let cellHeight = min(34, max(8, min(cellWidth, 640 / Double(rows.count))))
        let row = TextMetrics.shortened(rowTitle, to: 300, size: 12)
        let column = TextMetrics.shortened(columnTitle, to: 300, size: 12)
        canvas.text("\(row) \u{2193}\u{2002}\(column) \u{2192}", x: Canvas.padding, y: canvas.top + 10, style: "m")
        canvas.top += 40
        let frame = Frame(
            left: left, top: canvas.top, width: cellWidth * Double(columns.count),
            height: cellHeight * Double(rows.count))
        writeLabels(&canvas, rows, columns, in: frame)
        drawCells(&canvas, width: cellWidth, height: cellHeight, in: frame)
        guard isConfusion else { return canvas.document(height: frame.bottom + Canvas.padding) }
        writeKey(&canvas, below: frame)
        return canvas.document(height: frame.bottom + 28 + Canvas.padding)
    }

    private var isConfusion: Bool { rowLabels.count > 1 && rowLabels == columnLabels }

    private func count(_ row: Int, _ column: Int) -> Double? {
        guard row < counts.count, column < counts[row].count else { return nil }
        return counts[row][column]
    }

    private func writeLabels(_ canvas: inout Canvas, _ rows: [String], _ columns: [String], in frame: Frame) {
        let height = frame.height / Double(rows.count)
        let width = frame.width / Double(columns.count)
        let rowStride = max(1, Int((13 / height).rounded(.up)))
        let widest = columns.map { TextMetrics.width($0, size: 12) }.max() ?? 0
        let columnStride = max(1, Int(((widest + 6) / width).rounded(.up)))
        for index in stride(from: 0, to: rows.count, by: rowStride) {
            let y = frame.top + (Double(index) + 0.5) * height + 4
            canvas.text(rows[index], x: frame.left - 8, y: y, anchor: .end)
        }
        for index in stride(from: 0, to: columns.count, by: columnStride) {
            let x = frame.left + (Double(index) + 0.5) * width
            canvas.text(columns[index], x: x, y: frame.top - 8, anchor: .middle)
        }
    }

    private func group(_ row: Int, _ column: Int) -> Int { isConfusion && row != column ? 1 : 0 }

    /// The interval of values over which each group of cells is shaded.
    private func ranges() -> [(lower: Double, upper: Double)] {
        var values: [[Double]] = [[], []]
        for row in rowLabels.indices {
            for column in columnLabels.indices {
                if let value = count(row, column), value.isFinite { values[group(row, column)].append(value) }
            }
        }
        return values.map { known in
            let lowest = known.min() ?? 0
            let highest = max(0, known.max() ?? 0)
            // Values that all lie close together are shaded by their distance from the smallest.
            return (!isConfusion && lowest > 0.5 * highest && lowest < highest ? lowest : 0, highest)
        }
    }

    private func drawCells(_ canvas: inout Canvas, width: Double, height: Double, in frame: Frame) {
        let ranges = ranges()
        let gap = width > 12 && height > 12 ? 1.5 : 0
        let numbers = Format.consistent(
            rowLabels.indices.flatMap { row in
                columnLabels.indices.compactMap { count(row, $0) }
            })
        let widest = numbers.map { TextMetrics.width($0, size: 12) }.max() ?? 0
        let showsNumbers = height >= 15 && width >= widest + 4
        var remaining = numbers[...]
        for row in rowLabels.indices {
            for column in columnLabels.indices {
                guard let value = count(row, column), let number = remaining.popFirst() else { continue }
                let group = group(row, column)
                let (lower, upper) = ranges[group]
                let isShaded = value.isFinite && value > 0 && upper > 0
                let share = isShaded ? (value - lower) / (upper - lower) : 0
                // The square root lifts small counts; mistakes stay paler than hits.
                let opacity = lower > 0 ? 0.12 + 0.8 * share : share.squareRoot() * (group == 1 ? 0.6 : 0.92)
                let x = frame.left + Double(column) * width
                let y = frame.top + Double(row) * height
                let box = [x + gap / 2, y + gap / 2, width - gap, height - gap].map(coordinate)
                let fill = isShaded ? Self.fills[group] : "var(--grid)"
                let shade = isShaded ? (opacity * 100).rounded() / 100 : 0.45
                canvas.add(
                    "<rect x=\"\(box[0])\" y=\"\(box[1])\" width=\"\(box[2])\" height=\"\(box[3])\" "
                        + "style=\"fill:\(fill);fill-opacity:\(shade)\"/>")
                guard showsNumbers else { continue }
                let ink = !isShaded ? "--muted" : opacity > 0.75 ? "--on" : "--ink"
                canvas.text(
                    number, x: x + width / 2, y: y + height / 2 + 4, anchor: .middle,
                    attributes: " style=\"fill:var(\(ink))\"")
            }
        }
    }

    private func writeKey(_ canvas: inout Canvas, below frame: Frame) {
        let y = frame.bottom + 14
        var x = frame.left
        for (group, name) in ["on the diagonal", "off the diagonal, shaded on its own scale"].enumerated() {
            canvas.add(
                "<rect x=\"\(coordinate(x))\" y=\"\(coordinate(y))\" width=\"12\" height=\"12\" "
                    + "style=\"fill:\(Self.fills[group]);fill-opacity:\(group == 0 ? ".9" : ".6")\"/>")
            canvas.text(name, x: x + 18, y: y + 10, style: "t")
            x += 18 + TextMetrics.width(name, size: 11.5) + 22
        }
    }
}
