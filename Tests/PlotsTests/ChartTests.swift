import Foundation
import Testing

@testable import Plots

@Suite("Charts")
struct ChartTests {
    /// The data of the path that draws the only series of a chart.
    private func line(_ svg: String) -> String {
        let paths = svg.components(separatedBy: "<path ").filter { $0.contains("stroke:var(--s0)") }
        return paths.last.map { $0.components(separatedBy: "\"")[1] } ?? ""
    }

    private func points(_ data: String) -> Int { data.filter { $0 == "M" || $0 == "L" }.count }

    @Test("Every chart is well-formed for every style and scale")
    func wellFormed() {
        let x = (0..<50).map(Double.init)
        let y = x.map { exp(-$0 / 4) }
        let styles: [Series.Style] = [
            .line, .points, .step, .band(lower: y.map { $0 / 2 }, upper: y.map { $0 * 2 }), .band(lower: [], upper: []),
        ]
        for scale in [Axis.Scale.linear, .logarithmic] {
            for style in styles {
                let series = [
                    Series("a", x: x, y: y, style: style), Series("b", x: [1], y: [2]), Series("", x: [], y: []),
                ]
                for count in 0...3 {
                    let chart = LineChart(
                        title: "title", x: Axis("x", scale: scale), y: Axis("y", scale: scale),
                        series: Array(series.prefix(count)), marker: (x: 3, label: "here"))
                    expectWellFormed(chart.svg())
                }
            }
        }
    }

    @Test("Hostile text is escaped everywhere")
    func escaping() {
        let charts = [
            LineChart(
                title: hostile, x: Axis(hostile), y: Axis(hostile),
                series: [
                    Series(hostile, x: [1, 2], y: [3, 4]), Series("b" + hostile, x: [1, 2], y: [1, 2]),
                    Series("c" + hostile, x: [1], y: [1], style: .points),
                ], marker: (x: 1.5, label: hostile)
            ).svg(),
            BarChart(title: hostile, label: hostile, names: [hostile], values: [1]).svg(),
            BarChart(
                title: hostile, label: hostile, names: Array(repeating: hostile, count: 30),
                values: Array(repeating: 1, count: 30)
            ).svg(),
            HeatMap(
                title: hostile, rowLabels: [hostile], columnLabels: [hostile], rowTitle: hostile, columnTitle: hostile,
                counts: [[1]]
            ).svg(),
            ImageGrid(title: hostile, images: [[1]], height: 1, width: 1, columns: 1, labels: [hostile]).html(),
        ]
        for chart in charts {
            expectWellFormed(chart)
            #expect(!chart.contains("<script"))
        }
    }

    @Test("A logarithmic axis drops points that are not positive and a linear one keeps them")
    func logarithmicDrops() {
        let values = [-1, 0, 1, 10, .nan, 100, .infinity, 1000]
        let x = (1...8).map(Double.init)
        let series = [Series("y", x: x, y: values)]
        let logarithmic = LineChart(title: "t", x: Axis("x"), y: Axis("y", scale: .logarithmic), series: series)
        let linear = LineChart(title: "t", x: Axis("x"), y: Axis("y"), series: series)
        #expect(points(line(logarithmic.svg())) == 4)
        #expect(points(line(linear.svg())) == 6)
        let horizontal = LineChart(
            title: "t", x: Axis("x", scale: .logarithmic), y: Axis("y"), series: [Series("y", x: values, y: x)])
        #expect(points(line(horizontal.svg())) == 4)
    }

    @Test("A chart without usable points says so")
    func empty() {
        let nothing = Series("y", x: [1, 2], y: [.nan, -1])
        let y = Axis("y", scale: .logarithmic)
        let charts = [
            LineChart(title: "t", x: Axis("x"), y: y, series: []).svg(),
            LineChart(title: "t", x: Axis("x"), y: y, series: [nothing], marker: (x: 1, label: "m")).svg(),
            BarChart(title: "t", label: "l", names: ["a"], values: [.nan]).svg(),
            HeatMap(title: "t", rowLabels: [], columnLabels: [], rowTitle: "", columnTitle: "", counts: []).svg(),
            ImageGrid(title: "t", images: [], height: 2, width: 2, columns: 0).html(),
        ]
        for chart in charts {
            #expect(chart.contains("no data"))
            expectWellFormed(chart)
        }
    }

    @Test("Extreme values and given ranges neither trap nor leak into the markup")
    func extremes() {
        let values = [1e299, -1e299, .leastNonzeroMagnitude, 0, .greatestFiniteMagnitude, 1, 1e-12]
        let x = (0..<7).map(Double.init)
        for scale in [Axis.Scale.linear, .logarithmic] {
            for range in [nil, 0...1, -5...(-1), 2...2, 1e-300...1e299, 0...0] as [ClosedRange<Double>?] {
                let axis = Axis("y", scale: scale, range: range)
                for series in [Series("a", x: x, y: values), Series("a", x: values, y: values, style: .step)] {
                    let svg = LineChart(title: "t", x: axis, y: axis, series: [series], marker: (x: 1e200, label: "m"))
                        .svg()
                    expectWellFormed(svg)
                    #expect(!svg.contains("nan") && !svg.contains("inf"))
                }
            }
        }
        expectWellFormed(BarChart(title: "", label: "", names: ["a", "b", "c"], values: [1e299, -1e299, .nan]).svg())
    }

    @Test("Names beside lines keep their distance and stay within the frame")
    func spread() {
        for wanted in [[10, 10, 10, 10], [0, 1, 250, 259], [100], [260, 260, 0, 255, 3]] as [[Double]] {
            let heights = LineChart.spread(wanted, in: 0...260).sorted()
            #expect(zip(heights, heights.dropFirst()).allSatisfy { $1 - $0 > 15.9 })
            #expect(heights.allSatisfy { (0...260).contains($0) })
        }
    }

    @Test("Six hundred bars are all drawn but not all named")
    func manyBars() {
        let names = (0..<600).map { "neuron \($0)" }
        let svg = BarChart(title: "t", label: "norm", names: names, values: names.indices.map { 1 / Double($0 + 1) })
            .svg()
        expectWellFormed(svg)
        #expect(svg.components(separatedBy: "<title>").count == 601)
        #expect(svg.components(separatedBy: "class=\"t\">neuron ").count < 20)
    }

    @Test("A heat map writes its counts and stays silent where cells are missing")
    func heatMap() {
        let labels = ["a", "b", "c"]
        let svg = HeatMap(
            title: "t", rowLabels: labels, columnLabels: labels, rowTitle: "true", columnTitle: "said",
            counts: [[981, 2, 0], [7], []]
        ).svg()
        expectWellFormed(svg)
        #expect(svg.contains(">981<") && svg.contains(">2<") && svg.contains(">7<"))
        // One background, four cells and two key squares.
        #expect(svg.components(separatedBy: "<rect ").count - 1 == 7)
    }
}
