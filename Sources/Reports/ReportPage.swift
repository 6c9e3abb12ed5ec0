import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Plots
import RunLog
import Torch

/// The HTML page of a run.
package struct ReportPage {
    package let model: ConvexModel
    package let report: FitReport
    package let data: LoadedData

    package init(model: ConvexModel, report: FitReport, data: LoadedData) {
        (self.model, self.report, self.data) = (model, report, data)
    }

    package func render() throws -> String {
        let kind = report.formulation == .relu ? "ReLU" : "gated ReLU"
        var page = HTMLPage(
            title: "\(data.train.name): two-layer \(kind) network",
            subtitle: "\(report.rows) rows, \(report.columns) columns, \(report.neurons) hidden units, "
                + "\(report.loss) loss, penalty \(Format.number(report.penalty))")
        page.add(keyFigures: figures())
        for notice in report.notices { page.add(notice: notice, level: .information) }
        page.add(section: "Certificate")
        page.add(text: report.certificate)
        page.add(text: report.advice)
        addCurves(&page)
        addPath(&page)
        try addConfusion(&page)
        addNeurons(&page)
        addRun(&page)
        return page.render()
    }

    private func figures() -> [(label: String, value: String, note: String)] {
        var tiles: [(label: String, value: String, note: String)] = []
        if let test = report.testAccuracy {
            tiles.append(("test accuracy", Format.percent(test), "\(data.test?.count ?? 0) rows"))
        }
        if let train = report.trainAccuracy {
            tiles.append(("train accuracy", Format.percent(train), "\(report.rows) rows"))
        }
        if let test = report.testR2 { tiles.append(("test R²", Format.number(test), "\(data.test?.count ?? 0) rows")) }
        if let train = report.trainR2 { tiles.append(("train R²", Format.number(train), "\(report.rows) rows")) }
        let gap = report.relativeGap.map(Format.percent) ?? "none"
        tiles.append(("relative gap", gap, "objective \(Format.number(report.objective))"))
        tiles.append(("time", Format.duration(report.seconds), "\(report.iterations) iterations"))
        return tiles
    }

    private func addCurves(_ page: inout HTMLPage) {
        let points = report.history.filter { $0.phase == "solve" }
        guard points.count > 1 else { return }
        page.add(section: "Progress")
        let time = Axis("seconds")
        let seconds = points.map(\.seconds)
        let objective = LineChart(
            title: "Objective of the network", x: time, y: Axis("objective"),
            series: [Series("objective", x: seconds, y: points.map { $0.objective ?? .nan })])
        let gaps = points.map { max($0.relativeGap ?? .nan, 1e-12) }
        let gap = LineChart(
            title: "Relative gap to the dual bound", x: time, y: Axis("relative gap", scale: .logarithmic),
            series: [Series("gap", x: seconds, y: gaps)])
        let table = points.suffix(200).map { point in
            [
                "\(point.step)", String(format: "%.2f", point.seconds), Format.number(point.objective ?? .nan),
                point.relativeGap.map(Format.percent) ?? "", point.testScore.map(Format.percent) ?? "",
            ]
        }
        page.add(
            svg: objective.svg(), table: (["iteration", "seconds", "objective", "gap", "test score"], table))
        page.add(svg: gap.svg())
        var scores: [Series] = []
        if points.contains(where: { $0.testScore != nil }) {
            scores.append(Series("test", x: seconds, y: points.map { 100 * ($0.testScore ?? .nan) }))
        }
        if points.contains(where: { $0.validationScore != nil }) {
            scores.append(Series("validation", x: seconds, y: points.map { 100 * ($0.validationScore ?? .nan) }))
        }
        guard !scores.isEmpty else { return }
        let name = report.task == .regression ? "R², %" : "accuracy, %"
        page.add(svg: LineChart(title: "Score against time", x: time, y: Axis(name), series: scores).svg())
    }

    private func addPath(_ page: inout HTMLPage) {
        guard !report.path.isEmpty else { return }
        page.add(section: "Choice of the penalty")
        page.add(text: "Chosen by \(report.penaltyChoice): penalty \(Format.number(report.penalty)).")
        let counts = Set(report.path.map(\.patterns)).sorted()
        let series = counts.map { count in
            let points = report.path.filter { $0.patterns == count }
            return Series("\(count) patterns", x: points.map(\.penalty), y: points.map(\.score))
        }
        let chart = LineChart(
            title: "Cross-validation score along the path", x: Axis("penalty", scale: .logarithmic),
            y: Axis(report.task == .regression ? "R²" : "accuracy"), series: series,
            marker: (report.penalty, "chosen"))
        let rows = report.path.map {
            [
                Format.number($0.penalty), "\($0.patterns)", String(format: "%.4f", $0.score),
                String(format: "%.4f", $0.standardError),
            ]
        }
        page.add(svg: chart.svg(), table: (["penalty", "patterns", "score", "standard error"], rows))
    }

    private func addConfusion(_ page: inout HTMLPage) throws {
        let scored = data.test ?? data.train
        guard report.task == .classification, let labels = scored.labels, model.classNames.count <= 30 else { return }
        let outputs = try model.outputs(scored.features)
        let counts = Scoring.confusion(outputs, labels, classes: model.classNames.count)
        page.add(section: data.test == nil ? "Confusion on the training rows" : "Confusion on the test rows")
        let map = HeatMap(
            title: "Rows by true and predicted class", rowLabels: model.classNames, columnLabels: model.classNames,
            rowTitle: "true class", columnTitle: "predicted class", counts: counts)
        page.add(svg: map.svg())
    }

    private func addNeurons(_ page: inout HTMLPage) {
        let norms = model.network.groupNorms().sorted(by: >)
        guard !norms.isEmpty else { return }
        page.add(section: "Neurons")
        let names = norms.indices.map { "\($0 + 1)" }
        page.add(
            svg: BarChart(title: "Group norms", label: "norm", names: names, values: norms).svg())
        guard let shape = model.preparation.imageShape, shape.count == 2,
            model.standardiser.keptColumns.count == shape[0] * shape[1]
        else { return }
        let units = min(64, model.network.units)
        let sizes = model.network.hidden.squared().sum(0).doubles()
        let order = sizes.indices.sorted { sizes[$0] > sizes[$1] }.prefix(units)
        let pixels = shape[0] * shape[1]
        let weights = model.network.hidden.to(.float32).rows(0..<pixels).transposed().contiguous()
        let images = order.map { weights.select(0, $0).floats() }
        page.add(
            html: ImageGrid(
                title: "First-layer weights of the \(units) largest units", images: images, height: shape[0],
                width: shape[1], columns: 16
            ).html())
    }

    private func addRun(_ page: inout HTMLPage) {
        page.add(section: "Run")
        var rows = [
            ["termination", report.termination], ["loss", report.loss],
            ["patterns", "\(report.patterns) (\(report.patternSource))"],
            ["bias column", report.bias ? "yes" : "no"], ["standardisation", report.standardisation],
            ["linear system", report.linearSolver], ["ADMM iterations", "\(report.iterations)"],
            ["conjugate-gradient products", "\(report.pcgIterations)"], ["precision", report.dtype],
            ["threads", "\(report.threads)"], ["device", report.device], ["seed", "\(report.seed)"],
            ["peak memory", Format.bytes(report.peakMemoryBytes)], ["data hash", report.dataHash],
            ["LibTorch", report.torch], ["Descent", Version.text],
        ]
        for (phase, seconds) in report.secondsByPhase.sorted(by: { $0.key < $1.key }) {
            rows.append(["seconds in \(phase)", Format.number(seconds)])
        }
        page.add(table: ["what", "value"], rows: rows)
    }
}
