import Datasets
import Foundation
import Interchange
import Networks
import Optimizers
import Reports
import RunLog
import TestSupport
import Testing
import Torch
import Training

/// Numbers without labels: a network learns the sine.
private struct Sine: Problem {
    let batchesPerEpoch = 10

    func batch(_ number: Int) -> Tensor {
        var random = RandomSource(UInt64(number))
        return random.tensor([16, 1], dtype: .float32)
    }

    func loss(_ x: Tensor, _ forward: (Tensor) -> Tensor) -> Tensor { (forward(x) - x.sin()).squared().mean(0, 1) }
}

@Suite("A trainer with a folder", .serialized)
struct RecorderTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/reports-\(UUID().uuidString)/run"

    private func trainer() -> Trainer<Sine> {
        var trainer = Trainer(
            module: Sequential(Linear(1, 16), Activation.tanh, Linear(16, 1)), problem: Sine(),
            rule: UpdateRule(AdamW()))
        trainer.epochs = 3
        return trainer
    }

    private func run<P>(
        _ trainer: Trainer<P>, resumes: Bool = false, restarts: Bool = false,
        observe: (RunEvent<Network>) -> Directive = { _ in .proceed }
    ) throws -> (network: Network, report: TrainingReport) {
        try Engine.exclusively {
            try trainer.run(in: folder, resume: resumes, restart: restarts, checkpointSeconds: 0, observe: observe)
        }
    }

    private var files: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []) }

    private func bits(_ network: Network) -> [UInt64] {
        network.parameters.values.flatMap { $0.doubles() }.map(\.bitPattern)
    }

    @Test("Keeps what the command line keeps, goes on from a checkpoint to the same bits, and deletes nobody's files")
    func keeps() throws {
        defer { try? FileManager.default.removeItem(atPath: (folder as NSString).deletingLastPathComponent) }
        let whole = try Engine.exclusively { try trainer().run() }
        let cut = try run(trainer()) { $0.position < 17 ? .proceed : .stop }
        #expect(cut.report.termination == "cancelled" && files.contains("checkpoint"))
        #expect(throws: DataError.self) { try run(trainer()) }
        let resumed = try run(trainer(), resumes: true)
        #expect(bits(resumed.network) == bits(whole.network))
        #expect(
            files.isSuperset(of: ["model.safetensors", "best.safetensors", "report.json", "report.html", "config.json"])
                && !files.contains("checkpoint") && files.contains { $0.hasPrefix("events.out.tfevents") })
        let lines = try String(contentsOfFile: folder + "/metrics.jsonl", encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
        var loaded = Network(trainer().module, seed: 9)
        try loaded.load(folder + "/model.safetensors")
        #expect(bits(loaded) == bits(whole.network))
        // Another run replaces what a run wrote, and nothing else.
        try Data("mine".utf8).write(to: URL(filePath: folder + "/notes.txt"))
        _ = try run(trainer())
        #expect(files.contains("notes.txt"))
        unlink(folder + "/config.json")
        #expect(throws: DataError.self) { try run(trainer()) }
    }

    @Test("What a checkpoint says was done has left its files before it, so that a kill behind it loses nothing")
    func order() throws {
        defer { try? FileManager.default.removeItem(atPath: (folder as NSString).deletingLastPathComponent) }
        let files = try RunFolder(path: folder)
        var options = RunRecorder.Options()
        options.checkpointSeconds = 0
        let recorder = try RunRecorder(files, options)
        var seen = 0
        for number in 1...3 {
            var event = RunEvent<Int>(
                RunProgress(phase: "train", iteration: number, limit: 3, seconds: 0), position: number,
                evaluations: number)
            event.point = HistoryPoint(phase: "train", step: number, epoch: 1, seconds: 0)
            (event.isBest, event.result) = (true, { number })
            event.writeCheckpoint = { [folder] path in
                let lines = try String(contentsOfFile: folder + "/metrics.jsonl", encoding: .utf8)
                let best = try String(contentsOfFile: folder + "/best.safetensors", encoding: .utf8)
                #expect(lines.split(separator: "\n").count == number && best == "\(number)")
                seen += 1
                try Data().write(to: URL(filePath: path))
            }
            #expect(
                recorder.note(event) { try Data("\($0)".utf8).write(to: URL(filePath: $1)) } == .proceed)
        }
        #expect(seen == 3)
    }

    @Test("A run that fails leaves no folder of its own")
    func fails() {
        var wrong = trainer()
        wrong.epochs = -1
        #expect(throws: (any Error).self) { try run(wrong) }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    /// A module that no catalogue knows.
    private struct Gated: Module {
        let map = Linear(2, 8)
        let gate = Linear(2, 8)
        let last = Linear(8, 1)

        func declare(_ declaration: inout Declaration) {
            declaration.part("map", map)
            declaration.part("gate", gate)
            declaration.part("last", last)
        }

        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            last(map(x, scope.part("map")) * gate(x, scope.part("gate")).sigmoid(), scope.part("last"))
        }
    }

    @Test("On a data set a module of one's own becomes a model that raw rows go into")
    func model() throws {
        defer { try? FileManager.default.removeItem(atPath: (folder as NSString).deletingLastPathComponent) }
        let data = try loadData(DataRequest(source: "spirals"))
        var trainer = Trainer(module: Gated(), problem: try SupervisedProblem(data), rule: UpdateRule(AdamW()))
        trainer.epochs = 1
        let (network, report) = try run(trainer)
        let model = try NetworkModel.load(folder + "/model.safetensors")
        #expect(model.architecture == "Gated" && model.classNames == data.train.classNames)
        let test = try #require(data.test)
        let outputs = try model.outputs(test.features)
        let direct = network(try trainer.problem.standardised(test.features))
        #expect((outputs - direct).absolute().max().scalar < 1e-6)
        let best = try loadModel(folder + "/best.safetensors")
        #expect(best.classNames == model.classNames)
        let any = try loadModel(folder + "/model.safetensors")
        #expect(try any.outputs(test.features).doubles() == outputs.doubles() && any.task == .classification)
        let hits = zip(outputs.doubles(), test.labels!).count { ($0 > 0) == ($1 == 1) }
        #expect(Double(hits) / Double(test.count) == report.testScore)
    }
}
