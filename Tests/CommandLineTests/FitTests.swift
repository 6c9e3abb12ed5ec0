import Foundation
import Testing

@Suite("descent fit")
struct FitTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    @Test("A fit prints one JSON object with all its numbers and leaves a whole run folder")
    func report() throws {
        let run = try scratch.fit("three.csv", "--test", "test.csv", "--penalty", "1", "--patterns", "12")
        #expect(run.status == 0)
        #expect(run.errors == "")
        let keys = [
            "method", "formulation", "loss", "penalty", "neurons", "patterns", "objective", "dualBound", "relativeGap",
            "trainAccuracy", "testAccuracy", "iterations", "pcgIterations", "seconds", "secondsByPhase",
            "peakMemoryBytes", "termination", "seed",
        ]
        for key in keys { #expect(run.json[key] != nil, "\(key)") }
        #expect(run.text("method") == "convex")
        #expect(run.text("formulation") == "relu")
        #expect(run.text("loss") == "softmax")
        #expect(run.number("penalty") == 1)
        #expect(run.number("rows") == 60)
        #expect(run.number("trainAccuracy") > 0.8)
        #expect(run.number("testAccuracy") > 0.7)
        #expect(run.number("peakMemoryBytes") > 1e7)
        #expect(run.number("objective") >= run.number("dualBound"))
        let phases = run.json["secondsByPhase"] as? [String: Double] ?? [:]
        #expect(phases.values.reduce(0, +) <= run.number("seconds"))
        for name in ["model.safetensors", "report.json", "report.html", "config.json", "metrics.jsonl"] {
            #expect(!scratch.bytes("out/" + name).isEmpty, "\(name)")
        }
        #expect(String(decoding: scratch.bytes("out/report.json"), as: UTF8.self) + "\n" == run.output)
        #expect(!scratch.contents.contains { $0.contains(".partial") || $0.contains(".probe") })
    }

    @Test("Without --json and --quiet the summary goes to standard output and the chatter to standard error")
    func summary() throws {
        let run = try scratch.run("fit", "two.csv", "--penalty", "1", "--patterns", "8", "--threads", "1")
        #expect(run.status == 0)
        #expect(run.output.contains("relative gap"))
        #expect(run.output.contains("results in runs/two"))
        #expect(run.errors.contains("two: 60 rows, 4 columns, 2 classes"))
        #expect(scratch.exists("runs/two/model.safetensors"))
        let quiet = try scratch.run("fit", "two.csv", "--penalty", "1", "--patterns", "8", "--quiet", "--out", "q")
        #expect(quiet.output == "" && quiet.errors == "")
    }

    @Test(
        "Every file format gives the same rows",
        arguments: ["three.csv", "arrays.npz", "x.npy", "arrays.safetensors", "images"])
    func formats(source: String) throws {
        let run = try scratch.fit(source, "--penalty", "1", "--patterns", "8")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.number("rows") == 60)
        #expect(run.number("columns") == 4)
        #expect(run.number("outputs") == 3)
    }

    @Test("Every loss trains", arguments: ["squared", "softmax", "logistic", "hinge", "huber"])
    func losses(loss: String) throws {
        let run = try scratch.fit(
            loss == "softmax" ? "two.csv" : "three.csv", "--penalty", "0.5", "--patterns", "10", "--loss", loss)
        #expect(run.text("loss") == loss)
        #expect(run.number("trainAccuracy") > 0.8)
        #expect(run.number("relativeGap") > -1e-6 || run.json["networkBeatsProgram"] as? Bool == true)
    }

    @Test("Values are predicted where the target holds values", arguments: ["squared", "huber"])
    func regression(loss: String) throws {
        let run = try scratch.fit("values.csv", "--penalty", "0.2", "--patterns", "16", "--loss", loss)
        #expect(run.text("task") == "regression")
        #expect(run.number("trainR2") > 0.9)
        #expect(run.json["trainAccuracy"] == nil)
    }

    @Test(
        "Every option of the model and the solver works",
        arguments: [
            ["--formulation", "gated"], ["--no-bias", "--no-standardize"], ["--dtype", "float64", "--rho", "0.5"],
            ["--preset", "paper", "--seed", "7"], ["--outputs", "joint"], ["--outputs", "separate"],
            ["--preconditioner", "gram"], ["--preconditioner", "nystrom", "--rank", "4"], ["--preconditioner", "none"],
            ["--preconditioner", "exact", "--device", "cpu", "--threads", "2"],
        ])
    func options(arguments: [String]) throws {
        let run = try scratch.run(
            ["fit", "three.csv", "--penalty", "1", "--patterns", "8", "--json", "--quiet", "--out", "out"] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.number("trainAccuracy") > 0.7)
    }

    @Test("Patterns come from a number, growth, a network, a model or a file of gates")
    func patterns() throws {
        let gates = (0..<30).flatMap { SampleData.little((Float($0 * 7 % 11) - 5).bitPattern) }
        try scratch.write("gates.npy", SampleData.npy("<f4", [5, 6], gates))
        let sources: [([String], String)] = [
            (["--patterns", "6"], "sampled"), (["--patterns", "grow", "--neurons", "8"], "grow"),
            (["--patterns", "network", "--neurons", "8"], "network"), (["--gates", "gates.npy"], "gates"),
            (["--patterns", "from:out/model.safetensors"], "from"), (["--patterns", "from:out"], "from"),
        ]
        for (arguments, name) in sources {
            let run = try scratch.run(
                ["fit", "three.csv", "--penalty", "1", "--threads", "1", "--json", "--quiet", "--out", "out"]
                    + arguments)
            #expect(run.status == 0, "\(arguments): \(run.errors)")
            #expect(run.text("patternSource") == name)
            #expect(run.number("patterns") > 0)
        }
    }

    @Test("Rows and classes are selected as asked, and the report counts the rows that trained")
    func selection() throws {
        let held = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", "--validation", "0.25")
        #expect(held.number("rows") == 45)
        #expect(held.number("validationAccuracy") > 0.5)
        let drawn = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", "--subset", "30")
        #expect(drawn.number("rows") == 30)
        let pair = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", "--classes", "0,2")
        #expect(pair.number("outputs") == 1)
        #expect(pair.text("loss") == "logistic")
        #expect(try scratch.run("inspect", "out").output.contains("classes: cat, eel"))
    }

    @Test("The penalty is searched where none is given")
    func search() throws {
        let run = try scratch.fit("two.csv", "--patterns", "8")
        #expect(run.text("penaltyChoice").hasPrefix("cross-validation"))
        #expect((run.json["path"] as? [Any])?.isEmpty == false)
        #expect(run.number("trainAccuracy") > 0.75)
    }

    @Test("Equal commands write equal models, whatever the load of the machine")
    func reproducible() throws {
        for source in ["8", "grow", "network"] {
            _ = try scratch.fit("two.csv", "--penalty", "1", "--patterns", source, "--neurons", "8", out: "a")
            _ = try scratch.fit("two.csv", "--penalty", "1", "--patterns", source, "--neurons", "8", out: "b")
            #expect(scratch.holdsSame("a/model.safetensors", "b/model.safetensors"), "\(source)")
        }
    }

    @Test("Status 2 tells a script that the tolerance was not reached")
    func convergence() throws {
        let arguments = ["--penalty", "1", "--patterns", "8", "--require-convergence"]
        let base = ["fit", "two.csv", "--threads", "1", "--quiet", "--out", "out"]
        #expect(try scratch.run(base + arguments + ["--max-iterations", "2"]).status == 2)
        #expect(try scratch.run(base + arguments + ["--tolerance", "0.05"]).status == 0)
    }

    @Test("Constant and repeated columns, and a penalty above all, are no errors")
    func degenerate() throws {
        let rows = (0..<12).map { "\($0),5,\($0),\($0 * $0 % 5),\($0 % 3 % 2)\n" }.joined()
        try scratch.write("c.csv", ("a,b,c,d,label\n" + rows).utf8)
        let run = try scratch.run(
            "fit", "c.csv", "--penalty", "0.1", "--patterns", "6", "--threads", "1", "--out", "out")
        #expect(run.status == 0)
        #expect(run.errors.contains("column 2 dropped") || scratch.notices("out").contains("column 2 dropped"))
        let empty = try scratch.fit("two.csv", "--penalty", "1e9", "--patterns", "6", out: "empty")
        #expect(empty.number("neurons") == 0)
        #expect(empty.text("termination") == "converged")
        #expect(try scratch.run("predict", "empty", "two.csv", "--json").status == 0)
    }

    @Test("Cross-validation of a handful of rows gives finite numbers")
    func fewRows() throws {
        try scratch.write("six.csv", ("a,y\n" + (0..<6).map { "\($0),\(Double($0) * 0.7)\n" }.joined()).utf8)
        let run = try scratch.fit("six.csv", "--patterns", "4")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.number("trainR2") > 0.5)
    }
}

extension Scratch {
    /// The notices of a report, joined.
    func notices(_ out: String) -> String {
        let report = try? JSONSerialization.jsonObject(with: Data(bytes(out + "/report.json"))) as? [String: Any]
        return ((report?["notices"] as? [String]) ?? []).joined(separator: "\n")
    }
}
