import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import RunLog
import Settings
import Torch
import Training

extension ConvexHead.Solves: ExpressibleByArgument {}

/// A head that is solved as a convex program.
struct HeadOptions: ParsableArguments {
    enum Head: String, ExpressibleByArgument, CaseIterable {
        /// The network's own last part, trained by the optimizer.
        case own
        /// Two layers, solved as a convex program between epochs of the features.
        case convex
        /// Two layers, solved once at the start.
        case first
        /// The same two layers, trained by the optimizer.
        case trained
    }

    @Option(
        help: """
            own: the network's last part, trained. convex: two layers solved as a convex program between epochs of the \
            features (CRONOS-AM). first: solved once. trained: those two layers, trained.
            """)
    var head = Head.own

    @Option(parsing: .unconditional, help: ArgumentHelp("Hidden units of the convex head.", valueName: "number"))
    var headUnits = ConvexHead().units

    @Option(parsing: .unconditional, help: ArgumentHelp("Epochs between convex solves.", valueName: "number"))
    var solveEvery = ConvexHead().interval

    @Option(parsing: .unconditional, help: ArgumentHelp("Most iterations of a convex solve.", valueName: "number"))
    var headIterations = ConvexHead().iterations

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Penalty of the head for each row, or auto: from \(ConvexHead().penalty) on, chosen by the loss on the rows of --validation.
            """, valueName: "number|auto"))
    var headPenalty = "\(ConvexHead().penalty)"

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Rows that convex solves use; all unless given.", valueName: "rows")
    )
    var headRows: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Growth of the features' batch from one solve to the next.", valueName: "factor"))
    var batchGrowth = 1.0

    func validate() throws {
        if headUnits < 1 { throw ValidationError("--head-units \(headUnits): give at least 1.") }
        if !(solveEvery > 0 && solveEvery <= 1e6) {
            throw ValidationError("--solve-every \(solveEvery): give a number above 0, at most 1000000.")
        }
        if headIterations < 1 { throw ValidationError("--head-iterations \(headIterations): give at least 1.") }
        guard headPenalty == "auto" || headPenaltyNumber.map({ $0 > 0 && $0.isFinite }) == true else {
            throw ValidationError("--head-penalty \(headPenalty): give a number above 0, or auto.")
        }
        if headPenalty == "auto", head != .convex {
            throw ValidationError("--head-penalty auto chooses between solves: give --head convex with it.")
        }
        if !(batchGrowth >= 1) { throw ValidationError("--batch-growth \(batchGrowth): give at least 1.") }
        if let headRows, headRows < 2 { throw ValidationError("--head-rows \(headRows): give at least 2.") }
    }

    private var headPenaltyNumber: Double? { Double(headPenalty) }

    var settings: ConvexHead? {
        guard head != .own else { return nil }
        var settings = ConvexHead()
        settings.solves = head == .convex ? .every : head == .first ? .first : .never
        settings.units = headUnits
        settings.interval = solveEvery
        settings.iterations = headIterations
        settings.penalty = headPenaltyNumber ?? settings.penalty
        settings.choosesPenalty = headPenalty == "auto"
        settings.rows = headRows
        settings.batchGrowth = batchGrowth
        return settings
    }
}

/// `descent train`
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains any network with any optimizer, or with a convex head.",
        discussion: """
            The run folder holds the model (a PyTorch state dict), the numbers, TensorBoard events, checkpoints and a
            page to look at. With --resume an interrupted run goes on to the same result, bit for bit on a CPU.

              descent train fashion-mnist --model cnn --optimizer adamw --lr 1e-3 --epochs 5
              descent train cifar10_train.bin.gz --model resnet18 --schedule cosine --crop 4 --flip
              descent train cifar10_train.bin.gz --classes 0,1 --model mlp --head convex
              descent train table.csv --target y --optimizer lion --set weight_decay=0.1 --patience 5
              descent train fashion-mnist --model cnn --optimizer ramda --penalty group-lasso --strength 2e-4
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var optimization: OptimizationOptions
    @OptionGroup(title: "Structure") var structure: StructureOptions
    @OptionGroup(title: "Convex head") var head: HeadOptions
    @OptionGroup(title: "Run") var running: RunOptions

