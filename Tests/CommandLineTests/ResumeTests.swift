import Foundation
import Testing

@Suite("descent fit --resume")
struct ResumeTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    private static let base = [
        "fit", "three.csv", "--threads", "1", "--quiet", "--penalty", "1", "--tolerance", "1e-9",
    ]

    private func report(_ out: String) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(scratch.bytes(out + "/report.json")))) as? [String: Any] ?? [:]
    }

    /// The newest checkpoint of a run.
    private func checkpoint(_ out: String) -> String? {
        ((try? FileManager.default.contentsOfDirectory(atPath: scratch.path(out + "/checkpoint"))) ?? []).max()
            .map { out + "/checkpoint/" + $0 }
    }

    /// Waits until the run has begun to solve, so that there is something to resume.
    private func waitForSolve(_ out: String) {
        for _ in 0..<600
        where !String(decoding: scratch.bytes(out + "/metrics.jsonl"), as: UTF8.self).contains(#""solve""#) {
            usleep(20_000)
        }
    }

    @Test(
        "An interrupted run ends with the model of an uninterrupted one, byte for byte",
        arguments: [
            ["--patterns", "12"], ["--patterns", "12", "--formulation", "gated"],
            ["--patterns", "12", "--preconditioner", "nystrom"], ["--patterns", "12", "--preconditioner", "gram"],
            ["--patterns", "grow", "--neurons", "12"],
            ["--patterns", "network", "--neurons", "12", "--refreshes", "1"],
        ])
    func interrupted(arguments: [String]) throws {
        let all = Self.base + arguments
        // The iteration limit does not belong to what a resumed run must repeat.
        let running = try Command.start(all + ["--out", "cut", "--max-iterations", "1000000"], in: scratch.folder)
        waitForSolve("cut")
        running.interrupt()
        let cut = running.wait()
        #expect(cut.status == 130)
        #expect(checkpoint("cut") != nil)
        #expect(report("cut")["termination"] as? String == "cancelled")
        let reached = (report("cut")["iterations"] as? Int ?? 0) + 40
        let limit = ["--max-iterations", "\(reached)"]
        #expect(try scratch.run(all + limit + ["--out", "cut", "--resume"]).status == 0)
        #expect(try scratch.run(all + limit + ["--out", "whole"]).status == 0)
        #expect(!scratch.exists("cut/checkpoint"))
        #expect(report("cut")["objective"] as? Double == report("whole")["objective"] as? Double)
        #expect(report("cut")["iterations"] as? Int == report("whole")["iterations"] as? Int)
        #expect(scratch.holdsSame("cut/model.safetensors", "whole/model.safetensors"))
    }

    @Test("A time limit leaves a checkpoint that ends with the same model")
    func timeLimit() throws {
        let all = Self.base + ["--patterns", "4"]
        _ = try scratch.run(all + ["--out", "cut", "--max-iterations", "1000000", "--time-limit", "1e-6"])
        #expect(report("cut")["termination"] as? String == "timeLimit")
        let limit = ["--max-iterations", "\((report("cut")["iterations"] as? Int ?? 0) + 40)"]
        #expect(try scratch.run(all + limit + ["--out", "cut", "--resume"]).status == 0)
        #expect(try scratch.run(all + limit + ["--out", "whole"]).status == 0)
        #expect(scratch.holdsSame("cut/model.safetensors", "whole/model.safetensors"))
    }

    @Test("A run stopped during the search for the penalty leaves nothing that would fix a wrong one")
    func search() throws {
        let arguments = ["fit", "two.csv", "--threads", "1", "--quiet", "--patterns", "64", "--out", "cut"]
        let running = try Command.start(arguments, in: scratch.folder)
        for _ in 0..<600 where !scratch.exists("cut/config.json") { usleep(10_000) }
        running.interrupt()
        let cut = running.wait()
        #expect(cut.status == 130)
        #expect(!scratch.exists("cut/checkpoint"))
        #expect(cut.errors.contains("before its first checkpoint"))
    }

    @Test("Other data, other arguments, a damaged checkpoint or none are refused")
    func refusals() throws {
        let all = Self.base + ["--patterns", "4", "--out", "cut"]
        _ = try scratch.run(all + ["--max-iterations", "1000000", "--time-limit", "1e-6"])
        let file = try #require(checkpoint("cut"))
        let before = scratch.bytes(file)
        func refused(_ arguments: [String], _ text: String) throws {
            let run = try scratch.run(arguments + ["--resume"])
            #expect(run.status == 1)
            #expect(run.isOneLineError, "\(run.errors)")
            #expect(run.errors.contains(text), "\(run.errors)")
        }
        try refused(Self.base + ["--patterns", "5", "--out", "cut"], "Resume with the same arguments")
        try refused(Self.base + ["--patterns", "4", "--out", "none"], "holds no checkpoint")
        #expect(!scratch.exists("none"))
        let table = scratch.bytes("three.csv")
        try scratch.write("three.csv", scratch.bytes("test.csv"))
        try refused(all, "Resume with the same data")
        try scratch.write("three.csv", table)
        let isUntouched = scratch.bytes(file) == before
        #expect(isUntouched)
        try scratch.write(file, before.dropLast(before.count / 2))
        try refused(all, "Copy or download it again")
        try scratch.write(file, scratch.bytes("arrays.safetensors"))
        try refused(all, "holds no checkpoint")
    }
}
