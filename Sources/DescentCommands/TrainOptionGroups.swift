import ArgumentParser
import Datasets
import Foundation
import Networks
import Optimizers
import Settings
import Training

/// `name=value`, as `--set` takes it.
struct Assignment: ExpressibleByArgument {
    var name: String
    var value: SettingValue

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        name = String(parts[0])
        value = SettingValue(text: String(parts[1]))
    }

    static func dictionary(_ list: [Assignment]) -> [String: SettingValue] {
        Dictionary(list.map { ($0.name, $0.value) }) { _, last in last }
    }
}

/// `parameters:name=value`, as `--override` takes it.
struct OverrideArgument: ExpressibleByArgument {
    var parameters: String
    var assignment: Assignment
    /// What `before` or `after` names.
    var transformation: NamedSettings?

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let assignment = Assignment(argument: String(parts[1])) else {
            return nil
        }
        (parameters, self.assignment) = (String(parts[0]), assignment)
        guard ["before", "after"].contains(assignment.name) else { return }
        transformation = try? NamedSettings(text: assignment.value.text, among: TransformationCatalogue.all)
        if transformation == nil { return nil }
    }

    /// One override for each pattern, in the order of their first arguments.
    static func overrides(_ list: [OverrideArgument]) -> [ParameterOverride]? {
        var result: [ParameterOverride] = []
        for one in list {
            let index = result.firstIndex { $0.parameters == one.parameters } ?? result.count
            if index == result.count { result.append(ParameterOverride(one.parameters, settings: [:])) }
            let name = one.assignment.name
            if name == "optimizer" {
                result[index].optimizer = one.assignment.value.text
            } else if let transformation = one.transformation {
                let chain = name == "before" ? \ParameterOverride.before : \.after
                result[index][keyPath: chain] = (result[index][keyPath: chain] ?? []) + [transformation]
            } else if name == "penalty" {
                result[index].penalty = one.assignment.value.text
            } else if name.hasPrefix("penalty.") {
                result[index].penaltySettings = (result[index].penaltySettings ?? [:])
                    .merging([String(name.dropFirst("penalty.".count)): one.assignment.value]) { $1 }
            } else {
                result[index].settings[one.assignment.name] = one.assignment.value
            }
        }
        return result.isEmpty ? nil : result
    }
}

extension TrainingSettings.Precision: ExpressibleByArgument {}
extension TrainingSettings.TimeUnit: ExpressibleByArgument {}

/// What is trained.
struct NetworkOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Network: " + ArchitectureCatalogue.all.map { $0.name }.joined(separator: ", ") + ".", valueName: "name"))
    var model = "mlp"

    @Option(
        name: .customLong("model-set"),
        help: ArgumentHelp("A size of the network, as hidden=[256,256,20]; again for each.", valueName: "name=value"))
    var modelSet: [Assignment] = []

    @Option(
        help: ArgumentHelp(
            "Loss, as mse or 'huber(delta=0.5)': see descent list losses. By the task unless given.",
            valueName: "name(settings)"),
        transform: { text in
            // The loss of networks that learn from their inputs alone.
            if text == "reconstruction" { return NamedSettings(text) }
            let known = TrainingLossCatalogue.catalogue
            return try NamedSettings(text: text, among: known.all, synonyms: known.synonyms)
        })
    var loss: NamedSettings?

    @Option(help: "Type of the parameters; mixed computes in bfloat16.")
    var dtype = TrainingSettings.Precision.float32
}