    @Option(
        help: ArgumentHelp(
            "Settings from the config.json of a run, in place of all options for network, training, head and validation.",
            valueName: "file"))
    var config: String?

    mutating func run() throws {
        if let threads = running.threads { Runtime.threads = threads }
        let device = try Device.available(optimization.device)
        let settings = try self.settings()
        let loaded = try loadData(data.request(seed: running.seed))
        let folder = try RunFolder(path: running.out ?? "runs/" + RunFolder.safeName(loaded.train.name) + "-train")
        var isDone = false
        defer { if !isDone { folder.discardIfNew() } }
        let session = TrainingSession(
            folder: folder, settings: settings, options: optimization, device: device, running: running,
            loaded: loaded, source: data.source)
        let report = try session.run()
        isDone = true
        if running.json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(report), as: UTF8.self) + "\n")
        } else if !running.quiet {
            try Console.result(TrainingSummary.text(report) + "\n\nresults in \(folder.path)\n")
        }
        if report.termination == Termination.cancelled.rawValue { throw ExitCode(130) }
    }

    private func settings() throws -> TrainingSettings {
        if let config {
            struct Stored: Decodable { var training: SettingTree }
            return try JSONDecoder().decode(Stored.self, from: Data(InputFile.bytes(config)))
                .training.trainingSettings(of: config)
        }
        var settings = TrainingSettingsBuilder(
            network: network, optimization: optimization, structure: structure, validation: data.validation,
            seed: running.seed
        ).settings()
        settings.head = head.settings
        if settings.head != nil, settings.head?.solves != .never, optimization.optimizer == nil {
            // The paper's choice: it finds its own rate, so nothing is left to tune.
            settings.optimizer = "dadapt_adam"
            if settings.optimizerSettings["lr"] == nil { settings.optimizerSettings["lr"] = .number(1) }
        }
        return settings
    }
}

/// The config.json of a training run.
struct ConfigFile: Encodable {
    var command: [String]
    var version: String
    var torch: String
    var training: TrainingSettings
}

/// A run with its files.
struct TrainingSession {
    let folder: RunFolder
    let settings: TrainingSettings
    let options: OptimizationOptions
    let device: Device
    let running: RunOptions
    let loaded: LoadedData
    /// The data as they were named.
    let source: String

    func run() throws -> TrainingReport {
        if !running.quiet { announce() }
        let checkpoints = CheckpointFolder(folder: folder.path, keeps: options.keep)
        let resume = running.resume ? try checkpoints.newest() : nil
        try folder.check(isResumed: running.resume, discards: running.restart)
        Interruption.install()
        let renderer = ProgressRenderer(
            isQuiet: running.quiet, scoreName: loaded.task == .regression ? "R²" : "accuracy")
        var logs: (metrics: MetricsLog, board: TensorBoardWriter)?
        var lastCheckpoint = Date()
        var final: (() throws -> Void)?
        var failure: (any Error)?
        let (trained, report) = try settings.fit(loaded, device: device, resumingFrom: resume) { event in
            do {
                // Only now are the settings known to be good: what an earlier run left goes no sooner.
                if logs == nil { logs = try begin(event) }
            } catch {
                failure = error
                return .stop
            }
            if !running.quiet { for line in event.announcement { Console.note(line) } }
            renderer.show(event.progress)
            if event.isFinal { final = { try checkpoints.write(event) } }
            if let point = event.point {
                logs?.metrics.append(event.progress)
                try? logs?.board.add(step: point.step, scalars: point.scalars)
                if event.isBest { try? event.model?().save(to: folder.path + "/best.safetensors") }
                if Date().timeIntervalSince(lastCheckpoint) >= running.checkpointSeconds {
                    // A failed periodic checkpoint must not end a long run; the final one reports its error.
                    try? checkpoints.write(event)
                    lastCheckpoint = Date()
                }
            }
            return Interruption.isRequested ? .stop : .proceed
        }
        if let failure { throw failure }
        renderer.finish()
        let isCut = [Termination.cancelled.rawValue, Termination.timeLimit.rawValue].contains(report.termination)
        if isCut { try final?() }
        var model = trained
        model.facts = Self.facts(report)
        model.facts["data"] = source
        do {
            try model.save(to: folder.path + "/model.safetensors")
        } catch {
            // The work must not be lost with the disk: a resumed run goes on from here.
            try? final?()
            throw error
        }
        try folder.write(report, page: try TrainingPage(report: report, result: (loaded, model)).render())
        if !isCut { folder.removeCheckpoint() }
        return report
    }

