import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Reports
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
            """
            Settings from the config.json of a run, in place of options for network, training, head and validation; seed \
            and time limit may be given beside it.
            """,
            valueName: "file"))
    var config: String?

    func run() throws {
        if let threads = running.threads { Runtime.threads = threads }
        let device = try Device.available(optimization.device)
        let settings = try self.settings()
        var request = try data.request(seed: settings.seed)
        let architecture = ArchitectureCatalogue.catalogue[settings.model]
        request.mayLackTarget = architecture is any SelfSupervisedArchitecture.Type
        let loaded = try loadData(request)
        Interruption.install()
        let renderer = ProgressRenderer(
            isQuiet: running.quiet, scoreName: loaded.task == .regression ? "R²" : "accuracy")
        let folder = running.out ?? "runs/" + RunFolder.safeName(loaded.train.name) + "-train"
        var options = running.options
        (options.keeps, options.source) = (optimization.keep, data.source)
        if !running.quiet { options.prepared = { announce(settings, loaded, device) } }
        let report = try settings.fit(loaded, in: folder, device: device, options) { event in
            if !running.quiet { for line in event.announcement { Console.note(line) } }
            renderer.show(event.progress)
            return Interruption.isRequested ? .stop : .proceed
        }.report
        renderer.finish()
        try running.print(report, TrainingSummary.text(report) + "\n\nresults in \(folder)")
        if report.termination == Termination.cancelled.rawValue { throw ExitStatus.interrupted }
    }

    private func announce(_ settings: TrainingSettings, _ loaded: LoadedData, _ device: Device) {
        Console.describe(loaded)
        let head = settings.head.map {
            " with a \($0.solves == .never ? "two-layer" : "convex") head of \($0.units) units"
        }
        let around = (settings.before ?? []).map(\.text) + [settings.optimizer] + (settings.after ?? []).map(\.text)
        Console.note(
            "\(settings.model)\(head ?? ""), \(around.joined(separator: " → ")), batches of \(settings.batch), "
                + "\(Runtime.threads) threads on \(device)")
    }

    private func settings() throws -> TrainingSettings {
        guard let config else { return described() }
        let usual = try TrainCommand.parse(["data"]).described()
        return try ConfigurationFile.training(config, beside: (described(), usual))
    }

    private func described() -> TrainingSettings {
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
