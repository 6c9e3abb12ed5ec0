import Foundation
import Testing

@Suite("The configuration of a run")
struct ConfigurationTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    private static let quiet = ["--threads", "1", "--quiet"]

    @Test("Trains the same model again, whatever it was asked for, and the new folder holds the same settings")
    func again() throws {
        let runs: [[String]] = [
            ["fit", "three.csv", "--penalty", "0.5", "--patterns", "9", "--formulation", "gated", "--no-bias"],
            ["fit", "three.csv", "--neurons", "6", "--epochs", "3", "--refreshes", "1", "--tolerance", "0.05"],
            [
                "fit", "values.csv", "--penalty", "0.2", "--patterns", "grow", "--neurons", "6", "--loss",
                "huber(delta=0.5)",
            ],
            ["fit", "three.csv", "--penalty", "0.5", "--patterns", "from:a1"],
            ["fit", "three.csv", "--preset", "paper", "--penalty", "1", "--max-iterations", "30", "--seed", "5"],
            ["train", "three.csv", "--epochs", "2", "--seed", "4", "--after", "ema(0.9)", "--validation", "0.2"],
        ]
        for (index, run) in runs.enumerated() {
            let first = try scratch.run(run + Self.quiet + ["--out", "a\(index)"])
            #expect(first.status == 0, "\(first.errors)")
            let config = ["--config", "a\(index)/config.json"]
            let again = try scratch.run(Array(run.prefix(2)) + Self.quiet + config + ["--out", "b\(index)"])
            #expect(again.status == 0, "\(again.errors)")
            #expect(scratch.holdsSame("a\(index)/model.safetensors", "b\(index)/model.safetensors"), "\(run)")
            let settings = { (folder: String) throws -> NSDictionary? in
                let object = try JSONSerialization.jsonObject(with: Data(scratch.bytes(folder + "/config.json")))
                let file = try #require(object as? [String: Any])
                #expect(file["formatVersion"] as? Int == 1)
                return file[run[0] == "fit" ? "fit" : "training"] as? NSDictionary
            }
            #expect(try settings("a\(index)") == settings("b\(index)") && settings("a\(index)") != nil)
        }
    }

    @Test("Beside a file there is room for seed and limits; other options would be dropped, and are refused")
    func beside() throws {
        let base = ["fit", "three.csv"] + Self.quiet
        #expect(try scratch.run(base + ["--penalty", "1", "--patterns", "4", "--out", "a"]).status == 0)
        let more = base + ["--config", "a/config.json", "--out", "b"]
        let refused = try scratch.run(more + ["--penalty", "7"])
        #expect(refused.status == 1 && refused.errors.contains("'penalty' is given beside it"), "\(refused.errors)")
        #expect(try scratch.run(more + ["--seed", "3", "--max-iterations", "2", "--time-limit", "9"]).status == 0)
        let text = String(decoding: scratch.bytes("b/config.json"), as: UTF8.self)
        #expect(
            text.contains("\"seed\" : 3") && text.contains("\"maxIterations\" : 2") && text.contains("\"penalty\" : 1"))
        let train = ["train", "three.csv", "--epochs", "1"] + Self.quiet
        #expect(try scratch.run(train + ["--out", "t"]).status == 0)
        let other = try scratch.run(["train", "three.csv", "--lr", "1", "--config", "t/config.json", "--out", "u"])
        #expect(other.status == 1 && other.errors.contains("is given beside it"), "\(other.errors)")
        let large = try scratch.run(base + ["--seed", "9007199254740993", "--out", "c"])
        #expect(large.status == 64 && large.errors.contains("9007199254740992"))
    }

    @Test(
        "A setting that is missing has its default; one that is unknown or wrong, another version or command is refused"
    )
    func refused() throws {
        func outcome(_ command: String, _ text: String) throws -> Command.Outcome {
            try scratch.write("c.json", text.utf8)
            return try scratch.run([command, "three.csv", "--config", "c.json", "--out", "o"] + Self.quiet)
        }
        #expect(try outcome("fit", #"{"fit": {"penalty": 1, "patterns": 4}}"#).status == 0)
        for (command, text, reason) in [
            ("fit", #"{"fit": {"penalti": 1}}"#, "there is no setting 'penalti'; did you mean 'penalty'"),
            ("fit", #"{"fit": {"maxIterations": "many"}}"#, "'maxIterations' has a wrong value"),
            ("fit", #"{"fit": {"patterns": "some"}}"#, "'patterns' has a wrong value"),
            ("fit", #"{"fit": {"penalty": -1}}"#, "must be above 0"),
            ("fit", #"{"fit": {"loss": "huber(delta=-1)"}}"#, "must be a number > 0"),
            ("fit", #"{"formatVersion": 9, "fit": {}}"#, "is of another version of Descent (format 9"),
            ("fit", #"{"training": {}}"#, "holds no settings of descent fit. Use descent train --config"),
            ("train", #"{"fit": {}}"#, "holds no settings of descent train. Use descent fit --config"),
            ("train", #"{"training": {"epochs": 0}}"#, "epochs"),
            ("train", #"{"training": {"timeLimit": -1}}"#, "timeLimit"),
            ("train", #"{"training": {"patience": -5}}"#, "patience"), ("fit", "[]", "is no configuration of a run"),
            ("fit", "nonsense", "is no configuration of a run"),
        ] {
            let run = try outcome(command, text)
            #expect(run.errors.contains("c.json"), "\(run.errors)")
            #expect(run.status == 1 && run.isOneLineError && run.errors.contains(reason), "\(text): \(run.errors)")
        }
    }
}