/// How it is trained.
struct OptimizationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Optimizer: see descent list optimizers. Default: adamw; dadapt_adam beside a convex head.",
            valueName: "name"))
    var optimizer: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Learning rate; the optimizer's own unless given.", valueName: "number"))
    var lr: Double?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A hyperparameter of the optimizer; again for each.", valueName: "name=value"))
    var set: [Assignment] = []

    @Option(
        name: .customLong("override"),
        help: ArgumentHelp(
            """
            A setting of the optimizer for some parameters, by a name with * and ?, or vectors, all with fewer than two \
            dimensions: '*.bias:lr=0.1', 'vectors:weight_decay=0'. The first that matches a parameter counts. With \
            'NAME:optimizer=sgd' they have that optimizer, and none of the settings of the others; with 'NAME:penalty=none' \
            no penalty, with 'NAME:penalty.lambda=1e-4' another strength; 'NAME:before=clip_norm(1)' and 'NAME:after=ema' \
            are theirs alone. Again for each.
            """,
            valueName: "parameters:name=value"))
    var overrides: [OverrideArgument] = []

    @Option(
        help: ArgumentHelp(
            "Schedule: " + ScheduleCatalogue.all.map { $0.name }.joined(separator: ", ")
                + ". Default: constant; stages for ramda and rmda.", valueName: "name"))
    var schedule: String?

    @Option(
        name: .customLong("schedule-set"),
        help: ArgumentHelp("A hyperparameter of the schedule; again for each.", valueName: "name=value"))
    var scheduleSet: [Assignment] = []

    @Option(help: "What the schedule counts.")
    var scheduleUnit = TrainingSettings.TimeUnit.step

    @Option(parsing: .unconditional, help: ArgumentHelp("Passes over the training rows.", valueName: "number"))
    var epochs = 10.0

    @Option(parsing: .unconditional, help: ArgumentHelp("Updates, in place of epochs.", valueName: "number"))
    var steps: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Rows of a step.", valueName: "rows"))
    var batch = 128

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Batches whose gradients make one update.", valueName: "number"))
    var accumulate = 1

    @Option(
        help: ArgumentHelp(
            """
            What is done to gradients before the optimizer, as 'clip_norm(1.0)' or 'sam(rho=0.1)': see descent list \
            transformations. Again for each, in their order.
            """, valueName: "name(value)"),
        transform: { try NamedSettings(text: $0, among: TransformationCatalogue.before.all) })
    var before: [NamedSettings] = []

    @Option(
        help: ArgumentHelp(
            "What is done to parameters behind the optimizer, as 'ema(0.999)'. Again for each, in their order.",
            valueName: "name(value)"),
        transform: { try NamedSettings(text: $0, among: TransformationCatalogue.after.all) })
    var after: [NamedSettings] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Bound on the norm of all gradients: --before clip_norm, last.", valueName: "number"))
    var clipNorm: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Bound on each gradient element: --before clip_value, last.", valueName: "number"))
    var clipValue: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Decay of an exponential average of the weights, which is evaluated: --after ema, last.", valueName: "share"
        ))
    var average: Double?

    @Flag(help: "Slow weights: every 5 steps half way to the fast ones: --after lookahead, first.")
    var lookahead = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Radius of sharpness-aware minimisation; twice the work: --before sam, first.", valueName: "number"))
    var sam: Double?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Random crops of images padded by so much.", valueName: "pixels"))
    var crop = 0

    @Flag(help: "Mirror half of the training images.")
    var flip = false

    @Option(parsing: .unconditional, help: ArgumentHelp("Epochs between evaluations.", valueName: "number"))
    var evaluateEvery = 1.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Evaluations without improvement after which to stop.", valueName: "number"))
    var patience: Int?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Seconds of training after which to stop.", valueName: "seconds"))
    var timeLimit: Double?

    @Option(help: "cpu, or cuda with an optional index.")
    var device = "cpu"

    @Option(parsing: .unconditional, help: ArgumentHelp("Latest checkpoints to keep.", valueName: "number"))
    var keep = 1

    /// What is done to gradients, the short forms in their places; nil for nothing.
    var gradientTransformations: [NamedSettings]? {
        var all = sam.map { [NamedSettings("sam", settings: ["rho": .number($0)])] } ?? []
        all += before
        if let clipNorm { all.append(NamedSettings("clip_norm", settings: ["max_norm": .number(clipNorm)])) }
        if let clipValue { all.append(NamedSettings("clip_value", settings: ["clip_value": .number(clipValue)])) }
        return all.isEmpty ? nil : all
    }

    /// What is done to parameters, the short forms in their places; nil for nothing.
    var parameterTransformations: [NamedSettings]? {
        var all = lookahead ? [NamedSettings("lookahead")] : []
        all += after
        if let average { all.append(NamedSettings("ema", settings: ["decay": .number(average)])) }
        return all.isEmpty ? nil : all
    }

    func validate() throws {
        func require(_ holds: Bool, _ text: String) throws { if !holds { throw ValidationError(text) } }
        try require(epochs > 0 && epochs <= 1e6, "--epochs \(epochs): give a number above 0, at most 1000000.")
        try require(steps ?? 1 >= 1, "--steps \(steps ?? 0): give at least 1.")
        try require(batch >= 1, "--batch \(batch): give at least 1.")
        try require(accumulate >= 1, "--accumulate \(accumulate): give at least 1.")
        try require(clipNorm ?? 1 > 0, "--clip-norm \(clipNorm ?? 0): give a number above 0.")
        try require(clipValue ?? 1 > 0, "--clip-value \(clipValue ?? 0): give a number above 0.")
        try require(clipNorm == nil || clipValue == nil, "--clip-norm and --clip-value exclude each other: give one.")
        try require((0..<1).contains(average ?? 0), "--average \(average ?? 0): give a number from 0 up to 1.")
        try require(sam ?? 1 > 0, "--sam \(sam ?? 0): give a number above 0.")
        try require((0...64).contains(crop), "--crop \(crop): give 0 to 64 pixels.")
        try require(
            evaluateEvery > 0 && evaluateEvery <= 1e6,
            "--evaluate-every \(evaluateEvery): give a number above 0, at most 1000000.")
        try require(patience ?? 1 >= 1, "--patience \(patience ?? 0): give at least 1.")
        try require(timeLimit ?? 1 > 0, "--time-limit \(timeLimit ?? 0): give a number above 0.")
        try require(keep >= 1, "--keep \(keep): give at least 1.")
    }
}

