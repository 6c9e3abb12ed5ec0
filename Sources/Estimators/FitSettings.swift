import ConvexNetworks
import Datasets
import Interchange
import Proximal
import RunLog
import Settings
import Torch

/// How a two-layer network is fitted, by names and numbers: what `descent fit` takes, and what its `config.json` holds.
///
/// Gates, networks and standardisers of one's own go to ``FitOptions``.
public struct FitSettings: Sendable, Codable, Equatable {
    /// The convex program.
    public var formulation = Formulation.relu
    /// Loss, by its name in the catalogue; nil for softmax or logistic on classes and squared on values.
    public var loss: NamedSettings?
    /// The penalty.
    public var penalty = FitOptions.Penalty.automatic
    /// Where activation patterns come from; nil for a short stochastic run, or 32 random gates of the paper's preset.
    public var patterns: Patterns?
    /// File of gates, a `d × P` array, bias row included when the bias is.
    public var gates: String?
    /// Hidden units, or the most that may grow; nil for the default of the data's size.
    public var neurons: Int?
    /// How outputs share neurons.
    public var outputs = OutputSharing.automatic
    /// Passes of the stochastic run that proposes patterns.
    public var epochs: Double?
    /// Times that patterns are taken anew from the network found.
    public var refreshes = 0
    /// Whether a column of ones is appended.
    public var bias = true
    /// Whether features, and the targets of a regression, are standardised.
    public var standardize = true
    /// Relative gap at which the solve stops.
    public var tolerance = 1e-3
    /// Most ADMM iterations of one solve; nil for 3000 up to 25,000 rows and 150 above.
    public var maxIterations: Int?
    /// Seconds for the whole run; nil for no limit.
    public var timeLimit: Double?
    /// Published settings in place of our own.
    public var preset: Preset?
    /// How the linear system is solved.
    public var preconditioner = Preconditioner.automatic
    /// Rank of the Nyström sketch; 0 adapts it.
    public var rank: Int?
    /// ADMM penalty parameter ρ for unit-norm rows; nil for one by the penalty.
    public var rho: Double?
    /// Precision of the solve; nil for double where it costs little.
    public var precision: Precision?
    /// Fraction of the training rows held out for a validation score.
    public var validation = 0.0
    /// Seed of everything random.
    public var seed: UInt64 = 0

    /// Creates the default settings.
    public init() {}

    /// Settings as published.
    public enum Preset: String, Sendable, Codable, CaseIterable {
        /// Two splits, ρ 0.1, Nyström of rank 20, the squared loss.
        case paper
    }

    /// Exact factor, or conjugate gradients with a preconditioner.
    public enum Preconditioner: String, Sendable, Codable, CaseIterable { case automatic, gram, nystrom, none, exact }

    /// Precision of the solve.
    public enum Precision: String, Sendable, Codable, CaseIterable { case float32, float64 }

    /// Where activation patterns come from: `network`, `grow`, a number of random gates, or `from:MODEL`.
    public enum Patterns: Sendable, Equatable {
        /// Those of a short stochastic run.
        case network
        /// Column generation.
        case grow
        /// This many Gaussian gates.
        case sampled(Int)
        /// Those of a model file, or of the run folder that holds it.
        case from(String)
    }

    /// Throws for numbers that no fit can have, as a file may hold them.
    ///
    /// - Throws: `SettingError` naming the setting and its range.
    public func validate() throws {
        let counts = 1...1_000_000_000
        if case .fixed(let number) = penalty {
            try SettingError.require(
                number > 0 && number.isFinite, "penalty", number, "above 0: without one no dual bound exists")
        }
        if let loss { _ = try LossCatalogue.catalogue.make(loss) }
        if case .sampled(let count) = patterns {
            try SettingError.require(counts.contains(count), "patterns", count, "1 to 1000000000")
        }
        try SettingError.require(counts.contains(neurons ?? 1), "neurons", neurons ?? 0, "1 to 1000000000")
        let passes = epochs ?? 1
        try SettingError.require(passes > 0 && passes <= 1e6, "epochs", passes, "above 0, at most 1000000")
        try SettingError.require(refreshes >= 0, "refreshes", refreshes, "0 or more")
        try SettingError.require(tolerance > 0 && tolerance.isFinite, "tolerance", tolerance, "a number above 0")
        try SettingError.require(maxIterations ?? 1 >= 1, "maxIterations", maxIterations ?? 0, "at least 1")
        try SettingError.require(timeLimit ?? 1 > 0, "timeLimit", timeLimit ?? 0, "seconds above 0")
        // Beyond this, multipliers leave the range of single precision.
        try SettingError.require((1e-12...1e12).contains(rho ?? 1), "rho", rho ?? 0, "1e-12 to 1e12")
        try SettingError.require(rank ?? 0 >= 0, "rank", rank ?? 0, "0 or more")
        try SettingError.require((0..<1).contains(validation), "validation", validation, "a number in [0, 1)")
        try SettingError.require(seed <= 1 << 53, "seed", seed, "at most 9007199254740992, which every file can hold")
        if gates != nil, patterns != nil { throw SettingError("gates", "and `patterns` both name patterns: give one") }
        if preset == .paper, let loss, try LossCatalogue.catalogue.make(loss) is SquaredLoss == false {
            throw SettingError("preset", "paper is for the squared loss, as published: leave `loss` out, or the preset")
        }
    }

