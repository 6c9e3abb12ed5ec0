import Foundation
import Testing

@testable import Plots

@Suite("Pages and terminal output")
struct PageTests {
    @Test("A page is well-formed, escapes its text and needs no network and no scripts")
    func page() {
        var page = HTMLPage(title: hostile, subtitle: hostile)
        page.add(keyFigures: [(label: hostile, value: hostile, note: hostile), (label: "a", value: "1", note: "")])
        page.add(keyFigures: [])
        page.add(section: hostile)
        page.add(text: hostile)
        page.add(notice: hostile, level: .information)
        page.add(notice: hostile, level: .warning)
        page.add(
            svg: LineChart(title: hostile, x: Axis("x"), y: Axis("y"), series: []).svg(),
            table: (header: [hostile, "n"], rows: [[hostile, "1"], ["ragged"], ["long", "2", "3"]]))
        page.add(table: [], rows: [])
        page.add(table: ["a"], rows: [[hostile]])
        page.add(html: "<p>as it <em>is</em></p>")
        let text = page.render()
        expectWellFormed(text)
        #expect(text.hasPrefix("<!DOCTYPE html>"))
        #expect(!text.contains("<script") && text.contains("<p>as it <em>is</em></p>"))
        #expect(text.contains("<td class=\"n\">1</td>"))
        let addresses = text.components(separatedBy: "http").dropFirst().filter { !$0.hasPrefix("://www.w3.org/") }
        #expect(addresses.isEmpty)
        #expect(text.contains("prefers-color-scheme:dark"))
    }

    @Test("A page with long lines, many bars and many images stays small")
    func size() {
        var page = HTMLPage(title: "t", subtitle: "s")
        let x = (0..<2_000).map { Double($0) + 0.123 }
        let series = (0..<4).map { k in Series("series \(k)", x: x, y: x.map { sin($0 * Double(k + 3)) }) }
        for _ in 0..<4 { page.add(svg: LineChart(title: "t", x: Axis("x"), y: Axis("y"), series: series).svg()) }
        page.add(
            svg: BarChart(
                title: "t", label: "l", names: (0..<600).map { "neuron \($0)" }, values: (0..<600).map(Double.init)
            ).svg())
        let images = (0..<64).map { k in (0..<784).map { Float($0 * k % 97) - 48 } }
        page.add(html: ImageGrid(title: "t", images: images, height: 28, width: 28, columns: 8).html())
        let text = page.render()
        expectWellFormed(text)
        #expect(text.utf8.count < 1_000_000)
    }

    @Test("A sparkline spans the blocks, averages what does not fit and leaves gaps")
    func sparkline() {
        #expect(Terminal.sparkline([0, 1, 2, 3, 4, 5, 6, 7], width: 20) == "▁▂▃▄▅▆▇█")
        #expect(Terminal.sparkline([0, 0, 10, 10], width: 2) == "▁█")
        #expect(Terminal.sparkline([5, 5, 5], width: 3) == "▄▄▄")
        #expect(Terminal.sparkline([0, .nan, 1], width: 3) == "▁ █")
        #expect(Terminal.sparkline([.nan, .infinity], width: 5) == "  ")
        #expect(Terminal.sparkline([], width: 5).isEmpty && Terminal.sparkline([1], width: 0).isEmpty)
        let huge = Double.greatestFiniteMagnitude
        #expect(Terminal.sparkline([-huge, huge], width: 2) == "▁█")
        #expect(Terminal.sparkline((0..<1_000).map(Double.init), width: 40).count == 40)
    }

    @Test("A terminal table sets text flush left and numbers flush right")
    func table() {
        let table = Terminal.table(
            header: ["phase", "seconds", "note"],
            rows: [["reading", "1.20", "a"], ["solving", "138.05", "longer"], ["数", "–", ""], ["x\u{1B}y\nz"]])
        let expected = """
            phase    seconds  note
            ───────  ───────  ──────
            reading     1.20  a
            solving   138.05  longer
            数             –
            x y z

            """
        #expect(table == expected)
        #expect(Terminal.table(header: [], rows: []).isEmpty)
    }

    @Test("Percentages, signs, powers of ten and grouped digits count as numbers and words do not")
    func numericColumns() {
        #expect(Format.isNumericColumn(["1", "−2.5", "97.4 %", "3.1×10⁻⁷", "1\u{2009}000", "1e-5", "", "–"]))
        #expect(!Format.isNumericColumn(["1", "one"]))
        #expect(!Format.isNumericColumn(["", ""]))
    }

    @Test("Long text is cut with an ellipsis and long titles are broken into lines")
    func textFitting() {
        let long = String(repeating: "word ", count: 60)
        let lines = TextMetrics.wrapped(long, to: 400, size: 16, lines: 2)
        #expect(lines.count == 2 && lines[1].hasSuffix("…"))
        #expect(lines.allSatisfy { TextMetrics.width($0, size: 16) <= 420 })
        #expect(TextMetrics.shortened("short", to: 400, size: 12) == "short")
    }
}
