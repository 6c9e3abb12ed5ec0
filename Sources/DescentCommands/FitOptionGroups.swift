import ArgumentParser
import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Interchange
import Proximal
import Reports
import RunLog
import Settings
import Torch

extension Formulation: ExpressibleByArgument {}
extension OutputSharing: ExpressibleByArgument {}
extension PredictionTask: ExpressibleByArgument {}

extension FitSettings.Preset: ExpressibleByArgument {}
extension FitSettings.Preconditioner: ExpressibleByArgument {}
extension FitSettings.Precision: ExpressibleByArgument {}

extension FitOptions.Penalty: ExpressibleByArgument {
    /// Reads a word or a number.
    public init?(argument: String) { self.init(text: argument) }

    /// The word or number of the command line.
    public var defaultValueDescription: String { text }
}

/// What to train on.
struct DataOptions: ParsableArguments {
    @Argument(help: "A data set's name (see descent list) or a file: CSV, NPZ, NPY, IDX (.gz too), safetensors.")
    var source: String

    @Option(help: ArgumentHelp("Folder that holds the named data sets.", valueName: "folder"))
    var data: String?

    @Option(
        help: ArgumentHelp("Column to predict in a table, or a file of labels for NPY features.", valueName: "column"))
    var target: String?

    @Option(help: "classification or regression; found from the target unless given.")
    var task: PredictionTask?

    @Option(help: ArgumentHelp("File to score on, in the same format.", valueName: "file"))
    var test: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Fraction of the training rows held out for a validation score.", valueName: "fraction"))
    var validation: Double?

    @Option(help: ArgumentHelp("Keep only these classes, by number, as in 2,8.", valueName: "list"))
    var classes: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Train on a seeded, stratified draw of this many rows.", valueName: "rows"))
    var subset: Int?

    func validate() throws {
        if let validation, !(validation >= 0 && validation < 1) {
            throw ValidationError("--validation \(validation): give a fraction from 0 up to, not including, 1.")
        }
    }

    func request(seed: UInt64) throws -> DataRequest {
        var request = DataRequest(source: source)
        request.test = test
        request.dataFolder = data
        request.target = target
        request.task = task
        request.subset = subset
        request.seed = seed
        request.classes = try classes.map { list in
            try list.split(separator: ",", omittingEmptySubsequences: false).map { part in
                guard let number = Int(part.trimmingCharacters(in: .whitespaces)) else {
                    throw DataError(
                        subject: "--classes \(list)", problem: "'\(part)' is not a class number",
                        advice: "Give class numbers separated by commas, as in 2,8")
                }
                return number
            }
        }
        return request
    }
}

/// What to train.
struct ModelOptions: ParsableArguments {
    @Option(help: "relu: cone constraints, a ReLU network. gated: fixed gates, no constraints.")
    var formulation = Formulation.relu