    /// The options for some data, with the files that these settings name read.
    ///
    /// - Throws: `SettingError` for settings out of range or contradicting each other; `DataError` and
    ///   `InterchangeError` for files that cannot be used.
    public func options(for data: LoadedData, device: Device = .cpu) throws -> FitOptions {
        try validate()
        var options = FitOptions()
        options.convex.admm = admm
        (options.convex.formulation, options.convex.sharing) = (formulation, outputs)
        options.convex.tolerance = tolerance
        let isLarge = data.train.count > options.crossValidationRows
        options.convex.maxIterations = maxIterations ?? (isLarge ? 150 : 3000)
        (options.convex.timeLimit, options.convex.seed) = (timeLimit, seed)
        (options.convex.refreshes, options.convex.epochs) = (refreshes, epochs)
        options.precision = precision.map { $0 == .float64 ? .float64 : .float32 }
        options.loss = try loss.map { try LossCatalogue.catalogue.make($0) } ?? (preset == .paper ? SquaredLoss() : nil)
        (options.penalty, options.neurons, options.hasBias) = (penalty, neurons, bias)
        if !standardize { options.standardisation = Standardisation.none }
        (options.validation, options.device) = (validation, device)
        try applyPatterns(to: &options)
        if data.task == .regression, let loss = options.loss, !type(of: loss).acceptsValues {
            let suited = LossCatalogue.all.filter { type(of: $0).acceptsValues }.map { type(of: $0).name }
            throw SettingError(
                "loss",
                "\(type(of: loss).name) is for classes, but the target holds values: use "
                    + suited.joined(separator: " or ") + ", or `task` classification")
        }
        return options
    }

    /// Trains on `data.train` and scores on `data.test` where there is one: what `descent fit` does.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and settings.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: as ``options(for:device:)`` and ``ConvexTrainer/fit(_:resumingFrom:observe:)``.
    public func fit(
        _ data: LoadedData, device: Device = .cpu, resumingFrom checkpoint: String? = nil,
        observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: ConvexModel, report: FitReport) {
        try ConvexTrainer(options: options(for: data, device: device))
            .fit(data, resumingFrom: checkpoint, observe: observe)
    }

    private var admm: ADMMSettings {
        var settings = preset == .paper ? ADMMSettings.paper : ADMMSettings()
        switch preconditioner {
        case .automatic: break
        case .gram: settings.linearSolver = .gram
        case .nystrom: settings.linearSolver = .nystrom
        case .none: settings.linearSolver = .plain
        case .exact: settings.linearSolver = .dualFactor
        }
        if let rank { settings.nystromRank = rank }
        if let rho { (settings.rho, settings.scalesRho) = (rho, false) }
        return settings
    }

    private func applyPatterns(to options: inout FitOptions) throws {
        if let gates {
            let array = try Npy.read(gates)
            guard array.shape.count == 2, array.count > 0 else {
                throw DataError(
                    subject: gates, problem: "holds an array of shape \(array.shape)",
                    advice: "Gates are a d × P array, with the bias row last when the bias is used")
            }
            options.patterns = .source(.gates(Tensor(array.floats(), shape: array.shape)))
            return
        }
        switch patterns {
        case .network: options.patterns = .network
        case .grow: options.patterns = .grow
        case .sampled(let count): options.patterns = .sampled(count)
        case nil where preset == .paper: options.patterns = .sampled(32)
        case nil: break
        case .from(let path):
            let base = try ConvexModel.load(ModelFile.path(path))
            try checkPreparation(of: base)
            (options.standardiser, options.hasBias) = (base.standardiser, base.hasBias)
            options.patterns = .source(.given(base.network))
        }
    }

    /// A model's patterns only mean something on features prepared as the model's were.
    private func checkPreparation(of base: ConvexModel) throws {
        for (name, isRefused) in [
            ("bias", !bias && base.hasBias), ("standardize", !standardize && base.standardiser.method != .none),
        ] where isRefused {
            throw SettingError(
                name, "is off, which contradicts the model that `patterns` names: it was trained with it on")
        }
    }
}

extension FitSettings.Patterns: Codable {
    /// Reads what one types; nil for anything else.
    public init?(text: String) {
        switch text {
        case "network": self = .network
        case "grow": self = .grow
        default:
            if let count = Int(text) {
                self = .sampled(count)
            } else if text.hasPrefix("from:"), text.count > 5 {
                self = .from(String(text.dropFirst(5)))
            } else {
                return nil
            }
        }
    }

    /// What one types.
    public var text: String {
        switch self {
        case .network: "network"
        case .grow: "grow"
        case .sampled(let count): "\(count)"
        case .from(let path): "from:" + path
        }
    }

    /// Reads a word or a number.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try (try? container.decode(Int.self)).map(String.init) ?? container.decode(String.self)
        guard let patterns = Self(text: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is neither a number, 'grow', 'network' nor 'from:MODEL'")
        }
        self = patterns
    }

    /// Writes a word or a number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if case .sampled(let count) = self { try container.encode(count) } else { try container.encode(text) }
    }
}

extension FitOptions.Penalty: Codable {
    /// Reads what one types; nil for anything else.
    public init?(text: String) {
        switch text {
        case "automatic": self = .automatic
        case "search": self = .search
        default:
            guard let number = Double(text) else { return nil }
            self = .fixed(number)
        }
    }

    /// What one types.
    public var text: String {
        switch self {
        case .automatic: "automatic"
        case .search: "search"
        case .fixed(let number): "\(number)"
        }
    }

    /// Reads a word or a number.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Double.self) {
            self = .fixed(number)
            return
        }
        let text = try container.decode(String.self)
        guard let penalty = Self(text: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is neither a number, 'search' nor 'automatic'")
        }
        self = penalty
    }

    /// Writes a word or a number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if case .fixed(let number) = self { try container.encode(number) } else { try container.encode(text) }
    }
}
