import Foundation
import Testing

@Suite("descent predict, inspect, list and doctor")
struct PredictTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
        _ = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", out: "model")
    }

    @Test("Predictions have a header, a class and one score for each output, and score as the fit did")
    func table() throws {
        let run = try scratch.run("predict", "model", "three.csv")
        let lines = run.output.split(separator: "\n")
        #expect(run.status == 0)
        #expect(lines.count == 61)
        #expect(lines[0] == "prediction,score0,score1,score2")
        #expect(lines.dropFirst().allSatisfy { ["cat", "dog", "eel"].contains($0.split(separator: ",")[0]) })
        let scored = try scratch.run("predict", "model/model.safetensors", "three.csv", "--json")
        #expect(scored.number("rows") == 60)
        let report = try JSONSerialization.jsonObject(with: Data(scratch.bytes("model/report.json"))) as? [String: Any]
        #expect(scored.json["accuracy"] as? Double == report?["trainAccuracy"] as? Double)
    }

    @Test("Predictions go to a table or an array, and to nowhere else")
    func files() throws {
        let csv = try scratch.run("predict", "model", "three.csv", "--out", "p.csv")
        #expect(csv.output == "")
        let direct = try scratch.run("predict", "model", "three.csv")
        #expect(String(decoding: scratch.bytes("p.csv"), as: UTF8.self) == direct.output)
        #expect(try scratch.run("predict", "model", "three.csv", "--out", "p.npy").status == 0)
        #expect(scratch.bytes("p.npy").starts(with: [0x93] + Array("NUMPY".utf8)))
        #expect(scratch.bytes("p.npy").count == 128 + 60 * 3 * 4)
    }

    @Test("One row without a target is enough to predict, in any order of columns")
    func oneRow() throws {
        try scratch.write("one.csv", "x3,x1,x0,x2\n0.1,0.9,0.8,0.3\n".utf8)
        let run = try scratch.run("predict", "model", "one.csv")
        #expect(run.status == 0)
        #expect(run.output.split(separator: "\n").last?.hasPrefix("eel,") == true)
        #expect(run.errors == "")
    }

    @Test("A gated network and a regression predict what they learnt")
    func kinds() throws {
        _ = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", "--formulation", "gated", out: "gated")
        #expect(try scratch.run("predict", "gated", "three.csv", "--json").number("accuracy") > 0.8)
        _ = try scratch.fit("values.csv", "--penalty", "0.2", "--patterns", "16", out: "values")
        let values = try scratch.run("predict", "values", "values.csv")
        #expect(values.output.hasPrefix("price\n"))
        #expect(try scratch.run("predict", "values", "values.csv", "--json").number("r2") > 0.9)
    }

    @Test("A model of images predicts the file of images alone, and scores it where labels are beside")
    func images() throws {
        _ = try scratch.fit("images", "--penalty", "1", "--patterns", "8", out: "images-model")
        let run = try scratch.run("predict", "images-model", "images/train-images-idx3-ubyte.gz", "--json")
        #expect(run.number("rows") == 60)
        #expect(run.number("accuracy") > 0.5)
    }

    @Test("A model of some classes scores rows of these classes")
    func subset() throws {
        _ = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "8", "--classes", "2,0", out: "pair")
        let text = String(decoding: scratch.bytes("three.csv"), as: UTF8.self)
        let rows = text.split(separator: "\n").filter { !$0.hasSuffix("dog") }
        try scratch.write("pair.csv", (rows.joined(separator: "\n") + "\n").utf8)
        #expect(try scratch.run("predict", "pair", "pair.csv", "--json").number("accuracy") > 0.8)
    }

    @Test("Inspect says what the model is and lists its tensors")
    func inspect() throws {
        let run = try scratch.run("inspect", "model")
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("two-layer ReLU network, classification, softmax loss\n4 inputs, "))
        for text in ["classes: cat, dog, eel", "penalty: 1.0", "layer1.weight", "layer2.bias"] {
            #expect(run.output.contains(text), "\(text)")
        }
        #expect(try scratch.run("inspect", "arrays.safetensors").output.contains("features"))
    }

    @Test("List names data sets, losses and formulations")
    func list() throws {
        let run = try scratch.run("list", "--json")
        let names = run.json.mapValues { ($0 as? [[String: Any]] ?? []).compactMap { $0["name"] as? String } }
        #expect(names["datasets"]?.contains("fashion-mnist") == true)
        #expect(
            names["losses"] == [
                "squared", "softmax", "logistic", "hinge", "huber", "cross_entropy", "bce", "mse", "l1", "huber",
            ])
        #expect(names["formulations"] == ["relu", "gated"])
        #expect(try scratch.run("list", "losses").output.split(separator: "\n").count == 11)
    }

    @Test("Doctor checks the engine and says what to do")
    func doctor() throws {
        let run = try scratch.run("doctor")
        #expect(run.status == 0)
        #expect(run.output.contains("self-test       passed"))
        #expect(run.output.contains("To do:") || run.output.contains("Everything is in place."))
    }
}
