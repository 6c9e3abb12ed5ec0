import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import Reports
import Optimizers
import RunLog
import Settings
import Training

/// `descent compare`
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Runs methods × learning rates × seeds and compares them on one page.",
        discussion: """
            Every run has a folder of its own; a comparison that was interrupted goes on where it stopped, and runs that
            are there already are not run again. The page shows the median and the 5–95 % band over learning rates and
            seeds, against seconds and epochs. Set-up counts, evaluation does not.

              descent compare Experiments/smoke.yaml
              descent compare Experiments/cifar-mlp.yaml --parallel 2 --out comparisons/cifar
            """)

    @Argument(help: "An experiment file; see Experiments/.") var experiment: String
    @Option(help: ArgumentHelp("Folder of the comparison; comparisons/NAME unless given.", valueName: "folder"))
    var out: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Runs at a time; the file's, or 1.", valueName: "number"))
    var parallel: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("Only the first seeds.", valueName: "number"))
    var seeds: Int?
    @Option(help: ArgumentHelp("Folder that holds the named data sets.", valueName: "folder"))
    var data: String?
    @Flag(help: "Discard the checkpoints of interrupted runs that an earlier experiment asked for otherwise.")
    var restart = false
    @Flag(help: "Only write tables and page of the runs that are there.") var reportOnly = false
    @Flag(help: "Print one JSON object on standard output.") var json = false
    @Flag(help: "No progress and no table.") var quiet = false

    func validate() throws {
        if let parallel, !(1...256).contains(parallel) {
            throw ValidationError("--parallel \(parallel): give a number from 1 to 256.")
        }
        if let seeds, seeds < 1 { throw ValidationError("--seeds \(seeds): give at least 1.") }
    }

    mutating func run() throws {
        var loaded = try Experiment.load(experiment)
        if let seeds { loaded.seeds = Array(loaded.seeds.prefix(seeds)) }
        let folder = out ?? "comparisons/" + loaded.folderName
        let plan = try ComparisonPlan(experiment: loaded, file: experiment, folder: folder, data: data)
        let files = try RunFolder(path: folder)
        try files.checkComparison()
        if !reportOnly {
            try plan.check(discards: restart)
            Interruption.install()
            try plan.execute(parallel: parallel ?? loaded.parallel ?? 1, isQuiet: quiet)
        }
        let result = ComparisonResult(experiment: loaded, curves: plan.curves())
        guard !result.curves.isEmpty else {
            files.discardIfNew()
            if Interruption.isRequested { throw ExitStatus.interrupted }
            throw DataError(subject: folder, problem: "holds no finished run", advice: "Run it without --report-only")
        }
        guard result.curves.contains(where: { $0.failure == nil && !$0.scores.isEmpty }) else {
            throw DataError(
                subject: experiment, problem: "no run has a test or validation score to compare",
                advice: "Name a file of test rows with test:, or set validation under train:")
        }
        try files.writeComparison(result, markdown: result.markdown, page: result.page())
        if json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(result), as: UTF8.self) + "\n")
        } else if !quiet {
            try Console.result(
                result.markdown + "\n\(plan.runs.count { !plan.isDone($0) }) of \(plan.runs.count) runs missing; "
                    + "results in \(folder): comparison.html, comparison.md, comparison.json\n")
        }
        if Interruption.isRequested { throw ExitStatus.interrupted }
    }
}

/// The runs of a comparison with their folders.
struct ComparisonPlan {
    /// One run.
    struct Run {
        var method: Experiment.Method
        var rate: Double?
        var strength: Double?
        var seed: UInt64
        var folder: String
    }

    let experiment: Experiment
    let source: String
    let folder: String
    let dataFolder: String?
    let runs: [Run]

    init(experiment: Experiment, file: String, folder: String, data: String?) throws {
        (self.experiment, self.folder, dataFolder) = (experiment, folder, data)
        let beside = (file as NSString).deletingLastPathComponent + "/" + experiment.data
        source = FileManager.default.fileExists(atPath: beside) ? beside : experiment.data
        runs = experiment.seeds.flatMap { seed in
            experiment.methods.flatMap { method in
                method.variants.map { rate, strength in
                    let name = Experiment.folderName(method.name)
                    let part = (rate.map { "-\($0)" } ?? "") + (strength.map { "-penalty\($0)" } ?? "")
                    return Run(
                        method: method, rate: rate, strength: strength, seed: seed,
                        folder: "\(folder)/runs/\(name)\(part)-seed\(seed)")
                }
            }
        }
        var seen: Set<String> = []
        if let twice = runs.first(where: { !seen.insert($0.folder).inserted }) {
            throw DataError(
                subject: file, problem: "two runs would share the folder \(twice.folder)",
                advice: "Give methods names that differ in letters or digits, and each rate once")
        }
    }

