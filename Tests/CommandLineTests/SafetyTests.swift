import Foundation
import Testing

/// What runs leave, what they must not touch, and how they end.
@Suite("Run folders, signals and files from anywhere", .serialized)
struct SafetyTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    private static let train = ["train", "three.csv", "--threads", "1", "--model-set", "hidden=[8]", "--batch", "16"]
    private static let fit = ["fit", "three.csv", "--threads", "1", "--penalty", "1", "--patterns", "4"]

    private func text(_ name: String) -> String { String(decoding: scratch.bytes(name), as: UTF8.self) }

    private func list(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/" + folder)) ?? []).sorted()
    }

    private func interrupt(_ out: String, by signal: Int32 = SIGINT) throws -> Command.Outcome {
        let running = try Command.start(
            Self.train + ["--epochs", "100000", "--out", out, "--quiet"], in: scratch.folder)
        for _ in 0..<500 where scratch.bytes(out + "/metrics.jsonl").isEmpty { usleep(20_000) }
        kill(running.process.processIdentifier, signal)
        return running.wait()
    }

    // MARK: Folders

    @Test("What no run wrote is neither deleted nor written over", arguments: [Self.train, Self.fit])
    func foreign(command: [String]) throws {
        try scratch.write("mine/checkpoint/deep/thesis.txt", "precious".utf8)
        try scratch.write("mine/checkpoint/notes.txt", "precious".utf8)
        let others = [
            ".lock", ".probe", "events.out.tfevents.7.other", "events.out.tfevents.9.descent-mine",
            "checkpoint/step-notes.safetensors", "checkpoint/step-0000000001.safetensors",
        ]
        for name in others { try scratch.write("mine/" + name, "precious".utf8) }
        #expect(try scratch.run(command + ["--epochs", "1", "--quiet", "--out", "mine"]).status == 0)
        for name in ["checkpoint/deep/thesis.txt", "checkpoint/notes.txt"] + others {
            #expect(text("mine/" + name) == "precious", "\(name)")
        }
        for name in ["model.safetensors", "report.json", "config.json", "best.safetensors"] {
            try scratch.write("theirs-\(name)/\(name)", "precious".utf8)
            let run = try scratch.run(command + ["--epochs", "1", "--quiet", "--out", "theirs-\(name)"])
            #expect(run.status == 1 && run.isOneLineError && run.errors.contains("no run of Descent wrote it"))
            #expect(list("theirs-\(name)") == [name] && text("theirs-\(name)/\(name)") == "precious")
        }
    }

    @Test("The checkpoint of an interrupted run goes only when that is asked for")
    func asked() throws {
        #expect(try interrupt("run").status == 130)
        let checkpoint = list("run/checkpoint")
        #expect(checkpoint.count == 1)
        for command in [Self.train, Self.fit] {
            let run = try scratch.run(command + ["--epochs", "1", "--quiet", "--out", "run"])
            #expect(
                run.status == 1 && run.isOneLineError && run.errors.contains("--resume")
                    && run.errors.contains("--restart"))
            #expect(list("run/checkpoint") == checkpoint)
        }
        #expect(try scratch.run(Self.train + ["--epochs", "1", "--quiet", "--out", "run", "--restart"]).status == 0)
        #expect(!scratch.exists("run/checkpoint"))
    }

    @Test("A resumed fit that is stopped before it gets further keeps the checkpoint that it came from")
    func stoppedAtOnce() throws {
        let all = Self.fit + ["--quiet", "--tolerance", "1e-13", "--max-iterations", "1000000", "--out", "run"]
        let first = try Command.start(all, in: scratch.folder)
        for _ in 0..<500 where !text("run/metrics.jsonl").contains("solve") { usleep(20_000) }
        first.interrupt()
        #expect(first.wait().status == 130 && !list("run/checkpoint").isEmpty)
        for _ in 0..<3 {
            _ = try scratch.run(all + ["--resume", "--time-limit", "1e-9"])
            #expect(!list("run/checkpoint").isEmpty)
        }
        let second = try Command.start(all + ["--resume"], in: scratch.folder)
        usleep(150_000)
        second.interrupt()
        _ = second.wait()
        #expect(!list("run/checkpoint").isEmpty)
    }

    @Test("A run that is refused costs nothing of the results that are there")
    func refused() throws {
        for (command, flags) in [
            (Self.fit, ["--patterns", "99999999"]), (Self.fit, ["--loss", "huber", "--patterns", "from:none"]),
            (Self.train, ["--model", "cnn"]), (Self.train, ["--flip"]), (Self.train, ["--lr", "-1"]),
        ] {
            #expect(try scratch.run(command + ["--epochs", "1", "--quiet", "--out", "run"]).status == 0)
            let before = list("run").map { ($0, scratch.bytes("run/" + $0)) }
            // The last of a flag counts.
            let run = try scratch.run(
                command.filter { $0 != "--patterns" && $0 != "4" } + flags + ["--quiet", "--out", "run"])
            #expect(run.status != 0, "\(flags)")
            #expect(list("run") == before.map(\.0))
            for (name, bytes) in before { #expect(scratch.bytes("run/" + name) == bytes, "\(name)") }
        }
    }

    @Test("A second run in a folder leaves nothing of the first")
    func second() throws {
        let all = Self.train + ["--validation", "0.2", "--quiet", "--out", "run"]
        #expect(try scratch.run(all + ["--epochs", "2"]).status == 0)
        let (events, lines) = (list("run").filter { $0.contains("tfevents") }, text("run/metrics.jsonl"))
        sleep(1)
        #expect(try scratch.run(all + ["--epochs", "1", "--lr", "0.1"]).status == 0)
        let now = list("run").filter { $0.contains("tfevents") }
        #expect(now.count == 1 && events.count == 1 && now != events)
        #expect(lines.split(separator: "\n").count == 2 && text("run/metrics.jsonl").split(separator: "\n").count == 1)
        sleep(1)
        #expect(try scratch.run(Self.fit + ["--quiet", "--out", "run"]).status == 0)
        let last = list("run").filter { $0.contains("tfevents") }
        #expect(last.count == 1 && last != now && !list("run").contains("best.safetensors"))
    }

    @Test("Two runs do not share a folder")
    func lock() throws {
        let first = try Command.start(
            Self.train + ["--epochs", "100000", "--quiet", "--out", "run"], in: scratch.folder)
        for _ in 0..<500 where scratch.bytes("run/metrics.jsonl").isEmpty { usleep(20_000) }
        for command in [Self.train, Self.fit] {
            let run = try scratch.run(command + ["--quiet", "--out", "run"])
            #expect(run.status == 1 && run.isOneLineError && run.errors.contains("another run is writing there"))
        }
        first.interrupt()
        #expect(first.wait().status == 130 && !scratch.exists("run/.descent-lock"))
    }

    @Test("After a kill the log has every evaluation once, and no file of the killed process is left")
    func metrics() throws {
        let all = Self.train + ["--epochs", "12", "--quiet", "--checkpoint-seconds", "0", "--out"]
        #expect(try scratch.run(all + ["whole"]).status == 0)
        func hasCheckpoint() -> Bool { list("cut/checkpoint").contains { $0.hasPrefix("step-") } }
        var running = try Command.start(all + ["cut"], in: scratch.folder)
        // On a busy machine it may be done before it is looked at: then there is nothing to go on from.
        for _ in 0..<50 {
            while !hasCheckpoint(), running.process.isRunning { usleep(500) }
            kill(running.process.processIdentifier, SIGKILL)
            _ = running.wait()
            if hasCheckpoint() { break }
            running = try Command.start(all + ["cut"], in: scratch.folder)
        }
        // As a killed process leaves it: lines behind the checkpoint, half a line, half a file.
        let lines = text("cut/metrics.jsonl")
        try scratch.write("cut/metrics.jsonl", (lines + lines + #"{"iteration":4,"li"#).utf8)
        try scratch.write("cut/.partial-\(running.process.processIdentifier)-abc", [1])
        try scratch.write("cut/checkpoint/.partial-\(running.process.processIdentifier)-abc", [1])
        #expect(try scratch.run(all + ["cut", "--resume"]).status == 0)
        let steps = { (name: String) in
            text(name).split(separator: "\n").map {
                ((try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any])?["iteration"] as? Int
            }
        }
        #expect(
            steps("cut/metrics.jsonl") == steps("whole/metrics.jsonl") && !steps("whole/metrics.jsonl").contains(nil))
        #expect(list("cut").allSatisfy { !$0.hasPrefix(".partial") } && !scratch.exists("cut/checkpoint"))
    }

    @Test("Files of a result's or a checkpoint's name that no run wrote stay, also in a folder of Descent's")
    func foreign() throws {
        #expect(try scratch.run(Self.fit + ["--quiet", "--out", "run"]).status == 0)
        let model = scratch.bytes("run/model.safetensors")
        for name in ["best.safetensors", "model.safetensors"] {
            try scratch.write("run/" + name, "precious".utf8)
            let again = try scratch.run(Self.fit + ["--quiet", "--out", "run"])
            #expect(
                again.isOneLineError && again.errors.contains("holds '\(name)'") && text("run/" + name) == "precious")
            if name.hasPrefix("best") { unlink(scratch.folder + "/run/" + name) }
        }
        try scratch.write("run/model.safetensors", model)
        for name in ["step-000.safetensors", "step-best.safetensors", "step-0000000000.safetensors"] {
            try scratch.write("train/checkpoint/" + name, "precious".utf8)
        }
        let train = Self.train + ["--quiet", "--out", "train", "--checkpoint-seconds", "0"]
        #expect(try scratch.run(train + ["--epochs", "3"]).status == 0)
        #expect(list("train/checkpoint").count == 3)
        #expect(try scratch.run(train + ["--epochs", "3", "--resume"]).errors.contains("no checkpoint to resume"))
    }

    @Test("A comparison refuses folders of others, and checkpoints of runs that were asked for otherwise")
    func comparisons() throws {
        let text = "name: x\n" + Self.head + "methods: [{name: A, train: {epochs: 100000, validation: 0.2}}]\n"
        try scratch.write("e.yaml", text.utf8)
        let compare = ["compare", "e.yaml", "--quiet", "--out"]
        for name in ["comparison.md", "runs/A-seed0/plan.json", "runs/A-seed0/failure.txt"] {
            try scratch.write("mine/" + name, "precious".utf8)
            let run = try scratch.run(compare + ["mine"])
            #expect(run.isOneLineError && run.errors.contains("no comparison of Descent wrote it"))
            #expect(self.text("mine/" + name) == "precious")
            try FileManager.default.removeItem(atPath: scratch.folder + "/mine")
        }
        let running = try Command.start(compare + ["c"], in: scratch.folder)
        for _ in 0..<3000 where scratch.bytes("c/runs/A-seed0/metrics.jsonl").isEmpty { usleep(20_000) }
        running.interrupt()
        // Nothing is finished, but the run was stopped, and did not fail.
        #expect(running.wait().status == 130 && list("c/runs/A-seed0/checkpoint").count == 1)
        try scratch.write("e.yaml", text.replacing("100000", with: "2").utf8)
        let other = try scratch.run(compare + ["c"])
        #expect(other.isOneLineError && other.errors.contains("asked for otherwise"))
        #expect(list("c/runs/A-seed0/checkpoint").count == 1)
        #expect(try scratch.run(compare + ["c", "--restart"]).status == 0 && list("c/runs/A-seed0/checkpoint").isEmpty)
    }

    // MARK: Ends

    @Test("A terminal that closes is asked for a checkpoint, as Ctrl-C is", arguments: [SIGHUP, SIGTERM])
    func signals(signal: Int32) throws {
        #expect(try interrupt("run", by: signal).status == 130)
        #expect(list("run/checkpoint").count == 1 && text("run/report.json").contains("cancelled"))
    }

    @Test("The end of a terminal may be told more than once")
    func hangUpTwice() throws {
        let running = try Command.start(
            Self.train + ["--epochs", "100000", "--out", "run", "--quiet"], in: scratch.folder)
        for _ in 0..<500 where scratch.bytes("run/metrics.jsonl").isEmpty { usleep(20_000) }
        for _ in 0..<5 { kill(running.process.processIdentifier, SIGHUP) }
        usleep(2000)
        kill(running.process.processIdentifier, SIGHUP)
        #expect(running.wait().status == 130 && list("run/checkpoint").count == 1)
    }

    @Test("A finished run whose model cannot be written keeps its work")
    func fullDisk() throws {
        // A folder in the model's place takes no file, as a full disk does not.
        try FileManager.default.createDirectory(
            atPath: scratch.folder + "/run/model.safetensors", withIntermediateDirectories: true)
        try scratch.write("run/config.json", #"{"command":["descent"]}"#.utf8)
        for command in [Self.train + ["--epochs", "2"], Self.fit] {
            let run = try scratch.run(command + ["--quiet", "--restart", "--out", "run"])
            #expect(run.status == 1 && run.isOneLineError, "\(run.errors)")
            #expect(list("run/checkpoint").count == 1)
        }
    }

    private func shell(_ command: String) throws -> (status: Int32, errors: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.currentDirectoryURL = URL(filePath: scratch.folder)
        process.environment = ProcessInfo.processInfo.environment
            .merging(["SWIFT_BACKTRACE": "enable=no", "D": Command.binary]) { $1 }
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let errors = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, errors)
    }

    @Test(
        "Nobody who listens is no reason to end a run, and nothing is written where messages should be",
        arguments: ["2>/dev/full", "2>&-", "2>&1 >/dev/null | head -0", "2>&- >&- <&-"])
    func listeners(redirection: String) throws {
        for command in [Self.train + ["--epochs", "3"], Self.fit] {
            let text = (command + ["--out", "run"]).joined(separator: " ").replacing("[8]", with: "'[8]'")
            let result = try shell("$D \(text) \(redirection)")
            #expect(result.status == 0 || redirection.contains(">&- <&-"), "\(redirection): \(result)")
            #expect(scratch.exists("run/model.safetensors") && scratch.exists("run/report.json"))
            let model = try scratch.run("inspect", "run")
            #expect(model.status == 0, "\(model.errors)")
            #expect(text.isEmpty == false && self.text("run/metrics.jsonl").hasPrefix("{"))
        }
    }

    @Test(
        "Output that cannot be written is an error, and a reader that has gone is none",
        arguments: ["list", "--help", "list --json", "doctor", "predict run three.csv", "inspect run"])
    func output(command: String) throws {
        #expect(try scratch.run(Self.fit + ["--quiet", "--out", "run"]).status == 0)
        let full = try shell("$D \(command) >/dev/full")
        #expect(full.status == 1 && full.errors.contains("standard output"), "\(full)")
        let gone = try shell("$D \(command) | head -c 1")
        #expect(gone.status == 0 && gone.errors.allSatisfy { $0 != "\n" } || command.hasPrefix("predict"), "\(gone)")
    }

    @Test("Control characters of names never reach a terminal's line, and Markdown's never a table")
    func control() throws {
        let name = "a\u{1B}[31m|<b>"
        let rows = (0..<20).map { "\($0),\($0 % 7),\($0 % 2 == 0 ? "x\u{1B}]0;t\u{7}" : "y")\n" }.joined()
        try scratch.write("esc.csv", ("\(name),b,y\n" + rows).utf8)
        let run = try scratch.run([
            "fit", "esc.csv", "--target", "y", "--penalty", "1", "--patterns", "2", "--out", "e",
        ])
        #expect(run.status == 0)
        for output in [run.errors, try scratch.run("inspect", "e").output] {
            #expect(!output.unicodeScalars.contains { $0.value < 32 && $0 != "\n" && $0 != "\t" })
        }
    }

    // MARK: Experiments

    private func experiment(_ text: String, _ reason: String) throws {
        try scratch.write("e.yaml", text.utf8)
        let run = try scratch.run("compare", "e.yaml", "--quiet")
        #expect(run.status == 1 && run.isOneLineError && run.errors.contains(reason), "\(run.errors)")
    }

    private static let head = "data: three.csv\nseeds: [0]\ngoal: 0.9\n"

    @Test("Experiments that would take all memory or time, or trap, are refused in a line")
    func experiments() throws {
        var laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1...9 {
            laughs +=
                "a\(level): &a\(level) [" + repeatElement("*a\(level - 1)", count: 9).joined(separator: ",") + "]\n"
        }
        try experiment(laughs + "name: x\n" + Self.head, "aliases")
        var maps = "a0: &a0 {x: 1}\n"
        for level in 1...30 { maps += "a\(level): &a\(level) {x: *a\(level - 1), y: *a\(level - 1)}\n" }
        try experiment("name: x\n" + Self.head + "methods: [{name: A, train: {model: mlp}}]\n" + maps, "aliases")
        for nested in [
            String(repeating: "[", count: 5000), String(repeating: "? ", count: 5000) + "x",
            String(repeating: "- ", count: 5000) + "x",
        ] {
            try experiment(nested, "nested too deeply")
        }
        let methods = { (method: String) in "name: x\n" + Self.head + "methods:\n  - {name: A, \(method)}\n" }
        for count in ["-5", "0", "2000000000"] {
            try experiment(methods("randomRates: {low: -4, high: -1, count: \(count)}"), "no rates")
        }
        try experiment(methods("rates: [.nan]"), "no number")
        try experiment(methods("rates: [.inf]"), "no number")
        for option in ["out: /tmp/x", "data: x", "resume: true", "restart: true", "threads: 2"] {
            try experiment(methods("fit: {penalty: 1, \(option)}"), "there is no setting")
        }
        for name in ["'out=/tmp/x'", "'out=/tmp/x --quiet'", "'-'", "'out /tmp/x'", "'\\nout'"] {
            try experiment(methods("fit: {penalty: 1, \(name): true}"), "there is no setting")
        }
        try experiment(methods("fit: {neurons: 3}, rates: [0.1]"), "has fit and rates")
        try experiment(methods("fit: {neurons: 3}, train: {model: mlp}"), "has fit and train")
        try experiment(methods("fit: {neuron: 3}"), "did you mean 'neurons'")
        try experiment(methods("fit: {penalty: '--out'}"), "penalty")
        try experiment(methods("fit: {maxIterations: 1.5}"), "maxIterations")
        try experiment(methods("fit: --neurons 3"), "wrong value")
        try experiment("name: x\n", "missing")
        try experiment("", "empty")
        try scratch.write("e.yaml", [0xFF, 0xFE, 0x00])
        #expect(try scratch.run("compare", "e.yaml").isOneLineError)
    }

    @Test("A comparison's name does not lead out of its folder, and it deletes nothing that is not its own")
    func names() throws {
        let method = "methods:\n  - {name: ../../A, train: {model: two_layer, modelSettings: {hidden: 4}, steps: 2}}\n"
        try scratch.write(
            "inner/deep/e.yaml",
            ("name: ../../../escape\n" + Self.head + "train: {validation: 0.2}\n" + method)
                .replacing("three.csv", with: scratch.folder + "/three.csv").utf8)
        try scratch.write("inner/deep/comparisons/---------escape/runs/------A-seed0/thesis.txt", "precious".utf8)
        let run = try Command.start(["compare", "e.yaml", "--quiet"], in: scratch.folder + "/inner/deep").wait()
        #expect(run.status == 0, "\(run.errors)")
        #expect(list("inner") == ["deep"] && list("inner/deep") == ["comparisons", "e.yaml"])
        #expect(list("inner/deep/comparisons") == ["---------escape"])
        #expect(text("inner/deep/comparisons/---------escape/runs/------A-seed0/thesis.txt") == "precious")
    }

    // MARK: Sizes and flags

    @Test(
        "What no machine can hold or no run can have is refused at once",
        arguments: [
            ["--patterns", "99999999"], ["--neurons", "100000000"], ["--patterns", "9223372036854775807"],
            ["--rho", "1e308"], ["--rho", "1e-300"], ["--checkpoint-seconds", "nan"], ["--checkpoint-seconds", "-1"],
        ])
    func sizes(flags: [String]) throws {
        let begin = Date()
        let run = try scratch.run(["fit", "three.csv", "--penalty", "1", "--time-limit", "2", "--out", "o"] + flags)
        #expect([1, 64].contains(run.status) && !run.crashed && Date().timeIntervalSince(begin) < 20, "\(run.errors)")
        #expect(["memory", "give a number", "but must be"].contains { run.errors.contains($0) }, "\(run.errors)")
        #expect(!scratch.exists("o"))
    }

    @Test("Flags that mean nothing for the data, and thread counts that are none, are refused")
    func flags() throws {
        let crop = try scratch.run(Self.train + ["--crop", "4", "--quiet"])
        #expect(crop.status == 1 && crop.errors.contains("the data are none"))
        #expect(try scratch.run(Self.train + ["--epochs", "1", "--quiet", "--out", "run"]).status == 0)
        for threads in ["0", "-3"] { #expect(try scratch.run("shrink", "run", "--threads", threads).status == 64) }
    }

    @Test("One row is enough to predict for, whatever the model was trained on")
    func oneRow() throws {
        try scratch.write("one.csv", "0.1,0.2,0.3,0.4\n".utf8)
        #expect(
            try scratch.run(["fit", "arrays.npz", "--penalty", "1", "--patterns", "4", "--quiet", "--out", "a"]).status
                == 0)
        let run = try scratch.run("predict", "a", "one.csv")
        #expect(run.status == 0 && run.output.split(separator: "\n").count == 2, "\(run.errors)")
    }
}
