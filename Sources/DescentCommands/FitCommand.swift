import ArgumentParser
import ConvexNetworks
import Datasets
import Estimators
import Reports
import RunLog
import Settings
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
              descent fit train.csv --target price --config runs/a/config.json
            """)

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Solver") var solver: SolverOptions
    @OptionGroup(title: "Run") var running: RunOptions

    @Option(
        help: ArgumentHelp(
            """
            Settings from the config.json of a run, in place of options for model, solver and validation; seed, time and \
            iteration limits may be given beside it.
            """,
            valueName: "file"))
    var config: String?

    func validate() throws {
        do {
            if config == nil { try settings().validate() }
        } catch let error as SettingError {
            throw ValidationError(ErrorText.setting(error))
        }
    }

    func run() throws {
        if let threads = running.threads { Runtime.threads = threads }
        let settings = try self.settings()
        let device = try Device.available(solver.device)
        let loaded = try loadData(data.request(seed: settings.seed))
        let trainer = ConvexTrainer(options: try settings.options(for: loaded, device: device))
        Interruption.install()
        let renderer = ProgressRenderer(
            isQuiet: running.quiet, scoreName: loaded.task == .regression ? "R²" : "accuracy")
        let folder = running.out ?? "runs/" + RunFolder.safeName(loaded.train.name)
        var options = running.options
        if !running.quiet { options.prepared = { announce(loaded, trainer) } }
        let report = try trainer.fit(loaded, in: folder, options, settings: settings) { event in
            renderer.show(event.progress)
            return Interruption.isRequested ? .stop : .proceed
        }.report
        renderer.finish()
        if report.advice == FitReport.stoppedEarly { Console.note("note: " + report.advice) }
        try running.print(
            report,
            Summary.text(report) + "\n\nresults in \(folder): model.safetensors, report.json, report.html")
        try end(report)
    }

    /// The settings that the options describe, or those of a file.
    private func settings() throws -> FitSettings {
        guard let config else { return try described() }
        return try ConfigurationFile.fit(config, beside: (described(), FitSettings()))
    }

    private func described() throws -> FitSettings {
        var settings = FitSettings()
        try model.fill(&settings)
        solver.fill(&settings)
        (settings.validation, settings.seed) = (data.validation ?? 0, running.seed)
        return settings
    }

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

    private func announce(_ loaded: LoadedData, _ trainer: ConvexTrainer) {
        let (options, bytes) = (trainer.options, Int(min(1e18, trainer.estimatedBytes(loaded))))
        Console.describe(loaded)
        Console.note(
            "\(options.hasBias ? "with" : "without") bias column, \(options.convex.formulation.rawValue) formulation, "
                + "\(Runtime.threads) threads on \(options.device), about \(Format.bytes(bytes)) of memory")
    }
}