    /// Whether a run was made to its end, as the experiment asks for it now.
    func isDone(_ run: Run) -> Bool {
        guard let plan = try? plan(run), (try? InputFile.bytes(run.folder + "/" + RunFolder.done)) == plan else {
            return false
        }
        if FileManager.default.fileExists(atPath: run.folder + "/failure.txt") { return true }
        struct Ending: Decodable { var termination: String }
        guard let data = FileManager.default.contents(atPath: run.folder + "/report.json"),
            let ending = try? JSONDecoder().decode(Ending.self, from: data)
        else { return false }
        return ending.termination != Termination.cancelled.rawValue
    }

    /// What a run is made by, as its folder keeps it.
    private func plan(_ run: Run) throws -> [UInt8] {
        struct Plan: Encodable {
            var arguments: [String]
            var fit: FitSettings?
            var training: TrainingSettings?
        }
        let made = RunConfiguration(command: [], settings: try settings(run))
        let plan = Plan(arguments: arguments(run), fit: made.fit, training: made.training)
        return [UInt8](try JSONEncoder.report.encode(plan))
    }

    /// Whether the folder of a run was made for what the experiment asks for now.
    private func isSame(_ run: Run) throws -> Bool {
        (try? InputFile.bytes(run.folder + "/plan.json")) == (try plan(run))
    }

    /// Refuses folders of runs that hold files of a user's, or the checkpoint of a run that was asked for otherwise.
    ///
    /// - Parameter discards: whether such a checkpoint may go.
    func check(discards: Bool) throws {
        struct Made: Decodable { var arguments: [String] }
        for run in runs where FileManager.default.fileExists(atPath: run.folder) {
            let present = ["plan.json", "settings.json", "errors.txt", "failure.txt", RunFolder.done]
                .filter { FileManager.default.fileExists(atPath: run.folder + "/" + $0) }
            let made = FileManager.default.contents(atPath: run.folder + "/plan.json")
                .flatMap { try? JSONDecoder().decode(Made.self, from: $0) }
            if let first = present.first, !["train", "fit"].contains(made?.arguments.first) {
                throw DataError(
                    subject: run.folder, problem: "holds '\(first)', and no comparison of Descent wrote it",
                    advice: "Give another folder with --out")
            }
            guard try !discards && !isDone(run) && !isSame(run) && RunFolder(path: run.folder).hasCheckpoint else {
                continue
            }
            throw DataError(
                subject: run.folder, problem: "holds the checkpoint of a run that was asked for otherwise",
                advice: "Finish it with the experiment as it was, give another --out, or discard it with --restart")
        }
    }

    /// Runs what is not there yet, each in a process of its own.
    func execute(parallel: Int, isQuiet: Bool) throws {
        var waiting = runs.filter { !isDone($0) }
        // A run may have been killed behind its last result: opening its folder clears away what it left.
        for run in runs where isDone(run) { _ = try? RunFolder(path: run.folder) }
        let total = waiting.count
        var active: [(process: Process, run: Run, errors: URL)] = []
        var done = 0
        let begin = Date()
        var wasAsked = false
        defer {
            // A run that failed ends the others: they would be started again beside themselves.
            for (process, _, _) in active where process.isRunning {
                process.terminate()
                process.waitUntilExit()
            }
        }
        while !waiting.isEmpty || !active.isEmpty {
            while active.count < parallel, !waiting.isEmpty, !Interruption.isRequested {
                active.append(try start(waiting.removeFirst()))
            }
            if Interruption.isRequested, !wasAsked {
                for (process, _, _) in active { process.terminate() }
                (waiting, wasAsked) = ([], true)
            }
            for (process, run, errors) in active where !process.isRunning {
                done += 1
                if !Interruption.isRequested { try finish(process, run, errors) }
                let left = Date().timeIntervalSince(begin) / Double(done) * Double(total - done)
                if !isQuiet {
                    let rate =
                        (run.rate.map { String(format: ", lr %.3g", $0) } ?? "")
                        + (run.strength.map { String(format: ", penalty %.3g", $0) } ?? "")
                    Console.note(
                        "\(done)/\(total)  \(run.method.name)\(rate), seed \(run.seed)  \(outcome(run))  "
                            + "about \(Format.duration(left)) left")
                }
            }
            active.removeAll { !$0.process.isRunning }
            if !active.isEmpty { usleep(20_000) }
        }
    }

    private func start(_ run: Run) throws -> (process: Process, run: Run, errors: URL) {
        let made = try plan(run)
        // An interrupted run goes on; what an earlier plan left in the folder is not this run's.
        let resumes = try isSame(run) && RunFolder(path: run.folder).hasCheckpoint
        _ = try RunFolder(path: run.folder)
        unlink(run.folder + "/failure.txt")
        try AtomicFile.write(made, to: run.folder + "/plan.json")
        let configuration = RunConfiguration(command: [], settings: try settings(run))
        try AtomicFile.write(
            [UInt8](try JSONEncoder.report.encode(configuration)), to: run.folder + "/settings.json")
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments(run) + [resumes ? "--resume" : "--restart"]
        let errors = URL(filePath: run.folder + "/errors.txt")
        try AtomicFile.write([UInt8](), to: errors.path)
        process.standardError = try FileHandle(forWritingTo: errors)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return (process, run, errors)
    }