/// What structure the weights are to have.
struct StructureOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Penalty of matrices and convolutions, for optimizers that take one: ramda, rmda, proxsgd, proxgen, proxssi. \
            See descent list penalties; norms, biases and embeddings have none.
            """, valueName: "name"))
    var penalty: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Strength of the penalty; its own unless given.", valueName: "λ"))
    var strength: Double?

    @Option(
        name: .customLong("penalty-set"),
        help: ArgumentHelp("A setting of the penalty, as groups=outputs; again for each.", valueName: "name=value"))
    var penaltySet: [Assignment] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Share of the weights that is to be in zero groups, in place of a strength.", valueName: "share"))
    var targetSparsity: Double?

    @Flag(help: "Every parameter is to reach the target sparsity by itself.") var perLayer = false

    @Flag(
        help: """
            One group for all weights of a channel or unit: what writes it and what reads it. Its removal makes the \
            network smaller on both sides.
            """)
    var coupleChannels = false

    func validate() throws {
        if let strength, !(strength >= 0 && strength.isFinite) {
            throw ValidationError("--strength \(strength): give a number ≥ 0.")
        }
        if let targetSparsity, !(0..<1).contains(targetSparsity) {
            throw ValidationError("--target-sparsity \(targetSparsity): give a number from 0 up to 1.")
        }
        guard penalty == nil else {
            if strength != nil, targetSparsity != nil {
                throw ValidationError("--strength and --target-sparsity exclude each other: give one.")
            }
            return
        }
        if strength != nil || !penaltySet.isEmpty || targetSparsity != nil || coupleChannels {
            throw ValidationError("There is no penalty to set: name one, as with --penalty group-lasso.")
        }
    }

    var setting: NamedSettings? {
        guard let penalty else { return nil }
        var settings = Assignment.dictionary(penaltySet)
        if let strength { settings["lambda"] = .number(strength) }
        return NamedSettings(penalty.replacing("-", with: "_"), settings: settings)
    }

    var target: SparsityTarget? { targetSparsity.map { SparsityTarget($0, perLayer: perLayer) } }
}

/// The settings that the options describe.
struct TrainingSettingsBuilder {
    let network: NetworkOptions
    let optimization: OptimizationOptions
    let structure: StructureOptions
    let validation: Double?
    let seed: UInt64

    func settings() -> TrainingSettings {
        var settings = TrainingSettings()
        settings.model = network.model
        settings.modelSettings = Assignment.dictionary(network.modelSet)
        settings.loss = network.loss
        settings.precision = network.dtype
        settings.optimizer = optimization.optimizer ?? settings.optimizer
        settings.optimizerSettings = Assignment.dictionary(optimization.set)
        if let lr = optimization.lr { settings.optimizerSettings["lr"] = .number(lr) }
        settings.overrides = OverrideArgument.overrides(optimization.overrides)
        settings.penalty = structure.setting
        settings.target = structure.target
        settings.couplesChannels = structure.coupleChannels ? true : nil
        settings.schedule = optimization.schedule
        settings.scheduleSettings = Assignment.dictionary(optimization.scheduleSet)
        settings.scheduleUnit = optimization.scheduleUnit
        settings.epochs = optimization.epochs
        settings.steps = optimization.steps
        settings.batch = optimization.batch
        settings.accumulation = optimization.accumulate
        settings.before = optimization.gradientTransformations
        settings.after = optimization.parameterTransformations
        settings.augmentation.cropPadding = optimization.crop
        settings.augmentation.flips = optimization.flip
        settings.evaluationInterval = optimization.evaluateEvery
        settings.patience = optimization.patience
        settings.timeLimit = optimization.timeLimit
        settings.validation = validation ?? 0
        settings.seed = seed
        return settings
    }
}
