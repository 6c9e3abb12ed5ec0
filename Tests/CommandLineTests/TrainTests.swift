import Foundation
import Testing

@Suite("descent train and descent compare")
struct TrainTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    private func report(_ path: String) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(scratch.bytes(path)))) as? [String: Any] ?? [:]
    }

    private static let base = [
        "train", "spirals", "--threads", "1", "--quiet", "--model-set", "hidden=[16,16]", "--batch", "64", "--lr",
        "0.01",
    ]

    @Test("A run leaves model, numbers, events and page; the model predicts and can be inspected")
    func folder() throws {
        let run = try scratch.run(Self.base + ["--epochs", "2", "--out", "r", "--json"])
        #expect(run.status == 0 && run.number("steps") == 64 && run.text("method") == "adamw")
        let names = [
            "model.safetensors", "best.safetensors", "report.json", "report.html", "config.json", "metrics.jsonl",
        ]
        for name in names { #expect(scratch.exists("r/" + name), "\(name)") }
        #expect(!scratch.exists("r/checkpoint"))
        let predicted = try scratch.run("predict", "r", "spirals", "--json")
        #expect(abs(predicted.number("accuracy") - run.number("testScore")) < 1e-12)
        let inspected = try scratch.run("inspect", "r")
        #expect(inspected.output.contains("mlp network, classification") && inspected.output.contains("0.weight"))
        let again = try scratch.run("train", "spirals", "--threads", "1", "--config", "r/config.json", "--out", "s")
        #expect(again.status == 0 && scratch.holdsSame("r/model.safetensors", "s/model.safetensors"))
    }

    @Test("A structured run is shrunk to a file that predicts the same, and its structure can be looked at")
    func shrink() throws {
        let run = try scratch.run(
            Self.base + [
                "--optimizer", "ramda", "--penalty", "group-lasso", "--strength", "0.02", "--epochs", "6", "--out", "r",
                "--json",
            ])
        #expect(run.status == 0 && run.number("objective") > 0)
        let shrunk = try scratch.run("shrink", "r", "--threads", "1", "--json")
        #expect(shrunk.status == 0 && shrunk.number("largestDifference") < 1e-4)
        let sizes = ["before", "after"].map { side in
            ((shrunk.json[side] as? [String: Any])?["cost"] as? [String: Any])?["parameters"] as? Int ?? 0
        }
        #expect(sizes[1] < sizes[0] && sizes[1] > 0)
        let (full, small) = (
            try scratch.run("predict", "r", "spirals", "--json"),
            try scratch.run("predict", "r/shrunk.safetensors", "spirals", "--json")
        )
        #expect(full.number("accuracy") > 0.4 && full.output == small.output)
        let table = try scratch.run("inspect", "r", "--ranks", "--page", "structure.html")
        #expect(table.output.contains("inputs used") && table.output.contains("rank"))
        #expect(String(decoding: scratch.bytes("structure.html"), as: UTF8.self).contains("Inputs that are used"))
        #expect(try scratch.run("shrink", "r").output.contains("outputs on"))
        let page = String(decoding: scratch.bytes("r/report.html"), as: UTF8.self)
        #expect(page.contains("Structure over the run"))
        // A dense network has nothing to cut, and is told what would help.
        #expect(try scratch.run(Self.base + ["--epochs", "1", "--out", "d"]).status == 0)
        #expect(try scratch.run("shrink", "d").output.contains("train with a penalty"))
    }

    @Test(
        "A run that was killed, again and again, ends with the model of an uninterrupted one, byte for byte",
        arguments: [[], ["--head", "convex", "--head-units", "6", "--optimizer", "dadapt_adam", "--lr", "1"]])
    func killed(arguments: [String]) throws {
        let all = Self.base + ["--epochs", "30", "--evaluate-every", "0.25"] + arguments
        #expect(try scratch.run(all + ["--out", "whole"]).status == 0)
        var kills = 0
        for attempt in 0..<12 {
            let newest = checkpoints()
            let resume = newest.isEmpty ? [] : ["--resume"]
            let running = try Command.start(
                all + ["--out", "cut", "--checkpoint-seconds", "0", "--keep", "2"] + resume, in: scratch.folder)
            // Once there is something new to resume from, at a moment that has nothing to do with the steps.
            while running.process.isRunning, checkpoints() == newest { usleep(1000) }
            usleep(UInt32(attempt * 7_919 % 40_000))
            guard running.process.isRunning, attempt < 11 else {
                #expect(running.wait().status == 0)
                break
            }
            kill(running.process.processIdentifier, SIGKILL)
            _ = running.wait()
            kills += 1
        }
        #expect(kills > 0)
        #expect(scratch.holdsSame("cut/model.safetensors", "whole/model.safetensors"))
        let scores = { (name: String) in
            (report("\(name)/report.json")["history"] as? [[String: Any]] ?? []).map { $0["testScore"] as? Double }
        }
        #expect(scores("cut") == scores("whole") && !scores("cut").isEmpty)
    }

    private func checkpoints() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/cut/checkpoint")) ?? [])
            .filter { $0.hasPrefix("step-") && $0.hasSuffix(".safetensors") }.sorted()
    }

    @Test("A time limit leaves a checkpoint that a longer one goes on from, and a failed run keeps its own")
    func timeLimit() throws {
        let all = Self.base + ["--epochs", "40"]
        #expect(try scratch.run(all + ["--out", "cut", "--time-limit", "1e-6"]).status == 0)
        #expect(report("cut/report.json")["termination"] as? String == "timeLimit" && !checkpoints().isEmpty)
        #expect(try scratch.run(all + ["--out", "cut", "--time-limit", "1000", "--resume"]).status == 0)
        #expect(try scratch.run(all + ["--out", "whole"]).status == 0)
        #expect(scratch.holdsSame("cut/model.safetensors", "whole/model.safetensors"))
        let before = scratch.bytes("whole/config.json")
        #expect(try scratch.run(all + ["--out", "whole", "--model", "resnet81"]).status == 1)
        #expect(scratch.bytes("whole/config.json") == before && scratch.exists("whole/model.safetensors"))
    }

    @Test("Ctrl-C leaves a checkpoint and status 130")
    func interrupted() throws {
        let running = try Command.start(Self.base + ["--epochs", "100000", "--out", "cut"], in: scratch.folder)
        for _ in 0..<500 where scratch.bytes("cut/metrics.jsonl").isEmpty { usleep(20_000) }
        running.interrupt()
        #expect(running.wait().status == 130)
        #expect(scratch.exists("cut/checkpoint") && report("cut/report.json")["termination"] as? String == "cancelled")
    }

    @Test("Memory that runs out is one line that says how much was asked for and what to lower")
    func memory() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        let command =
            // One block is more than the limit: small ones, which nothing can be done without, still fit.
            "ulimit -v 1600000; exec '\(Command.binary)' train spirals --model-set 'hidden=[400000]' --batch 2000"
        process.arguments = ["-c", command + " --epochs 1 --out '\(scratch.folder)/m' --threads 1 --quiet"]
        process.environment = ProcessInfo.processInfo.environment
            .merging(["OMP_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"]) { $1 }
        let pipe = Pipe()
        (process.standardError, process.standardOutput) = (pipe, FileHandle.nullDevice)
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1 && process.terminationReason == .exit)
        #expect(
            text.contains("tried to allocate") && text.hasSuffix("lower --batch or the network's sizes\n"), "\(text)")
    }

    @Test("A comparison runs every method, goes on where it stopped, and says what it found")
    func compare() throws {
        let file = Command.packageRoot + "/Experiments/smoke.yaml"
        let run = try scratch.run("compare", file, "--out", "c", "--seeds", "1", "--parallel", "2", "--json", "--quiet")
        #expect(run.status == 0, "\(run.errors)")
        let summaries = run.json["summaries"] as? [[String: Any]] ?? []
        #expect(summaries.compactMap { $0["method"] as? String } == ["CRONOS-AM", "AdamW", "SGD", "CRONOS"])
        // The table is recomputed from the runs' own reports.
        let folders = try FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/c/runs")
        for summary in summaries {
            let method = summary["method"] as? String ?? ""
            let pattern = "^\(method)(-[-0-9.e]+)?-seed0$"
            let runs = folders.filter { $0.range(of: pattern, options: .regularExpression) != nil }
            let finals = runs.compactMap { name -> Double? in
                let points = report("c/runs/\(name)/report.json")["history"] as? [[String: Any]] ?? []
                return points.compactMap { ($0["testScore"] ?? $0["testAccuracy"]) as? Double }.last
            }
            #expect(summary["runs"] as? Int == runs.count && finals.count == runs.count && !runs.isEmpty, "\(folders)")
            #expect(summary["best"] as? Double == finals.max() && summary["worst"] as? Double == finals.min())
        }
        for name in ["comparison.html", "comparison.md", "comparison.json"] { #expect(scratch.exists("c/" + name)) }
        let before = try FileManager.default.attributesOfItem(
            atPath: scratch.folder + "/c/runs/CRONOS-seed0/report.json")
        let second = try scratch.run("compare", file, "--out", "c", "--seeds", "1", "--json")
        let after = try FileManager.default.attributesOfItem(
            atPath: scratch.folder + "/c/runs/CRONOS-seed0/report.json")
        #expect(second.output == run.output && before[.modificationDate] as? Date == after[.modificationDate] as? Date)
    }

    @Test("A result is that of the plan it was made by, however its successor ended")
    func stale() throws {
        let text = """
            name: x
            data: spirals
            seeds: [0]
            goal: 0.5
            train: {epochs: 1, modelSettings: {hidden: [4]}}
            methods: [{name: A, train: {optimizer: sgd}}]
            """
        let longer = text.replacing("epochs: 1", with: "epochs: 2")
        func compare(_ text: String) throws -> Int32 {
            try scratch.write("x.yaml", text.utf8)
            return try scratch.run("compare", "x.yaml", "--out", "c", "--quiet").status
        }
        let (folder, plan) = ("c/runs/A-seed0", "c/runs/A-seed0/plan.json")
        func epochs() -> Double? { report(folder + "/report.json")["epochs"] as? Double }
        #expect(try compare(longer) == 0 && epochs() == 2)
        let later = scratch.bytes(plan)
        #expect(try compare(text) == 0 && epochs() == 1)
        // As a run leaves it that was killed before its first event.
        try scratch.write(plan, later)
        #expect(try compare(longer) == 0 && epochs() == 2)
        // A run that is refused leaves the results of its predecessor, and is none itself.
        let wrong = text.replacing("data: spirals", with: "data: spirals\nsubset: 1000000")
        #expect(try compare(wrong) == 1 && compare(wrong) == 1 && epochs() == 2)
        let before = scratch.bytes(folder + "/report.json")
        #expect(try compare(longer) == 0 && scratch.bytes(folder + "/report.json") == before)
    }

    @Test("A diverged run is a result; a mistake in the file is an error before any run")
    func faults() throws {
        let text = """
            name: x
            data: teacher
            seeds: [0]
            goal: 0.5
            train: {epochs: 1, modelSettings: {hidden: [4]}}
            methods:
              - name: SGD
                train: {optimizer: sgd}
                rates: [1.0e-3, 1.0e+30]
            """
        try scratch.write("x.yaml", text.utf8)
        let run = try scratch.run("compare", "x.yaml", "--out", "c", "--json", "--quiet")
        let summary = (run.json["summaries"] as? [[String: Any]])?.first ?? [:]
        let settings = "epochs: 1, overrides: [{parameters: vectors, settings: {lr: 0}}],"
        try scratch.write("z.yaml", text.replacingOccurrences(of: "epochs: 1,", with: settings).utf8)
        #expect(try scratch.run("compare", "z.yaml", "--out", "z", "--quiet").status == 0)
        let hint = text.replacingOccurrences(of: "epochs: 1,", with: "epochs: 1, patiense: 2,")
        try scratch.write("w.yaml", hint.utf8)
        #expect(try scratch.run("compare", "w.yaml", "--out", "w").errors.contains("did you mean 'patience'?"))
        #expect(run.status == 0 && summary["failures"] as? Int == 1 && summary["runs"] as? Int == 2)
        for (mistake, message) in [
            ("optimizer: sgd", "optimizer: sdg"), ("seeds: [0]", "seeds: []"), ("epochs: 1", "epoch: 1"),
            ("goal: 0.5", "gaol: 0.5"), ("rates:", "rate:"), ("goal: 0.5", "goal: 0.5\nparallel: 0"),
            ("epochs: 1,", "epochs: 1, augmentation: {flip: true},"), ("epochs: 1,", "epochs: 1, model: resnt18,"),
            ("epochs: 1,", "epochs: 1, batch: 0,"), ("[1.0e-3,", "[-1.0,"),
            ("epochs: 1,", "epochs: 1, overrides: [{parameters: vectors, setings: {lr: 0}}],"),
        ] {
            try scratch.write("y.yaml", text.replacingOccurrences(of: mistake, with: message).utf8)
            let wrong = try scratch.run("compare", "y.yaml", "--out", "d")
            #expect(wrong.status != 0 && wrong.isOneLineError, "\(message): \(wrong.errors)")
            #expect(!scratch.exists("d/runs"))
        }
    }
}