    private func settings(_ run: Run) throws -> RunSettings {
        run.method.fit == nil
            ? .train(
                try experiment.settings(run.method, rate: run.rate, strength: run.strength, seed: run.seed))
            : .fit(try experiment.fitSettings(run.method, seed: run.seed))
    }

    private func arguments(_ run: Run) -> [String] {
        var arguments = [run.method.fit == nil ? "train" : "fit", source]
        arguments += ["--out", run.folder, "--quiet", "--threads", "\(experiment.threads ?? 1)"]
        arguments += ["--seed", "\(run.seed)"]
        if let classes = experiment.classes {
            arguments += ["--classes", classes.map(String.init).joined(separator: ",")]
        }
        if let subset = experiment.subset { arguments += ["--subset", "\(subset)"] }
        if let test = experiment.test {
            let beside = (source as NSString).deletingLastPathComponent + "/" + test
            arguments += ["--test", FileManager.default.fileExists(atPath: beside) ? beside : test]
        }
        if let target = experiment.target { arguments += ["--target", target] }
        if let dataFolder { arguments += ["--data", dataFolder] }
        return arguments + ["--config", run.folder + "/settings.json"]
    }

    private func finish(_ process: Process, _ run: Run, _ errors: URL) throws {
        defer { try? FileManager.default.removeItem(at: errors) }
        // Last: what is there is then what was asked for.
        func note() throws { try AtomicFile.write(try plan(run), to: run.folder + "/" + RunFolder.done) }
        guard process.terminationStatus != 0 else { return try note() }
        let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
        let last = text.split(separator: "\n").last.map(String.init) ?? "status \(process.terminationStatus)"
        // A diverged run is a result; anything else would fail again and must be seen.
        guard process.terminationStatus == ExitStatus.diverged.rawValue else {
            throw DataError(
                subject: run.folder, problem: "the run failed: \(last)",
                advice: "Correct the experiment and run it again")
        }
        try AtomicFile.write(Array(last.utf8), to: run.folder + "/failure.txt")
        try note()
    }

    private func outcome(_ run: Run) -> String {
        guard let curve = curve(run) else { return "interrupted" }
        return curve.failure == nil
            ? "\(Format.percent(curve.last)) in \(Format.number(curve.total)) s" : "diverged"
    }

    /// The curves of the runs that are there.
    func curves() -> [RunCurve] { runs.filter(isDone).compactMap(curve) }

    private func curve(_ run: Run) -> RunCurve? {
        let method = run.method.name
        if let text = try? String(contentsOfFile: run.folder + "/failure.txt", encoding: .utf8) {
            return RunCurve(
                method: method, rate: run.rate, seed: run.seed, seconds: [], epochs: [], scores: [], failure: text)
        }
        guard let data = FileManager.default.contents(atPath: run.folder + "/report.json") else { return nil }
        if run.method.fit == nil {
            guard let report = try? JSONDecoder.report.decode(TrainingReport.self, from: data) else { return nil }
            let points = report.history.filter { $0.testScore ?? $0.validationScore != nil }
            var curve = RunCurve(
                method: method, rate: run.rate, seed: run.seed, seconds: points.map(\.seconds),
                epochs: points.map { $0.epoch ?? 0 }, scores: points.map { $0.testScore ?? $0.validationScore ?? 0 })
            let structures = points.compactMap(\.structure)
            if !structures.isEmpty {
                curve.structure = RunStructure(
                    strength: run.strength ?? report.settings?.target?.share
                        ?? report.settings?.penalty?.settings["lambda"]?.number,
                    sparsity: structures.map { $0.groupSparsity ?? $0.lowRankLevel ?? $0.zeroShare },
                    fingerprints: structures.map(\.fingerprint), objective: report.objective,
                    secondsPerEpoch: report.seconds / max(1e-9, report.epochs))
            }
            return curve
        }
        guard let report = try? JSONDecoder.report.decode(FitReport.self, from: data) else { return nil }
        var points = report.history.filter { $0.testScore ?? $0.validationScore != nil }
            .map { ($0.seconds, Double($0.step), $0.testScore ?? $0.validationScore ?? 0) }
        if let final = report.testAccuracy ?? report.testR2 {
            points.append((report.seconds, Double(report.iterations), final))
        }
        return RunCurve(
            method: method, rate: nil, seed: run.seed, seconds: points.map(\.0), epochs: points.map(\.1),
            scores: points.map(\.2))
    }
}
