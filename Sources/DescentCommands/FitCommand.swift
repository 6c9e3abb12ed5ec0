import ArgumentParser
import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Interchange
import Reports
import Proximal
import RunLog
import Torch

/// `descent fit`
struct FitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fit",
        abstract: "Trains a two-layer network as a convex program, with a certificate.",
        discussion: """
            There is no learning rate to choose. For tables the penalty is found by cross-validation; the report says
            what was chosen and why. The run folder holds the model, the numbers and a page to look at.

              descent fit fashion-mnist
              descent fit train.csv --target price --task regression --test holdout.csv
              descent fit features.npz --patterns 32 --penalty 10 --tolerance 1e-4
              descent fit features.npz --patterns from:runs/a/model.safetensors
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Solver") var solver: SolverOptions
    @OptionGroup(title: "Run") var running: RunOptions

    func validate() throws {
        try model.validate()
        try solver.validate()
    }

    mutating func run() throws {
        if let threads = running.threads { Runtime.threads = threads }
        let isQuiet = running.quiet
        let loaded = try loadData(data.request(seed: running.seed))
        let options = try fitOptions(loaded)
        let folder = try RunFolder(path: running.out ?? "runs/" + RunFolder.safeName(loaded.train.name))
        var isFitted = false
        defer { if !isFitted { folder.discardIfNew() } }
        let trainer = ConvexTrainer(options: options)
        let estimate = trainer.estimatedBytes(loaded)
        if !isQuiet { announce(loaded, options, estimate) }
        let resume = running.resume ? try folder.readCheckpoint(loaded.train.hash, options.device, arguments) : nil
        try folder.check(isResumed: running.resume, discards: running.restart)
        Interruption.install()
        let renderer = ProgressRenderer(isQuiet: isQuiet, scoreName: loaded.task == .regression ? "R²" : "accuracy")
        var metrics: MetricsLog?
        var failure: (any Error)?
        var lastCheckpoint = Date()
        var latest: ConvexRunCheckpoint?
        var (trained, report) = try trainer.fit(loaded, resume: resume) { event in
            do {
                if metrics == nil { metrics = try begin(folder, resume) }
            } catch {
                failure = error
                return .stop
            }
            renderer.show(event.progress)
            metrics?.append(event.progress)
            latest = event.checkpoint ?? latest
            if let checkpoint = event.checkpoint,
                Date().timeIntervalSince(lastCheckpoint) >= running.checkpointSeconds
            {
                // A failed periodic checkpoint must not end a long run; the final one reports its error.
                try? folder.writeCheckpoint(checkpoint, loaded.train.hash, arguments)
                lastCheckpoint = Date()
            }
            return Interruption.isRequested ? .stop : .proceed
        }
        if let failure { throw failure }
        // A run that had nothing to report has results all the same.
        if metrics == nil { metrics = try begin(folder, resume) }
        isFitted = true
        renderer.finish()
        trained.facts = Self.facts(report)
        report.advice = ErrorText.flags(report.advice)
        let isCut = Self.cuts.contains(report.termination)
        if isCut, latest == nil, resume == nil {
            // What a termination advises takes a checkpoint.
            report.advice = "The run was stopped before its first checkpoint: give it more time, or start it again."
        }
        do {
            try folder.writeResults(model: trained, report: report, data: loaded)
        } catch {
            // The work must not be lost with the disk: a resumed run goes on from here.
            if let latest { try? folder.writeCheckpoint(latest, loaded.train.hash, arguments) }
            throw error
        }
        if !isCut {
            folder.removeCheckpoint()
        } else if let latest {
            try folder.writeCheckpoint(latest, loaded.train.hash, arguments)
        } else if resume == nil {
            // A resumed run that got no further keeps the checkpoint that it came from.
            Console.note("note: stopped before penalty and patterns were found: run again without --resume")
        }
        try printResult(report, folder)
        try end(report)
    }

    /// Terminations of a run that can go on.
    private static let cuts: Set = [Termination.cancelled.rawValue, Termination.timeLimit.rawValue]

    /// Ends the command with the status of the run.
    private func end(_ report: FitReport) throws {
        if report.termination == Termination.nonFinite.rawValue {
            Console.note("descent: \(Termination.nonFinite.explanation) \(report.advice)")
            throw ExitStatus.diverged
        }
        if solver.requireConvergence, report.termination != Termination.converged.rawValue {
            throw ExitStatus.unconverged
        }
        if report.termination == Termination.cancelled.rawValue { throw ExitStatus.interrupted }
    }

    /// Makes room in the folder and opens the log.
    private func begin(_ folder: RunFolder, _ resume: ConvexRunCheckpoint?) throws -> MetricsLog {
        try folder.begin(isResumed: running.resume, command: RunOptions.command)
        guard let last = resume?.history.last else { return try folder.openMetrics() }
        // A line is of the time before the checkpoint, or is written again.
        return try folder.openMetrics { lines in
            let index = lines.lastIndex { line in
                line.phase == last.phase && line.iteration == last.iteration && line.objective == last.objective
            }
            return index.map { $0 + 1 } ?? lines.count { $0.seconds <= last.seconds }
        }
    }

    /// Arguments that define the result; a resumed run must have the same.
    private var arguments: [String] {
        var kept: [String] = []
        var skipsNext = false
        let neutralFlags: Set = ["--resume", "--restart", "--json", "--quiet", "--require-convergence"]
        let neutralOptions: Set = ["--out", "--time-limit", "--threads", "--max-iterations", "--checkpoint-seconds"]
        for argument in CommandLine.arguments.dropFirst() {
            if skipsNext {
                skipsNext = false
            } else if neutralOptions.contains(argument) {
                skipsNext = true
            } else if !neutralFlags.contains(argument),
                !neutralOptions.contains(where: { argument.hasPrefix($0 + "=") })
            {
                kept.append(argument)
            }
        }
        return kept
    }

    private func fitOptions(_ loaded: LoadedData) throws -> FitOptions {
        var options = FitOptions()
        options.convex.admm = solver.admm
        options.convex.formulation = model.formulation
        options.convex.sharing = model.outputs
        options.convex.tolerance = solver.tolerance
        let isLarge = loaded.train.count > options.crossValidationRows
        options.convex.maxIterations = solver.maxIterations ?? (isLarge ? 150 : 3000)
        options.convex.timeLimit = solver.timeLimit
        options.convex.refreshes = model.refreshes
        options.convex.epochs = model.epochs
        options.precision = solver.dtype.map { $0 == .float64 ? .float64 : .float32 }
        options.convex.seed = running.seed
        options.loss = model.loss
        options.penalty = model.penalty
        options.neurons = model.neurons
        options.hasBias = model.bias
        if model.standardize == false { options.standardisation = Standardisation.none }
        options.validation = data.validation
        options.device = try solver.availableDevice()
        try model.applyPatterns(to: &options)
        if solver.preset == .paper {
            guard (model.loss ?? "squared") == "squared" else {
                throw DataError(
                    subject: "--preset paper", problem: "is for the squared loss, as published",
                    advice: "Leave --loss out, or leave the preset out")
            }
            options.loss = "squared"
            if model.patterns == nil, model.gates == nil { options.patterns = .sampled(32) }
        }
        if loaded.task == .regression, let name = model.loss, let loss = LossCatalogue.named(name),
            !type(of: loss).acceptsValues
        {
            let suited = LossCatalogue.all.filter { type(of: $0).acceptsValues }.map { type(of: $0).name }
            throw DataError(
                subject: "--loss \(name)", problem: "is for classes, but the target holds values",
                advice: "Use --loss \(suited.joined(separator: " or ")), or --task classification")
        }
        return options
    }

    private func announce(_ loaded: LoadedData, _ options: FitOptions, _ estimate: Double) {
        Console.describe(loaded)
        Console.note(
            "\(options.hasBias ? "with" : "without") bias column, \(options.convex.formulation.rawValue) formulation, "
                + "\(Runtime.threads) threads on \(options.device), about \(Format.bytes(Int(min(1e18, estimate)))) of memory"
        )
    }

    private static func facts(_ report: FitReport) -> [String: String] {
        var facts = [
            "objective": Format.number(report.objective), "penalty": Format.number(report.penalty),
            "termination": report.termination, "certificate": report.certificate, "seed": "\(report.seed)",
            "rows": "\(report.rows)", "data hash": report.dataHash,
        ]
        if let test = report.testAccuracy { facts["test accuracy"] = Format.percent(test) }
        if let test = report.testR2 { facts["test R²"] = Format.number(test) }
        return facts
    }

    private func printResult(_ report: FitReport, _ folder: RunFolder) throws {
        if running.json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(report), as: UTF8.self) + "\n")
        } else if !running.quiet {
            try Console.result(
                Summary.text(report) + "\n\nresults in \(folder.path): model.safetensors, report.json, report.html\n")
        }
    }
}