    @Option(
        help: ArgumentHelp(
            "Loss: " + LossCatalogue.all.map { type(of: $0).name }.joined(separator: ", ")
                + ", or with a setting, as huber(delta=0.5); mse, bce and cross_entropy are squared, logistic and softmax. Default: softmax or logistic for "
                + "classes, squared for values.", valueName: "name"))
    var loss: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Penalty β of the group lasso, for losses summed over rows: a number, or search, for scores along a path \
            of penalties. Default: search up to 25000 rows and 5 million numbers, 0.001 for each row above.
            """, valueName: "number"))
    var penalty = FitOptions.Penalty.automatic

    @Option(
        help: ArgumentHelp(
            """
            Activation patterns: a number (random gates), grow (column generation), network (those of a short stochastic \
            run) or from:MODEL (those of a model file). Default: network.
            """, valueName: "source"))
    var patterns: String?

    @Option(
        help: ArgumentHelp("Gates to use: a d × P array, bias row included when the bias is.", valueName: "file.npy"))
    var gates: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Hidden units, or the most that may grow.", valueName: "number"))
    var neurons: Int?

    @Option(help: "separate: each neuron serves one output. joint: one norm over outputs. automatic: by the patterns.")
    var outputs = OutputSharing.automatic

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Passes of the stochastic run that proposes patterns.", valueName: "number"))
    var epochs: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Times to take new patterns from the network found and solve again.", valueName: "number"))
    var refreshes = 0

    @Flag(inversion: .prefixedNo, help: "Append a column of ones; it joins the gates, cones and norms.")
    var bias = true

    @Flag(
        inversion: .prefixedNo,
        help: "Standardise features, and the targets of a regression, with the training rows' statistics.")
    var standardize = true

    /// Writes the options into settings.
    func fill(_ settings: inout FitSettings) throws {
        settings.formulation = formulation
        do {
            settings.loss = try loss.map {
                try NamedSettings(
                    text: $0, among: LossCatalogue.catalogue.all, synonyms: LossCatalogue.catalogue.synonyms)
            }
        } catch let error as SettingError {
            throw SettingError("loss", "\(error)")
        }
        settings.penalty = penalty
        if let patterns {
            guard let found = FitSettings.Patterns(text: patterns) else {
                throw ValidationError(
                    "--patterns \(patterns): is neither a number, 'grow', 'network' nor 'from:MODEL'. Try --patterns 64, "
                        + "or --patterns from:runs/a/model.safetensors.")
            }
            settings.patterns = found
        }
        settings.gates = gates
        settings.neurons = neurons
        settings.outputs = outputs
        settings.epochs = epochs
        settings.refreshes = refreshes
        (settings.bias, settings.standardize) = (bias, standardize)
    }
}

/// How to solve.
struct SolverOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: ArgumentHelp("Relative gap at which the solve stops.", valueName: "number"))
    var tolerance = 1e-3

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Most ADMM iterations of one solve. Default: 3000 up to 25,000 rows, 150 above.", valueName: "number"))
    var maxIterations: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Seconds for the whole run; what was reached then is returned.", valueName: "seconds"))
    var timeLimit: Double?

    @Option(help: "paper: two splits, ρ 0.1, Nyström of rank 20, as published.")
    var preset: FitSettings.Preset?

    @Option(help: "Linear system: exact factor, or conjugate gradients with gram, nystrom or no preconditioner.")
    var preconditioner = FitSettings.Preconditioner.automatic

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Rank of the Nyström sketch; 0 adapts it.", valueName: "number"))
    var rank: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "ADMM penalty parameter ρ for unit-norm rows; by the penalty unless given.", valueName: "number"))
    var rho: Double?

    @Option(
        help: "Precision of the solve; double where it costs little unless given. Certificates are always in float64.")
    var dtype: FitSettings.Precision?

    @Option(help: "cpu, cuda or cuda:1.")
    var device = "cpu"

    @Flag(help: "Exit with status 2 when the tolerance was not reached.")
    var requireConvergence = false

    /// Writes the options into settings.
    func fill(_ settings: inout FitSettings) {
        settings.tolerance = tolerance
        settings.maxIterations = maxIterations
        settings.timeLimit = timeLimit
        settings.preset = preset
        settings.preconditioner = preconditioner
        (settings.rank, settings.rho) = (rank, rho)
        settings.precision = dtype
    }
}

extension Device {
    /// The device of a name.
    ///
    /// - Throws: `DataError` for what is no device, or none that this machine has.
    static func available(_ device: String) throws -> Device {
        guard let wanted = Device(device) else {
            throw DataError(subject: "--device \(device)", problem: "is no device", advice: "Use cpu, cuda or cuda:1")
        }
        guard wanted.isAvailable else {
            throw DataError(
                subject: "--device \(device)",
                problem: "is not available (CUDA devices found: \(Runtime.cudaDeviceCount))",
                advice: "Use --device cpu, or see descent doctor")
        }
        return wanted
    }
}

/// How to run.
struct RunOptions: ParsableArguments {
    /// What the configuration of a run says of who asked for it.
    static var command: [String] { ["descent"] + CommandLine.arguments.dropFirst() }

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads inside one operation; all cores unless given.", valueName: "number"))
    var threads: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Seed of everything random.", valueName: "number"))
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "Run folder; runs/NAME, or runs/NAME-train of descent train, unless given.", valueName: "folder"))
    var out: String?

    @Flag(help: "Continue the interrupted run in the run folder, with the same other arguments.")
    var resume = false

    @Flag(help: "Start again where the run folder holds the checkpoint of an interrupted run, and discard that.")
    var restart = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Least seconds between checkpoints.", valueName: "seconds"))
    var checkpointSeconds = 30.0

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    @Flag(help: "No progress and no summary.")
    var quiet = false

    /// How the run is kept in its folder.
    var options: RunRecorder.Options {
        var options = RunRecorder.Options()
        (options.resumes, options.restarts, options.checkpointSeconds) = (resume, restart, checkpointSeconds)
        (options.command, options.wording) = (Self.command, ErrorText.flags)
        return options
    }

    /// Prints a report as one object, or as text; nothing when quiet.
    func print(_ report: some RunReport, _ text: @autoclosure () -> String) throws {
        if json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(report), as: UTF8.self) + "\n")
        } else if !quiet {
            try Console.result(text() + "\n")
        }
    }

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): give a number from 1 to 1024.")
        }
        if !(checkpointSeconds >= 0 && checkpointSeconds.isFinite) {
            throw ValidationError("--checkpoint-seconds \(checkpointSeconds): give a number of seconds from 0 on.")
        }
        if resume, restart { throw ValidationError("--resume and --restart exclude each other: give one.") }
    }
}
