import Foundation
import Plots
import Reports
import RunLog

/// A comparison with its tables and page.
struct ComparisonResult: Encodable {
    let name: String
    let title: String
    let goal: Double
    let curves: [RunCurve]
    let summaries: [MethodSummary]
    let structures: [StructureSummary]
    private let comparison: Comparison
    private let threads: Int
    private let epochsHaveMeaning: Bool

    private enum CodingKeys: String, CodingKey { case name, title, goal, curves, summaries, structures }

    init(experiment: Experiment, curves: [RunCurve]) {
        (name, title, goal) = (experiment.name, experiment.title ?? experiment.name, experiment.goal)
        // A run that diverged counts with the score that all runs began with, or zero.
        let guess = curves.compactMap { $0.scores.first }.min() ?? 0
        let counted = curves.map { curve -> RunCurve in
            guard curve.failure != nil else { return curve }
            // It is charged what the method's other runs took.
            let others = curves.filter { $0.method == curve.method && $0.failure == nil }.map(\.total)
            let length = Comparison.quantile(others, 0.5) ?? 0
            var copy = curve
            (copy.seconds, copy.epochs, copy.scores) = ([0, length], [0, 1], [guess, guess])
            return copy
        }
        self.curves = counted
        comparison = Comparison(methods: experiment.methods.map(\.name), curves: counted)
        summaries = comparison.summaries(target: experiment.goal)
        structures = comparison.structures(last: Self.lastEvaluations)
        threads = experiment.threads ?? 1
        epochsHaveMeaning = experiment.methods.allSatisfy { $0.fit == nil }
    }

    private var header: [String] {
        [
            "method", "best rate", "best, %", "median, %", "worst, %", "peak, %", "s to \(Format.percent(goal))",
            "reached", "s of a run", "s with tuning", "runs", "diverged",
        ]
    }

    private var rows: [[String]] {
        summaries.map { s in
            [
                s.method, s.bestRate.map { String(format: "%.3g", $0) } ?? "–", Self.percent(s.best),
                Self.percent(s.median), Self.percent(s.worst), Self.percent(s.peak),
                s.secondsToTarget.map { String(format: "%.2f", $0) } ?? "–",
                String(format: "%.0f %%", 100 * s.reached), String(format: "%.1f", s.seconds),
                String(format: "%.1f", s.secondsWithTuning), "\(s.runs)", "\(s.failures)",
            ]
        }
    }

    /// Evaluations at the end over which changes of the structure are counted.
    private static let lastEvaluations = 5

    private var structureHeader: [String] {
        [
            "method", "strength", "score, %", "sparsity, %", "changes in the last \(Self.lastEvaluations)", "objective",
            "s an epoch", "runs",
        ]
    }

    private var structureRows: [[String]] {
        structures.map { s in
            [
                s.method, s.strength.map { String(format: "%.3g", $0) } ?? "–",
                Self.percent(s.score) + " ± " + Self.percent(s.scoreDeviation),
                Self.percent(s.sparsity) + " ± " + Self.percent(s.sparsityDeviation),
                String(format: "%.1f", s.changes), s.objective.map { String(format: "%.5f", $0) } ?? "–",
                String(format: "%.2f", s.secondsPerEpoch), "\(s.runs)",
            ]
        }
    }

