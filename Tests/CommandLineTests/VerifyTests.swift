import Foundation
import Testing

@Suite("descent verify")
struct VerifyTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("The example that it prints agrees, and a changed number does not")
    func example() throws {
        let example = try scratch.run("verify", "--example").output
        try scratch.write("mine.json", example.utf8)
        let run = try scratch.run("verify", "mine.json")
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("agrees"))
        try scratch.write("wrong.json", example.replacingOccurrences(of: "0.71", with: "0.72").utf8)
        let wrong = try scratch.run("verify", "wrong.json", "mine.json")
        #expect(wrong.status == 1)
        #expect(wrong.output.contains("DIFFERS"))
        #expect(wrong.output.contains("step 2"))
        #expect(wrong.output.contains("agrees"))
    }

    @Test("Broken files and unknown names are one line each")
    func errors() throws {
        try scratch.write("broken.json", "{\"optimizer\": \"sgd\"".utf8)
        try scratch.write("lacks.json", "{\"optimizer\": \"sgd\"}".utf8)
        try scratch.write("mine.json", try scratch.run("verify", "--example").output.utf8)
        for (arguments, text) in [
            (["verify", "nowhere.json"], "cannot be read"), (["verify", "broken.json"], "no trajectory file"),
            (["verify", "lacks.json"], "'configs' is missing"),
            (["verify", "mine.json", "--optimizer", "adm"], "did you mean 'adam'"),
            (["verify", "mine.json", "--optimizer", "lion"], "has no hyperparameter 'momentum'"),
            (["verify", "mine.json", "--optimizer", "lbfgs"], "has no hyperparameter"),
        ] {
            let run = try scratch.run(arguments)
            #expect(run.status == 1 && !run.crashed, "\(arguments)")
            #expect(run.isOneLineError && run.errors.contains(text), "\(arguments): \(run.errors.prefix(200))")
        }
        #expect(try scratch.run("verify").status == 64)
    }

    @Test("The list of optimizers names ranges, defaults and citations")
    func list() throws {
        let text = try scratch.run("list", "optimizers", "--json").output
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [[String: Any]]])
        let optimizers = try #require(object["optimizers"])
        #expect(optimizers.count == 30)
        for optimizer in optimizers {
            #expect((optimizer["citation"] as? String)?.isEmpty == false)
            let settings = try #require(optimizer["hyperparameters"] as? [[String: Any]])
            #expect(settings.contains { $0["name"] as? String == "lr" })
            #expect(settings.allSatisfy { $0["range"] is String && $0["default"] != nil })
        }
    }
}
