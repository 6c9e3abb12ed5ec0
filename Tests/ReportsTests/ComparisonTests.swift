import Reports
import Testing

@Suite("Comparisons of runs")
struct ComparisonTests {
    private func curve(_ method: String, _ rate: Double?, _ seed: UInt64, _ scores: [Double]) -> RunCurve {
        let times = scores.indices.map { Double($0) }
        return RunCurve(method: method, rate: rate, seed: seed, seconds: times, epochs: times, scores: scores)
    }

    @Test("Quantiles interpolate as NumPy's; a value that is met exactly needs no neighbour")
    func quantiles() {
        #expect(Comparison.quantile([], 0.5) == nil)
        #expect(Comparison.quantile([3, 1, 2], 0.5) == 2)
        #expect(Comparison.quantile([1, 2, 3, 4], 0.5) == 2.5)
        // numpy.quantile([1, 2, 3, 4, 10], 0.95) is 8.8.
        #expect(abs(Comparison.quantile([1, 2, 3, 4, 10], 0.95)! - 8.8) < 1e-12)
        #expect(Comparison.quantile([1, 2, .infinity], 0.5) == 2)
        #expect(Comparison.quantile([1, .infinity], 0.5) == .infinity)
    }

    @Test("Best, median, worst, tuning time and time to the target are those of the runs")
    func summary() throws {
        let curves = [
            curve("a", 0.1, 0, [0.1, 0.8, 0.9]), curve("a", 0.1, 1, [0.1, 0.9, 0.7]),
            curve("a", 1, 0, [0.1, 0.2, 0.3]), curve("a", 1, 1, [0.1, 0.1, 0.1]),
        ]
        let summary = try #require(Comparison(methods: ["a", "b"], curves: curves).summaries(target: 0.8).first)
        #expect(summary.runs == 4 && summary.bestRate == 0.1 && abs(summary.best - 0.8) < 1e-12)
        #expect(abs(summary.median - 0.5) < 1e-12 && summary.worst == 0.1 && summary.peak == 0.9)
        #expect(summary.secondsToTarget == 1 && summary.reached == 0.5)
        #expect(summary.seconds == 2 && summary.secondsWithTuning == 4)
    }

    @Test("A seed that never reaches the target counts as one that takes forever")
    func unreached() throws {
        let two = (0..<2).map { curve("a", nil, $0, [0, 1]) } + [curve("a", nil, 2, [0, 0])]
        #expect(Comparison(methods: ["a"], curves: two).summaries(target: 1).first?.secondsToTarget == 1)
        let one = [curve("a", nil, 0, [0, 1]), curve("a", nil, 1, [0, 0]), curve("a", nil, 2, [0, 0])]
        #expect(Comparison(methods: ["a"], curves: one).summaries(target: 1).first?.secondsToTarget == nil)
    }

    @Test("Bands hold each score until the next evaluation, and start where every run has one")
    func bands() {
        let early = RunCurve(method: "a", rate: nil, seed: 0, seconds: [0, 2], epochs: [0, 1], scores: [0.2, 0.6])
        let late = RunCurve(method: "a", rate: nil, seed: 1, seconds: [1, 3], epochs: [0, 1], scores: [0.4, 0.8])
        let band = Comparison(methods: ["a"], curves: [early, late]).band("a", along: \.seconds, points: 5)
        #expect(band.x == [1, 1.5, 2, 2.5, 3])
        let expected = [0.3, 0.3, 0.5, 0.5, 0.7]
        #expect(zip(band.median, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }
}