    private static let structureLegend =
        "Sparsity: share of the penalised weights in zero groups, or of singular values that are zero, at the last "
        + "evaluation. Changes: evaluations at the end whose structure was not that of the one before. Mean ± standard "
        + "deviation over the seeds."

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        ([header, header.map { _ in "---" }] + rows).map { "| " + $0.map(escaped).joined(separator: " | ") + " |" }
            .joined(separator: "\n")
    }

    /// A text from an experiment's file as a cell: it must neither end the cell nor be markup.
    private static func escaped(_ text: String) -> String {
        Console.clean(text).replacing("\n", with: " ").replacing("\\", with: "\\\\").replacing("|", with: "\\|")
            .replacing("<", with: "&lt;")
    }

    private static func percent(_ score: Double) -> String { String(format: "%.2f", 100 * score) }

    /// What the columns mean.
    private var legend: String {
        "Best: mean final test score over the seeds at the rate where it is highest, chosen on that very score. Median and "
            + "worst: final scores over all rates and seeds. Peak: highest score of any evaluation. Seconds to the goal: "
            + "median over the seeds at the best rate, none where most did not reach it; reached: share of all runs. "
            + "Set-up counts in all seconds; evaluation only in those of convex fits, whose certificates need it. "
            + "\(threads) thread(s) a run. A diverged run counts with the score of a guess."
    }

    /// The table in Markdown.
    var markdown: String {
        let scores = "## \(Self.escaped(title))\n\n" + Self.table(header, rows) + "\n\n" + legend + "\n"
        guard !structures.isEmpty else { return scores }
        return scores + "\n" + Self.table(structureHeader, structureRows) + "\n\n" + Self.structureLegend + "\n"
    }

    /// The page.
    func page() -> String {
        var page = HTMLPage(title: title, subtitle: "\(curves.count) runs of \(summaries.count) methods")
        page.add(section: "Against time")
        page.add(text: "Median and 5–95 % over learning rates and seeds; the test score in percent.")
        page.add(svg: chart("Test score against seconds", "seconds", \.seconds).svg())
        if epochsHaveMeaning {
            page.add(section: "Against passes over the data")
            page.add(svg: chart("Test score against epochs", "epochs", \.epochs).svg())
        }
        page.add(section: "Table")
        page.add(table: header, rows: rows)
        page.add(text: legend)
        if !structures.isEmpty { addStructure(&page) }
        page.add(section: "Every run")
        page.add(
            table: ["method", "rate", "seed", "final, %", "seconds", "outcome"],
            rows: curves.map {
                [
                    $0.method, $0.rate.map { String(format: "%.3g", $0) } ?? "–", "\($0.seed)", Self.percent($0.last),
                    String(format: "%.1f", $0.total), $0.failure.map(ErrorText.oneLine) ?? "",
                ]
            })
        return page.render()
    }

    private func addStructure(_ page: inout HTMLPage) {
        page.add(section: "Structure")
        page.add(
            text: "Each point is a strength of the penalty, the mean over the seeds: up and to the right is better.")
        let methods = summaries.map(\.method).filter { name in structures.contains { $0.method == name } }
        let series = methods.flatMap { name -> [Series] in
            let own = structures.filter { $0.method == name }.sorted { $0.sparsity < $1.sparsity }
            let (x, y) = (own.map { 100 * $0.sparsity }, own.map { 100 * $0.score })
            return [Series(name, x: x, y: y, style: own.count > 1 ? .line : .points)]
        }
        page.add(
            svg: LineChart(
                title: "Score against sparsity", x: Axis("sparsity, %"), y: Axis("test score, %"), series: series
            ).svg())
        let curves = methods.flatMap { name -> [Series] in
            let best = structures.filter { $0.method == name }.max { $0.score + $0.sparsity < $1.score + $1.sparsity }
            return self.curves.filter { $0.method == name && $0.structure?.strength == best?.strength }.prefix(1)
                .map { Series(name, x: $0.epochs, y: ($0.structure?.sparsity ?? []).map { 100 * $0 }) }
        }
        page.add(
            svg: LineChart(
                title: "Sparsity over the run, at each method's best strength", x: Axis("epochs"),
                y: Axis("sparsity, %"), series: curves
            ).svg())
        page.add(table: structureHeader, rows: structureRows)
        page.add(text: Self.structureLegend)
    }

    private func chart(_ title: String, _ label: String, _ axis: KeyPath<RunCurve, [Double]>) -> LineChart {
        let series = summaries.map { summary in
            let band = comparison.band(summary.method, along: axis)
            let scale = { (values: [Double]) in values.map { 100 * $0 } }
            return Series(
                summary.method, x: band.x, y: scale(band.median),
                style: .band(lower: scale(band.lower), upper: scale(band.upper)))
        }
        return LineChart(title: title, x: Axis(label), y: Axis("test score, %"), series: series)
    }
}
