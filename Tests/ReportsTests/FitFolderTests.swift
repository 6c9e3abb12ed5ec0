import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Reports
import RunLog
import TestFiles
import TestSupport
import Testing
import Torch
import Training

@Suite("A fit with a folder", .serialized)
struct FitFolderTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private var settings: FitSettings {
        var settings = FitSettings()
        (settings.penalty, settings.patterns, settings.maxIterations) = (.fixed(0.5), .sampled(8), 40)
        settings.tolerance = 1e-9
        return settings
    }

    private func fit(
        _ settings: FitSettings, _ data: LoadedData, _ folder: String, resume: Bool = false,
        observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: ConvexModel, report: FitReport) {
        try Engine.exclusively {
            try settings.fit(
                data, in: scratch.path(folder), resume: resume, checkpointSeconds: 0, observe: observe)
        }
    }

    private func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: scratch.path(name)) }

    @Test("Leaves what the command leaves; cut anywhere, it goes on to the same file, with history and metrics whole")
    func resumes() throws {
        let data = try loadData(DataRequest(source: "spirals(points=40)"))
        let whole = try fit(settings, data, "whole")
        for stop in [1, 4] {
            let cut = try fit(settings, data, "cut") { $0.evaluations >= stop ? .stop : .proceed }
            #expect(cut.report.isCut && FileManager.default.fileExists(atPath: scratch.path("cut/checkpoint")))
            #expect(throws: DataError.self) { try fit(settings, data, "cut") }
            var other = settings
            other.seed = 9
            #expect(fault { _ = try fit(other, data, "cut", resume: true) }.contains("other settings"))
            let resumed = try fit(settings, data, "cut", resume: true)
            #expect(resumed.report.history.map(\.objective) == whole.report.history.map(\.objective))
            #expect(bytes("cut/metrics.jsonl")?.split(separator: 10).count == whole.report.history.count)
            let (a, b) = (resumed.model.network, whole.model.network)
            #expect(a.hidden.doubles() == b.hidden.doubles() && a.output.doubles() == b.output.doubles())
            try FileManager.default.removeItem(atPath: scratch.path("cut"))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("whole"))
        #expect(
            Set(names).isSuperset(of: [
                "model.safetensors", "report.json", "report.html", "config.json", "metrics.jsonl",
            ]))
        #expect(names.contains { $0.hasPrefix("events.out.tfevents") } && !names.contains("checkpoint"))
        let config = try JSONDecoder().decode(RunConfiguration.self, from: try #require(bytes("whole/config.json")))
        #expect(config.fit == settings && config.training == nil && config.command == ["descent library"])
    }

    @Test("A checkpoint goes when another run has its own, not before")
    func keeps() throws {
        let data = try loadData(DataRequest(source: "spirals(points=40)"))
        _ = try fit(settings, data, "cut") { $0.evaluations >= 4 ? .stop : .proceed }
        let before = try FileManager.default.contentsOfDirectory(atPath: scratch.path("cut/checkpoint"))
        var early = settings
        early.penalty = .search
        var wasStopped = false
        _ = try Engine.exclusively {
            try early.fit(data, in: scratch.path("cut"), restart: true) { event in
                wasStopped = wasStopped || event.progress.phase == "penalty"
                return wasStopped ? .stop : .proceed
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("cut/checkpoint")) == before)
        #expect(try fit(settings, data, "cut", resume: true).report.isCut == false)
        // A limit below what was done would throw that away.
        _ = try fit(settings, data, "cut") { $0.evaluations >= 4 ? .stop : .proceed }
        var lower = settings
        lower.maxIterations = 2
        #expect(fault { _ = try fit(lower, data, "cut", resume: true) }.contains("beyond `maxIterations`"))
        #expect(try fit(settings, data, "cut", resume: true).report.iterations == 40)
    }

    @Test("The page says what the report says, and shows text of the data as text")
    func page() throws {
        var data = try loadData(DataRequest(source: "spirals(points=40)"))
        data.train.name = "<b>rows</b>"
        data.train.notices = ["a note & more"]
        let (_, report) = try fit(settings, data, "page")
        let html = String(decoding: try #require(bytes("page/report.html")), as: UTF8.self)
        #expect(html.contains("&lt;b&gt;rows&lt;/b&gt;") && !html.contains("<b>rows</b>"))
        #expect(html.contains("a note &amp; more") && html.contains("Relative gap to the dual bound"))
        let accuracy = String(format: "%.2f %%", 100 * (try #require(report.testAccuracy)))
        #expect(html.contains(accuracy) && html.contains(report.termination) && html.contains(report.dataHash))
        // One page without anything from elsewhere.
        for word in ["https://", "<script", "<link"] { #expect(!html.contains(word), "\(word)") }
    }
}
