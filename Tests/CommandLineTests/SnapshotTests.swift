import Foundation
import Testing

/// Texts that users see, kept beside the tests; `RECORD_SNAPSHOTS=1` rewrites them and fails the run.
@Suite("Texts of the command")
struct SnapshotTests {
    private static let isRecording = ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1"
    private static let folder = Command.packageRoot + "/Tests/CommandLineTests/Snapshots"

    private func compare(_ text: String, with name: String) throws {
        let path = Self.folder + "/\(name).txt"
        let known = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        if Self.isRecording {
            try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(filePath: path))
            if known != text { Issue.record("\(name).txt was \(known == nil ? "written" : "rewritten")") }
        } else {
            #expect(known == text, "\(name).txt: see the difference, then run with RECORD_SNAPSHOTS=1")
        }
    }

    @Test(
        "The help of each subcommand",
        arguments: [
            "descent", "fit", "train", "compare", "predict", "inspect", "shrink", "list", "verify", "bench", "doctor",
        ])
    func help(subcommand: String) throws {
        let scratch = try Scratch()
        let run = try scratch.run((subcommand == "descent" ? [] : [subcommand]) + ["--help"])
        #expect(run.status == 0)
        #expect(run.errors == "")
        try compare(run.output, with: "help-" + subcommand)
    }

    @Test("The lists")
    func list() throws { try compare(try Scratch().run("list").output, with: "list") }

    @Test("The messages of common mistakes")
    func errors() throws {
        let scratch = try Scratch()
        try scratch.writeSamples()
        try scratch.write("empty.csv", [])
        try scratch.write("ragged.csv", "a,b,label\n1,2,0\n1,2\n".utf8)
        try scratch.write("one.csv", "a,b,label\n1,2,0\n3,4,0\n".utf8)
        let commands = [
            "fit", "fit nowhere.csv", "fit empty.csv", "fit ragged.csv", "fit one.csv", "fit three.csv --penalty -1",
            "fit three.csv --penalty one", "fit three.csv --loss foo", "fit three.csv --patterns foo",
            "fit three.csv --classes 0,9", "fit three.csv --device cuda:99", "fit three.csv --target nope",
            "fit three.csv --out /dev/null/x", "fit three.csv --resume --out none", "fit values.csv --loss hinge",
            "fit three.csv --bogus", "train three.csv --model resnet", "train three.csv --optimizer adamm",
            "train three.csv --lr -1", "train three.csv --set momentum=0.9", "train three.csv --set momentum",
            "train three.csv --model cnn", "train three.csv --schedule cosin", "train three.csv --batch 0",
            "train three.csv --resume --out none", "train three.csv --optimizer sgd --lr 1e30 --loss mse",
            "train three.csv --optimizer adam --penalty group-lasso", "train three.csv --penalty nuclear --strength -1",
            "train three.csv --optimizer ramda --strength 1", "train three.csv --optimizer ramda --penalty lasso",
            "train three.csv --optimizer ramda --penalty group-lasso --penalty-set width=3",
            "train three.csv --optimizer ramda --penalty group-lasso --target-sparsity 1",
            "train three.csv --optimizer ramda --penalty nuclear --target-sparsity 0.5", "shrink nowhere",
            "shrink arrays.safetensors", "bench adam --penalty l1 --sizes 4x4",
            "bench ramda --penalty group-lasso --sizes 4", "compare nowhere.yaml", "predict nowhere three.csv",
            "predict arrays.safetensors three.csv", "nonsense",
        ]
        var text = ""
        for command in commands {
            let run = try scratch.run(command.split(separator: " ").map(String.init))
            text += "$ descent \(command)\n\(run.output)\(run.errors)[\(run.status)]\n\n"
        }
        // The number of devices is the machine's.
        text.replace(/CUDA devices found: \d+/, with: "CUDA devices found: N")
        try compare(text, with: "errors")
    }

    @Test("Recording fails, so that no run passes without a comparison")
    func recording() { #expect(!Self.isRecording, "snapshots were recorded; run again without RECORD_SNAPSHOTS") }
}
