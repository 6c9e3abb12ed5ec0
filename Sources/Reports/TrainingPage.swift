import Datasets
import Estimators
import Foundation
import Plots
import RunLog
import Settings
import Structure
import Torch
import Training

/// The HTML page of a training run.
package struct TrainingPage {
    package let report: TrainingReport
    /// What was trained, where there is no data set.
    package var title = "Training"
    /// The data set and the model of it, where there is one.
    package var result: (data: LoadedData, model: NetworkModel)?

    package init(
        report: TrainingReport, title: String = "Training", result: (data: LoadedData, model: NetworkModel)? = nil
    ) {
        (self.report, self.title, self.result) = (report, title, result)
    }

    private var scoreName: String {
        switch result?.model.task {
        case .classification: "accuracy"
        case .regression: "R²"
        case nil: "score"
        }
    }

    package func render() throws -> String {
        var page = HTMLPage(
            title: result.map { "\($0.data.train.name): \(report.settings?.model ?? title)" } ?? title,
            subtitle: [
                report.rows.map { "\($0) rows" }, "\(report.parameters) parameters", report.loss.map { "\($0) loss" },
                report.method,
            ].compactMap(\.self).joined(separator: ", "))
        var tiles: [(label: String, value: String, note: String)] = []
        if let test = report.testScore {
            tiles.append(
                ("test \(scoreName)", Format.percent(test), result?.data.test.map { "\($0.count) rows" } ?? ""))
        }
        if let held = report.validationScore { tiles.append(("validation \(scoreName)", Format.percent(held), "")) }
        if let train = report.trainScore {
            tiles.append(("train \(scoreName)", Format.percent(train), report.rows.map { "\($0) rows" } ?? ""))
        }
        tiles.append(("time", Format.duration(report.seconds), "\(report.steps) steps"))
        page.add(keyFigures: tiles)
        if let warning = report.warning { page.add(notice: warning, level: .warning) }
        for notice in report.notices { page.add(notice: notice, level: .information) }
        addCurves(&page)
        addStructure(&page)
        try addConfusion(&page)
        addRun(&page)
        return page.render()
    }

    private func addCurves(_ page: inout HTMLPage) {
        let points = report.history
        guard points.count > 1 else { return }
        page.add(section: "Progress")
        let seconds = points.map(\.seconds)
        let rows = points.suffix(200).map { point in
            [
                "\(point.step)", String(format: "%.2f", point.epoch ?? 0), String(format: "%.2f", point.seconds),
                point.phase,
                point.trainLoss.map(Format.number) ?? "", point.objective.map(Format.number) ?? "",
                point.relativeGap.map(Format.percent) ?? "", point.penalty.map(Format.number) ?? "",
                point.testScore.map(Format.percent) ?? "",
            ]
        }
        let header = ["step", "epoch", "seconds", "phase", "loss", "objective", "gap", "penalty", "test score"]
        let losses = points.filter { $0.trainLoss != nil }
        if losses.count > 1 {
            let chart = LineChart(
                title: "Training loss", x: Axis("seconds"), y: Axis("loss", scale: .logarithmic),
                series: [Series("loss", x: losses.map(\.seconds), y: losses.map { max($0.trainLoss ?? .nan, 1e-12) })])
            page.add(svg: chart.svg(), table: (header, rows))
        }
        var scores: [Series] = []
        for (name, value) in [("test", \HistoryPoint.testScore), ("validation", \HistoryPoint.validationScore)]
        where points.contains(where: { $0[keyPath: value] != nil }) {
            scores.append(Series(name, x: seconds, y: points.map { 100 * ($0[keyPath: value] ?? .nan) }))
        }
        if !scores.isEmpty {
            page.add(
                svg: LineChart(
                    title: "Score against time", x: Axis("seconds"), y: Axis("\(scoreName), %"), series: scores
                ).svg())
        }
    }

    private func addStructure(_ page: inout HTMLPage) {
        guard let structure = report.structure else { return }
        page.add(section: "Structure")
        let points = report.history.filter { $0.structure != nil }
        if points.count > 1 {
            func series(_ name: String, _ value: (StructurePoint) -> Double?) -> Series? {
                let values = points.map { $0.structure.flatMap(value) }
                guard values.contains(where: { $0 != nil }) else { return nil }
                return Series(name, x: points.map { $0.epoch ?? 0 }, y: values.map { 100 * ($0 ?? .nan) }, style: .step)
            }
            let all = [
                series("weights in zero groups", \.groupSparsity), series("zero singular values", \.lowRankLevel),
                series("zero weights", \.zeroShare),
            ]
            page.add(
                svg: LineChart(
                    title: "Structure over the run", x: Axis("epochs"), y: Axis("%"), series: all.compactMap(\.self)
                ).svg())
        }
        var rows = structure.layers
        rows.removeAll { $0.groups == 0 && $0.rank == nil }
        let shares = rows.map { layer in
            100 * (layer.rank.map { Double($0) / Double(max(1, layer.fullRank ?? 1)) } ?? 1 - layer.groupSparsity)
        }
        if !rows.isEmpty {
            page.add(
                svg: BarChart(
                    title: "What is left of each layer", label: "groups or rank, %", names: rows.map(\.name),
                    values: shares
                ).svg())
        }
        page.add(
            table: ["parameter", "shape", "groups", "zero groups", "rank", "zero weights"],
            rows: structure.layers.map { layer in
                [
                    layer.name, "\(layer.shape)", layer.groups > 0 ? "\(layer.groups)" : "",
                    layer.groups > 0 ? "\(layer.zeroGroups)" : "",
                    layer.rank.map { "\($0) of \(layer.fullRank ?? 0)" } ?? "", "\(layer.zeros) of \(layer.count)",
                ]
            })
    }

    private func addConfusion(_ page: inout HTMLPage) throws {
        guard let (data, model) = result else { return }
        let scored = data.test ?? data.train
        guard model.task == .classification, let labels = scored.labels, model.classNames.count <= 30 else { return }
        let counts = Scoring.confusion(
            try model.outputs(scored.features), labels, classes: model.classNames.count)
        page.add(section: data.test == nil ? "Confusion on the training rows" : "Confusion on the test rows")
        page.add(
            svg: HeatMap(
                title: "Rows by true and predicted class", rowLabels: model.classNames,
                columnLabels: model.classNames, rowTitle: "true class", columnTitle: "predicted class", counts: counts
            ).svg())
    }

    private func addRun(_ page: inout HTMLPage) {
        page.add(section: "Run")
        var rows = [
            ["termination", report.termination], ["threads", "\(report.threads)"], ["device", report.device],
            ["peak memory", Format.bytes(report.peakMemoryBytes)], ["data hash", report.dataHash],
            ["LibTorch", report.torch], ["Descent", Version.text],
        ]
        if let settings = report.settings {
            rows += [
                ["optimizer", settings.optimizer], ["schedule", settings.scheduleName], ["batch", "\(settings.batch)"],
                ["seed", "\(settings.seed)"],
            ]
        }
        for (name, value) in report.optimizer.sorted(by: { $0.key < $1.key }) {
            rows.append(["optimizer: \(name)", value.text])
        }
        for (name, value) in (report.model ?? [:]).sorted(by: { $0.key < $1.key }) {
            rows.append(["model: \(name)", value.text])
        }
        for (phase, seconds) in report.secondsByPhase.sorted(by: { $0.key < $1.key }) {
            rows.append(["seconds in \(phase)", Format.number(seconds)])
        }
        page.add(table: ["what", "value"], rows: rows)
    }
}

