import Foundation
import Testing

@Suite("Errors of the command")
struct ErrorTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.writeSamples()
    }

    /// The run must fail with one line that holds `text`, and leave the folder as it was.
    private func refused(_ arguments: [String], _ text: String, status: Int32 = 1) throws {
        let before = scratch.contents
        let run = try scratch.run(arguments)
        #expect(!run.crashed && run.status == status, "\(arguments): status \(run.status)")
        #expect(run.isOneLineError, "\(arguments): \(run.errors.prefix(300))")
        #expect(run.errors.contains(text), "\(arguments): \(run.errors.prefix(300))")
        #expect(run.output == "", "\(arguments)")
        #expect(scratch.contents == before, "\(arguments) left files")
    }

    private func fit(_ source: String, _ more: [String] = []) -> [String] {
        ["fit", source, "--threads", "1", "--penalty", "1", "--patterns", "4", "--quiet", "--out", "out"] + more
    }

    @Test("Tables that cannot be learnt from")
    func tables() throws {
        let header = "a,b,label\n"
        let tables: [(String, String)] = [
            ("", "the file is empty"), ("\n\n", "only blank lines"), (header, "a header but no rows"),
            (header + "1,2,0\n1,2\n3,4,1\n", "line 3 has 2 fields"),
            (header + "1,inf,0\n2,3,1\n3,4,0\n", "an infinity in line 2"),
            (header + "1,2,0\n2,3,0\n", "a classifier needs two classes"), (header + "1,2,0\n", "only 1 row"),
            ("label\n0\n1\n0\n", "no column but 'label'"), ("a,label\n1,0\n1,1\n1,0\n", "every column is constant"),
            (header + "1,2,x\n2,3,y\n3,1,z\n", "so no classes"),
        ]
        for (k, (table, text)) in tables.enumerated() {
            try scratch.write("bad\(k).csv", table.utf8)
            try refused(fit("bad\(k).csv"), text)
        }
    }

    @Test("Arrays that cannot be learnt from")
    func arrays() throws {
        let data = SampleData()
        let good = data.featureArray
        let hole = good.prefix(128 + 40) + SampleData.little(Float.nan.bitPattern) + good.dropFirst(128 + 44)
        try scratch.write("nan.npy", hole)
        try scratch.write("nan-labels.npy", data.labelArray)
        try refused(fit("nan.npy"), "NaN in row 3, column 3")
        try scratch.write("short.npy", good.dropLast(100))
        try refused(fit("short.npy"), "Copy or write the file again")
        try scratch.write("few.npy", good)
        try scratch.write("few-labels.npy", SampleData.npy("<i8", [2], [UInt8](repeating: 0, count: 16)))
        try refused(fit("few.npy"), "has 60 rows but 'few-labels.npy' has 2")
        try scratch.write("minus.npy", good)
        let labels = SampleData.npy("<i8", [60], (0..<60).flatMap { SampleData.little(Int64($0 % 3 - 1)) })
        try scratch.write("minus-labels.npy", labels)
        try refused(fit("minus.npy"), "is negative")
        try scratch.write("none.npy", SampleData.npy("<f4", [60, 0], []))
        try scratch.write("none-labels.npy", data.labelArray)
        try refused(fit("none.npy"), "has no columns")
        try scratch.write("magic.npy", Array("NOTNUMPY".utf8) + [UInt8](repeating: 0, count: 100))
        try refused(fit("magic.npy"), "not a npy file")
        try scratch.write("cut.npz", data.archive.dropLast(data.archive.count / 2))
        try refused(fit("cut.npz"), "cut short")
        try scratch.write("cut.safetensors", data.safetensors.dropLast(9))
        try refused(fit("cut.safetensors"), "Copy or download it again")
    }

    @Test("Images that are cut short or are none")
    func images() throws {
        let images = scratch.bytes("images/train-images-idx3-ubyte.gz")
        try scratch.write("cut/train-images-idx3-ubyte.gz", images.dropLast(images.count / 2))
        try scratch.write("cut/train-labels-idx1-ubyte", scratch.bytes("images/train-labels-idx1-ubyte"))
        try refused(fit("cut"), "ends too early")
        try scratch.write("magic/train-images-idx3-ubyte", [7, 7, 7, 7, 0, 0, 0, 1])
        try scratch.write("magic/train-labels-idx1-ubyte", scratch.bytes("images/train-labels-idx1-ubyte"))
        try refused(fit("magic"), "not an IDX file")
        try scratch.write("empty/readme", [])
        try refused(fit("empty"), "a folder without train-images-idx3-ubyte")
        try refused(fit("nowhere.csv"), "no data set and no file of that name")
        try refused(fit("/dev/null"), "this is a device")
    }

    @Test(
        "Numbers out of range",
        arguments: [
            ["--penalty", "0"], ["--penalty", "-1"], ["--penalty", "nan"], ["--rho", "inf"], ["--tolerance", "inf"],
            ["--epochs", "inf"], ["--neurons", "0"], ["--validation", "-0.5"], ["--threads", "100000"],
            ["--seed", "-1"], ["--time-limit", "0"], ["--max-iterations", "0"], ["--patterns", "0"],
        ])
    func ranges(option: [String]) throws {
        try refused(["fit", "three.csv", "--out", "out"] + option, option[0], status: 64)
    }

    @Test("Options that do not go together or do not exist")
    func usage() throws {
        let base = ["fit", "three.csv", "--out", "out"]
        try refused(base + ["--loss", "foo"], "it knows squared, softmax", status: 64)
        try refused(base + ["--patterns", "4", "--gates", "x.npy"], "both name patterns", status: 64)
        try refused(base + ["--outputs", "foo"], "'separate'", status: 64)
        try refused(base + ["--bogus"], "--bogus", status: 64)
        try refused(["fit"], "<source>", status: 64)
        try refused(["nonsense"], "nonsense", status: 64)
        try refused(["list", "nonsense"], "nonsense", status: 64)
    }

    @Test("Requests that do not fit the data")
    func requests() throws {
        try refused(fit("three.csv", ["--classes", "0"]), "two classes or more")
        try refused(fit("three.csv", ["--classes", "0,9"]), "there is no class 9")
        try refused(fit("three.csv", ["--classes", "a,b"]), "'a' is not a class number")
        try refused(fit("three.csv", ["--subset", "1000"]), "Choose from 2 to 60")
        try refused(fit("three.csv", ["--target", "nope"]), "there is no column 'nope'")
        try refused(fit("three.csv", ["--task", "regression"]), "cannot be predicted as a number")
        try refused(fit("three.csv", ["--test", "values.csv"]), "the target column 'species' is missing")
        try refused(fit("values.csv", ["--loss", "hinge"]), "--loss hinge is for classes")
        try refused(fit("three.csv", ["--device", "tpu"]), "is no device")
        try refused(fit("three.csv", ["--device", "cuda:99"]), "is not available")
        try refused(fit("three.csv", ["--resume"]), "holds no checkpoint")
        try refused(["fit", "three.csv", "--patterns", "foo", "--out", "out"], "neither a number", status: 64)
        try scratch.write("tiny.csv", "a,y\n1,0.5\n2,1.5\n".utf8)
        try refused(fit("tiny.csv", ["--validation", "0.9"]), "--validation")
    }

    @Test("Gates and models that do not go with the data")
    func patterns() throws {
        let base = ["fit", "three.csv", "--threads", "1", "--penalty", "1", "--quiet", "--out", "out"]
        try scratch.write("gates.npy", SampleData.npy("<f4", [3, 1], [UInt8](repeating: 1, count: 12)))
        try refused(base + ["--gates", "gates.npy"], "gates")
        try refused(base + ["--gates", "x-labels.npy"], "d × P")
        try refused(base + ["--gates", "none.npy"], "there is no such file")
        for (name, source) in [("two", "two.csv"), ("values", "values.csv"), ("images", "images")] {
            _ = try scratch.fit(source, "--penalty", "0.2", "--patterns", "4", out: name)
        }
        try refused(base + ["--patterns", "from:two"], "outputs")
        try refused(base + ["--patterns", "from:values"], "outputs")
        try refused(base + ["--patterns", "from:arrays.safetensors"], "not a Descent model")
        _ = try scratch.fit("three.csv", "--penalty", "1e9", "--patterns", "4", out: "zero")
        try refused(base + ["--patterns", "from:zero"], "no hidden units")
    }

    @Test("Places that cannot be written to")
    func outputs() throws {
        _ = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "4", out: "model")
        try scratch.write("file", [1])
        for (out, reason) in [
            ("file", "Not a directory"), ("/proc/x", "No such file"), ("/dev/null/x", "Not a directory"), ("", "--out"),
        ] {
            try refused(["fit", "three.csv", "--penalty", "1", "--patterns", "4", "--out", out], reason)
        }
        let predict = ["predict", "model", "three.csv", "--out"]
        try refused(predict + ["model"], "Give the path of a file")
        try refused(predict + ["nowhere/p.csv"], "Create its folder first")
        try refused(predict + ["file/p.npy"], "Not a directory")
        #expect(scratch.bytes("file") == [1])
        guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
        try refused(predict + ["/dev/full"], "No space left")
        for arguments in [
            ["predict", "model", "three.csv"], ["fit", "three.csv", "--penalty", "1", "--json", "--out", "m"],
        ] {
            let run = try Command.start(arguments, in: scratch.folder, output: "/dev/full").wait()
            #expect(run.status == 1, "\(arguments)")
        }
    }

    @Test("Models that are missing, cut short, changed or no models")
    func models() throws {
        _ = try scratch.fit("three.csv", "--penalty", "1", "--patterns", "4", out: "model")
        let bytes = scratch.bytes("model/model.safetensors")
        let text = String(decoding: bytes, as: UTF8.self)
        try scratch.write("short.safetensors", bytes.dropLast(40))
        try scratch.write("head.safetensors", bytes.prefix(60))
        try scratch.write("empty.safetensors", [])
        let texts = [
            "short": "Copy or download it again", "head": "cut short", "empty": "the file is empty",
            "missing": "there is no such file", "arrays": "not a Descent model",
        ]
        for (name, reason) in texts {
            try refused(["predict", "\(name).safetensors", "three.csv"], reason)
            if name != "arrays" { try refused(["inspect", "\(name).safetensors"], reason) }
        }
        // Same length, so that only the meaning is damaged.
        for (old, new) in [
            (#"\"hasBias\":true"#, #"\"hasBias\":fals"#), (#"[\"cat\",\"dog\",\"eel\"]"#, #"[\"cat\",\"dog+++eel\"]"#),
            (#"\"formatVersion\":3"#, #"\"formatVersion\":9"#),
            (#"\"formulation\":\"relu\""#, #"\"formulation\":\"gatd\""#),
        ] {
            #expect(text.contains(old), "\(old)")
            try scratch.write("changed.safetensors", replaced(bytes, old, new))
            try refused(["predict", "changed.safetensors", "three.csv"], "changed.safetensors")
        }
        try refused(["predict", "model", "images"], "images")
        try refused(["predict", "model", "values.csv", "--out", "p.csv", "--data", "x", "extra"], "extra", status: 64)
    }

    private func replaced(_ bytes: [UInt8], _ old: String, _ new: String) -> [UInt8] {
        let (old, new) = (Array(old.utf8), Array(new.utf8))
        guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: old) }) else { return bytes }
        return Array(bytes[..<start]) + new + Array(bytes[(start + old.count)...])
    }
}
