import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Networks
import Optimizers
import Programs
import Proximal
import RunLog
import Settings
import Structure
import Torch

@testable import Estimators
@testable import Training

/// Valid inputs, made by small runs.
enum Seeds {
    private static let folder = FileManager.default.temporaryDirectory.path + "/descent-fuzz-\(getpid())"

    private static func scratch<R>(_ body: (String) throws -> R) rethrows -> R {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder + "/file")
    }

    private static func must<R>(_ body: () throws -> R) -> R {
        do { return try body() } catch { fatalError("a seed cannot be made: \(error)") }
    }

    private static func data(_ task: PredictionTask, columns: Int, image: [Int]? = nil) -> LoadedData {
        var random = SplitMix64(seed: 3)
        let count = 24
        let x = Tensor((0..<count * columns).map { _ in 2 * random.uniform() - 1 }, shape: [count, columns])
        var set = Dataset(
            name: "seed", features: x, labels: task == .classification ? (0..<count).map { $0 % 3 } : nil,
            classNames: task == .classification ? ["a", "b", "c"] : [],
            targets: task == .regression ? x.columns(0..<1).absolute() : nil, targetNames: ["y"])
        set.imageShape = image
        return LoadedData(train: set, test: nil, task: task)
    }

    private static func trainingSettings(_ model: String, _ sizes: [String: SettingValue]) -> TrainingSettings {
        var settings = TrainingSettings()
        (settings.model, settings.modelSettings, settings.steps, settings.batch) = (model, sizes, 2, 8)
        return settings
    }

    /// Model files of networks: a chain, one with a convex head, an image network and its program.
    static let networks: [SafeTensorsFile] = must {
        var chain = trainingSettings("mlp", ["hidden": .list([.number(4), .number(3)])])
        let plain = try chain.fit(data(.regression, columns: 5)).model
        chain.head = ConvexHead()
        chain.head?.units = 4
        (chain.optimizer, chain.optimizerSettings) = ("sgd", ["lr": .number(0.01)])
        let headed = try chain.fit(data(.classification, columns: 7)).model
        let images = data(.classification, columns: 64, image: [8, 8])
        let cnn = try trainingSettings("cnn", ["channels": .number(2), "hidden": .number(3)]).fit(images).model
        let small = try cnn.shrunk(comparedOn: images.train.features).model
        let vit = try trainingSettings(
            "vit",
            [
                "patch": .number(4), "width": .number(4), "heads": .number(2), "layers": .number(1),
                "feed_forward": .number(3),
            ]
        ).fit(images).model
        return try [plain, headed, cnn, small, vit].map { model in
            try scratch { path in
                try model.save(to: path)
                return try SafeTensors.read(path)
            }
        }
    }

    /// Model files of convex fits: ReLU values, gated classes.
    static let models: [SafeTensorsFile] = must {
        try [(PredictionTask.regression, Formulation.relu), (.classification, .gated)].map { task, formulation in
            var options = FitOptions()
            (options.penalty, options.patterns, options.convex.formulation) = (.fixed(0.1), .sampled(4), formulation)
            options.convex.maxIterations = 5
            let model = try ConvexTrainer(options: options).fit(data(task, columns: 4)).model
            return try scratch { path in
                try model.save(to: path)
                return try SafeTensors.read(path)
            }
        }
    }

    /// A checkpoint of training with what reads it.
    struct TrainingRun {
        var file: SafeTensorsFile
        var fresh: TrainingState
        var rule: UpdateRule
        var identity: String
        var dataHash: String
    }

    static let training: TrainingRun = must {
        var settings = trainingSettings("mlp", ["hidden": .list([.number(3)])])
        settings.after = [NamedSettings("lookahead"), NamedSettings("ema")]
        let loaded = data(.regression, columns: 5)
        var file: SafeTensorsFile?
        try scratch { path in
            _ = try settings.fit(loaded) { event in
                try? event.writeCheckpoint?(path)
                return event.position > 1 ? .stop : .proceed
            }
            file = try SafeTensors.read(path)
        }
        let rule = try settings.rule()
        let module = try ArchitectureCatalogue.make(settings.model, settings: settings.modelSettings)
            .network(input: .features(5), outputs: 1)
        let network = Network(module)
        let assignment = try rule.assignment(network.parameters.names, network.parameters.values.map(\.shape))
        let fresh = TrainingState(network: network, rule: rule.initialState(assignment), progress: .init())
        return TrainingRun(
            file: file!, fresh: fresh, rule: rule, identity: try settings.identity, dataHash: loaded.train.hash)
    }

    /// A checkpoint of a fit with what reads it.
    struct FitRun {
        var file: SafeTensorsFile
        var x: Tensor
        var y: Tensor
        var settings: ConvexSettings
    }

    static let fit: FitRun = must {
        let loaded = data(.regression, columns: 4)
        let (x, y) = (loaded.train.features, loaded.train.targets!)
        var settings = ConvexSettings()
        (settings.patterns, settings.penalty, settings.maxIterations) = (.network(units: 3), 0.1, 10)
        var checkpoint: FitCheckpoint?
        _ = try ConvexFit(settings: settings, loss: SquaredLoss()).run(x: x, y: y, watch: Stopwatch()) { event in
            checkpoint = event.checkpoint ?? checkpoint
            return checkpoint == nil ? .proceed : .stop
        }
        let whole = ConvexState(
            fit: checkpoint!, kept: .init(penalty: 0.1, penaltyChoice: "given", patterns: 3))
        let file = try scratch { path in
            try whole.write(identity: "seed", dataHash: "", to: path)
            return try SafeTensors.read(path)
        }
        return FitRun(file: file, x: x, y: y, settings: settings)
    }

    private static let experiment = """
        name: seed
        title: A title
        data: fashion-mnist
        classes: [0, 1]
        seeds: [0, 1]
        goal: 0.9
        threads: 1
        train: &common {model: mlp, modelSettings: {hidden: [8]}, epochs: 2, batch: 64, overrides: [{parameters: "*.bias", settings: {lr: 0.1}}]}
        methods:
          - {name: A, train: {optimizer: ramda, penalty: {name: group_lasso, settings: {lambda: 0.001}}}, rates: [0.1], strengths: [1.0e-3]}
          - {name: B, fit: --penalty 1}
          - name: C
            train: {<<: *common, optimizer: adam, schedule: cosine}
            randomRates: {low: -4, high: -1, count: 3, seed: 1}
        """

    /// Writes a folder of inputs for each harness.
    static func write(to folder: String) throws {
        func put(_ harness: String, _ name: Int, _ bytes: [UInt8]) throws {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(harness)", withIntermediateDirectories: true)
            try AtomicFile.write(bytes, to: "\(folder)/\(harness)/\(name)")
        }
        func metadata(_ file: SafeTensorsFile, _ key: String) -> [UInt8] { Array((file.metadata[key] ?? "").utf8) }
        for (index, file) in networks.enumerated() {
            for change in 0..<9 {
                try put(
                    "network", index * 16 + change,
                    [UInt8(index * 16 + change), UInt8(change)] + metadata(file, ModelFile.key))
            }
        }
        for (index, file) in models.enumerated() {
            for change in 0..<9 {
                try put(
                    "model", index * 16 + change,
                    [UInt8(index * 16 + change), UInt8(change)] + metadata(file, "descent"))
            }
        }
        for change in 0..<9 {
            let head = [UInt8(change), UInt8(change)]
            try put("checkpoint", change, head + metadata(training.file, "descent.checkpoint"))
            try put("fit_checkpoint", change, head + metadata(fit.file, "descent.checkpoint"))
        }
        try put("yaml", 0, Array(experiment.utf8))
        let inputs: [(any Module, InputShape)] = [
            (LinearChain(sizes: [5, 3, 2]), .features(5)), (LinearChain(sizes: [7, 2]), .features(7)),
            (
                try ArchitectureCatalogue.make(
                    "vit",
                    settings: [
                        "patch": .number(4), "width": .number(4), "heads": .number(2), "layers": .number(1),
                        "feed_forward": .number(3),
                    ]
                ).network(input: .image(channels: 2, height: 4, width: 4), outputs: 2),
                .image(channels: 2, height: 4, width: 4)
            ),
            (
                try ArchitectureCatalogue.make(
                    "transformer_lm",
                    settings: [
                        "width": .number(4), "heads": .number(2), "feed_forward": .number(3), "layers": .number(1),
                    ]
                ).network(input: .tokens(vocabulary: 9, length: 5), outputs: 9), .tokens(vocabulary: 9, length: 5)
            ),
        ]
        for (index, (module, input)) in inputs.enumerated() {
            let program = try Program.tracing(Network(module), input: input).program
            try put("program", index, [UInt8](try JSONEncoder().encode(program)))
        }
    }
}