/// The result of a training run as aligned text.
package enum TrainingSummary {
    package static func text(_ report: TrainingReport) -> String {
        var rows: [[String]] = []
        func add(_ name: String, _ value: String?) { if let value { rows.append([name, value]) } }
        add("test score", report.testScore.map(Format.percent))
        add("validation score", report.validationScore.map(Format.percent))
        add("train score", report.trainScore.map(Format.percent))
        add("best score", report.bestScore.map { "\(Format.percent($0)) at step \(report.bestStep ?? 0)" })
        add("method", report.method)
        add("parameters", "\(report.parameters)")
        add("objective", report.objective.map { String(format: "%.5f", $0) })
        add(
            "zero groups",
            report.structure?.weightedGroupSparsity.map { "\(Format.percent($0)) of the penalised weights" })
        add("low-rank level", report.structure?.lowRankLevel.map(Format.percent))
        add("zero weights", report.structure.map { Format.percent($0.zeroShare) })
        let convex = report.history.last { $0.relativeGap != nil }
        add("convex gap", convex.flatMap { $0.relativeGap }.map(Format.percent))
        add("convex penalty", convex.flatMap { $0.penalty }.map { "\(Format.number($0)) for each row" })
        add("steps", "\(report.steps) in \(Format.number(report.epochs)) epochs")
        add("seconds", "\(Format.number(report.seconds)), evaluation not counted")
        add("termination", report.termination)
        add("warning", report.warning)
        add("peak memory", Format.bytes(report.peakMemoryBytes))
        let width = rows.map { $0[0].count }.max() ?? 0
        return rows.map { $0[0].padding(toLength: width, withPad: " ", startingAt: 0) + "  " + $0[1] }
            .joined(separator: "\n")
    }
}