    /// Opens the logs, and clears away what an earlier run in the folder left.
    private func begin(_ first: TrainerEvent) throws -> (MetricsLog, TensorBoardWriter) {
        try folder.begin(isResumed: running.resume, settings: settings)
        let lines = first.evaluations - (first.point == nil ? 0 : 1)
        let metrics = try folder.openMetrics(keeping: running.resume ? { _ in lines } : nil)
        return (metrics, try TensorBoardWriter(folder: folder.path))
    }

    private func announce() {
        Console.describe(loaded)
        let head = settings.head.map {
            " with a \($0.solves == .never ? "two-layer" : "convex") head of \($0.units) units"
        }
        let around = (settings.before ?? []).map(\.text) + [settings.optimizer] + (settings.after ?? []).map(\.text)
        Console.note(
            "\(settings.model)\(head ?? ""), \(around.joined(separator: " → ")), batches of \(settings.batch), "
                + "\(Runtime.threads) threads on \(device)")
    }

    private static func facts(_ report: TrainingReport) -> [String: String] {
        var facts = [
            "method": report.method, "steps": "\(report.steps)", "termination": report.termination,
            "data hash": report.dataHash,
        ]
        facts["seed"] = report.settings.map { "\($0.seed)" }
        if let test = report.testScore { facts["test score"] = Format.percent(test) }
        return facts
    }
}

extension TrainingPoint {
    /// The numbers of an evaluation with their TensorBoard tags.
    var scalars: [(tag: String, value: Double)] {
        let all: [(String, Double?)] = [
            ("loss/train", trainLoss), ("score/validation", validationScore),
            ("score/test", testScore), ("learning_rate", learningRate), ("gradient_norm", gradientNorm),
            ("structure/group_sparsity", structure?.groupSparsity), ("structure/low_rank", structure?.lowRankLevel),
            ("structure/zeros", structure?.zeroShare), ("structure/strength", structure?.strength),
            ("convex/objective", objective), ("convex/relative_gap", relativeGap), ("convex/penalty", penalty),
            ("seconds", seconds),
        ]
        return all.compactMap { tag, value in value.map { (tag, $0) } }
    }
}

/// The checkpoints of a run folder: the newest few.
struct CheckpointFolder {
    let folder: String
    let keeps: Int

    private var path: String { folder + "/checkpoint" }

    private var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { $0.hasPrefix("step-") && RunFolder.isCheckpoint(named: $0, in: path) }.sorted()
    }

    func newest() throws -> String {
        guard let last = files.last else {
            throw DataError(
                subject: folder, problem: "holds no checkpoint to resume",
                advice: "Only an interrupted run leaves one; start it again without --resume")
        }
        return path + "/" + last
    }

    /// Writes the newest checkpoint, named by the batches done, and removes those beyond the number to keep.
    func write(_ event: TrainerEvent) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let number = String(event.batches)
        let padded = String(repeating: "0", count: max(0, 10 - number.count)) + number
        try event.writeCheckpoint("\(path)/step-\(padded).safetensors")
        for old in files.dropLast(keeps) { unlink(path + "/" + old) }
    }
}
