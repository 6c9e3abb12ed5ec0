import Foundation
import Testing

@testable import Plots

@Suite("Ticks and decimation")
struct TickTests {
    @Test(
        "Linear ticks cover the data with steps of one, two or five",
        arguments: [0...1, -3.7...12.2, 0.971...0.988, 1e-9...3e-9, 0...6e7, -1...(-1), 0...0, 1e15...(1e15 + 8)]
            as [ClosedRange<Double>])
    func linear(extent: ClosedRange<Double>) throws {
        let axis = AxisScale(Axis("y"), extent: extent, target: 5, tight: false)
        let first = try #require(axis.ticks.first?.value)
        let last = try #require(axis.ticks.last?.value)
        #expect(first <= extent.lowerBound && last >= extent.upperBound)
        #expect((3...12).contains(axis.ticks.count))
        #expect(Set(axis.ticks.map(\.text)).count == axis.ticks.count)
        let step = (last - first) / Double(axis.ticks.count - 1)
        let digit = step / pow(10, floor(log10(step) + 1e-9))
        #expect([1, 2, 5].contains { abs($0 - digit) < 1e-6 })
    }

    @Test("Logarithmic ticks are decades, within an axis that covers the data")
    func decades() {
        let axis = AxisScale(Axis("y", scale: .logarithmic), extent: 3e-8...2.4, target: 5, tight: false)
        #expect(axis.lower <= 3e-8 && axis.upper >= 2.4)
        #expect(axis.ticks.map(\.value) == [1e-6, 1e-4, 1e-2, 1])
        #expect(axis.ticks.first == Tick(value: 1e-6, text: "10", exponent: "\u{2212}6"))
        #expect(abs(axis.fraction(axis.lower)) < 1e-12 && abs(axis.fraction(axis.upper) - 1) < 1e-12)
        let plain = AxisScale(Axis("x", scale: .logarithmic), extent: 0.02...58, target: 7, tight: true)
        #expect(plain.ticks.map(\.text) == ["0.1", "1", "10"])
    }

    @Test(
        "A logarithmic axis has at least two labels inside it however short it is",
        arguments: [1...1, 1...1.01, 3...8, 0.9...11, 2e-7...5e-7, 1e-290...1e290] as [ClosedRange<Double>])
    func shortLogarithmic(extent: ClosedRange<Double>) {
        let axis = AxisScale(Axis("y", scale: .logarithmic), extent: extent, target: 5, tight: false)
        #expect(axis.lower > 0 && axis.lower <= extent.lowerBound && axis.upper >= extent.upperBound)
        #expect((2...12).contains(axis.ticks.count))
        #expect(axis.ticks.allSatisfy { (-1e-9...1 + 1e-9).contains(axis.fraction($0.value)) })
    }

    @Test("Labels are exact decimals with the power of ten set apart")
    func labels() {
        let small = AxisScale(Axis("y"), extent: 0...4e-6, target: 5, tight: false)
        #expect(small.factor == -6)
        #expect(small.ticks.map(\.text) == ["0", "1", "2", "3", "4"])
        let tenths = AxisScale(Axis("y"), extent: 0...0.5, target: 5, tight: false)
        #expect(tenths.ticks.map(\.text) == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"])
        #expect(tenths.ticks[3].value == 0.3)
        #expect(Format.fixed(-1_234_567.5, decimals: 1) == "\u{2212}1\u{2009}234\u{2009}567.5")
        #expect(Format.fixed(-0.0001, decimals: 2) == "0.00")
        #expect(Format.short(3.1e-7) == "3.1×10⁻⁷")
        #expect(Format.consistent([1.2, 38.05, 10]) == ["1.20", "38.05", "10.00"])
    }

    @Test("Decimation keeps the ends and the extremes of a long line", arguments: [true, false])
    func decimation(isSorted: Bool) {
        let x = (0..<20_000).map { isSorted ? Double($0) : Double($0 * 7919 % 20_000) }
        var y = x.map { sin($0 / 300) }
        y[7_777] = 9
        y[15_001] = -9
        let kept = Decimation.indices(x: x, y: y)
        #expect(kept.count <= Decimation.limit)
        #expect(kept == kept.sorted() && Set(kept).count == kept.count)
        #expect(kept.first == 0 && kept.last == 19_999)
        #expect(kept.contains(7_777) && kept.contains(15_001))
        #expect(Decimation.indices(x: [1, 2, 3], y: [1, 2, 3]) == [0, 1, 2])
    }

    @Test("Decimation keeps the extremes of both edges of a band")
    func bandDecimation() {
        var samples = (0..<5_000).map { Sample(x: Double($0), y: 0, lower: -1, upper: 1) }
        samples[1_234].upper = 8
        samples[4_321].lower = -8
        let kept = Decimation.bandIndices(samples)
        #expect(kept.count <= Decimation.limit)
        #expect(kept.contains(1_234) && kept.contains(4_321))
    }
}
