import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Optimizers
import RunLog
import Settings
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("The trainer")
struct TrainerTests {
    @Test("A network learns what no linear model can, and holds on new rows")
    func learns() throws {
        let data = try made("spirals")
        var settings = TrainingSettings.small(epochs: 60)
        settings.schedule = "cosine"
        settings.modelSettings = ["hidden": .list([.number(32), .number(32)])]
        let (model, report) = try trained(settings, data)
        #expect(report.testScore ?? 0 > 0.97)
        #expect(report.loss == "bce" && report.outputs == 1 && report.steps == 60 * 32)
        let outputs = try model.outputs(data.test!.features)
        let hits = zip(outputs.doubles(), data.test!.labels!).count { ($0 > 0) == ($1 == 1) }
        #expect(Double(hits) / 2000 == report.testScore)
    }

    @Test("Regression is scored in the units of the target")
    func regression() throws {
        let data = try made("teacher")
        let (model, report) = try trained(.small(epochs: 30), data)
        #expect(report.testScore ?? 0 > 0.9)
        let residual = try model.outputs(data.test!.features) - data.test!.targets!
        let spread = data.test!.targets! - data.test!.targets!.mean(0, keepingRank: true)
        let score = 1 - residual.squared().sum().scalar / spread.squared().sum().scalar
        #expect(abs(score - report.testScore!) < 1e-9)
    }

    @Test("Mixed precision takes a step on every kind of layer, and keeps parameters in single precision")
    func mixed() throws {
        var data = try made("spirals")
        data.train = data.train.rows(Array(0..<8))
        var random = RandomSource(4)
        data.train.features = random.tensor([8, 3 * 32 * 32], dtype: .float32)
        data.train.imageShape = [3, 32, 32]
        data.test = nil
        for (model, sizes) in [("mlp", ["hidden": SettingValue.list([.number(8)])]), ("cnn", [:]), ("resnet18", [:])] {
            var settings = TrainingSettings.small()
            (settings.model, settings.modelSettings, settings.steps, settings.batch) = (model, sizes, 2, 8)
            settings.precision = .mixed
            let (trainedModel, report) = try trained(settings, data)
            #expect(
                trainedModel.network.parameters.values.allSatisfy { $0.dtype == .float32 && $0.isFinite }, "\(model)")
            #expect(report.steps == 2)
            // Near single precision, and not the same: bfloat16 has eight bits.
            settings.precision = .float32
            let single = try trained(settings, data).model.network.parameters
            let (a, b) = (trainedModel.network.parameters.values, single.values)
            let difference = zip(a, b).reduce(0.0) { $0 + ($1.0 - $1.1).squareSum }.squareRoot()
            let size = b.reduce(0.0) { $0 + $1.squareSum }.squareRoot()
            #expect(difference > 1e-7 * size && difference < 0.5 * size, "\(model): \(difference / size)")
        }
    }

    @Test("A transformer learns tokens")
    func tokens() throws {
        var settings = TrainingSettings.small(lr: 3e-3, epochs: 60)
        settings.model = "transformer_lm"
        settings.modelSettings = ["width": .number(32), "layers": .number(1), "feed_forward": .number(64)]
        let (_, report) = try trained(settings, try made("modular-arithmetic"))
        #expect(report.trainScore ?? 0 > 0.6)
    }

    private static let resumable: [(String, TrainingSettings)] = {
        var averaged = TrainingSettings.small("adamw")
        averaged.after = [NamedSettings("ema", settings: ["decay": .number(0.95)])]
        averaged.before = [NamedSettings("clip_norm")]
        averaged.overrides = [ParameterOverride("vectors", optimizer: "sgd", settings: ["momentum": .number(0.9)])]
        averaged.schedule = "plateau"
        averaged.scheduleSettings = ["patience": .number(0)]
        var looking = TrainingSettings.small("sgd")
        looking.optimizerSettings["momentum"] = .number(0.9)
        looking.after = [NamedSettings("lookahead")]
        looking.accumulation = 3
        looking.schedule = "one_cycle"
        var headed = TrainingSettings.small("dadapt_adam", lr: 1)
        headed.head = ConvexHead()
        headed.head?.units = 8
        headed.head?.iterations = 4
        headed.head?.interval = 0.5
        headed.head?.choosesPenalty = true
        headed.validation = 0.25
        var dropping = TrainingSettings.small("schedulefree_adamw")
        dropping.model = "transformer_lm"
        dropping.modelSettings = [
            "width": .number(8), "heads": .number(2), "layers": .number(1), "feed_forward": .number(8),
            "dropout": .number(0.2),
        ]
        dropping.before = [NamedSettings("sam", settings: ["rho": .number(0.01)])]
        return [
            ("average, clipping and plateau", averaged), ("lookahead, accumulation, one cycle", looking),
            ("convex head", headed), ("dropout, averages of the optimizer, sharpness", dropping),
            ("shampoo", .small("shampoo")), ("prodigy", .small("prodigy", lr: 1)), ("soap", .small("soap")),
            ("muon", .small("muon")), ("adafactor", .small("adafactor")),
        ]
    }()

    @Test("A resumed run equals an uninterrupted one, bit for bit", arguments: 0..<9)
    func resume(index: Int) throws {
        let (name, settings) = Self.resumable[index]
        let data = try made(settings.model == "transformer_lm" ? "modular-arithmetic" : "spirals")
        let scratch = try Scratch()
        let whole = try trained(settings, data)
        var stops = 0
        for stop in [1, 7, 40] {
            let path = scratch.path("\(stop).safetensors")
            var seen = 0
            _ = try trained(settings, data) { event in
                seen += 1
                guard seen == stop else { return .proceed }
                try? event.writeCheckpoint?(path)
                return .stop
            }
            // A short run has no fortieth step.
            guard FileManager.default.fileExists(atPath: path) else { continue }
            stops += 1
            let resumed = try trained(settings, data, from: path)
            #expect(resumed.model.network.parameters.bits == whole.model.network.parameters.bits, "\(name), \(stop)")
            let points = { (report: TrainingReport) in
                report.history.map { point in
                    var point = point
                    point.seconds = 0
                    return point
                }
            }
            #expect(points(resumed.report) == points(whole.report), "\(name), \(stop)")
        }
        #expect(stops >= 2)
    }

    @Test("Another seed gives other parameters; the same seed gives the same")
    func seeds() throws {
        let data = try made("spirals")
        var settings = TrainingSettings.small(epochs: 1)
        let first = try trained(settings, data).model.network.parameters.bits
        #expect(try trained(settings, data).model.network.parameters.bits == first)
        settings.seed = 6
        #expect(try trained(settings, data).model.network.parameters.bits != first)
    }

    @Test("An override moves its parameters by its own settings, and the others by theirs")
    func overrides() throws {
        let data = try made("spirals")
        var settings = TrainingSettings.small(epochs: 1)
        let start = try Network(
            ArchitectureCatalogue.make("mlp", settings: settings.modelSettings).network(
                input: .features(2), outputs: 1), seed: settings.seed)
        let plain = try trained(settings, data).model.network.parameters
        settings.overrides = [ParameterOverride("vectors", settings: ["lr": .number(0)])]
        let frozen = try trained(settings, data).model.network.parameters
        settings.overrides = [
            ParameterOverride("0.*", optimizer: "sgd", settings: ["lr": .number(0)]),
            ParameterOverride("*", settings: [:]),
        ]
        let first = try trained(settings, data).model.network.parameters
        for (name, value) in start.parameters.pairs {
            let isBias = name.hasSuffix("bias")
            #expect((frozen[name]!.doubles() == value.doubles()) == isBias, "\(name)")
            #expect((first[name]!.doubles() == value.doubles()) == name.hasPrefix("0."), "\(name)")
            #expect(plain[name]!.doubles() != value.doubles())
        }
        settings.overrides = [ParameterOverride("0.wieght", settings: [:])]
        #expect(fault { _ = try trained(settings, data) }.contains("did you mean '0.weight'"))
        settings.overrides = [ParameterOverride("*.bias", settings: ["lrr": .number(1)])]
        #expect(fault { _ = try trained(settings, data) }.contains("did you mean 'lr'"))
        settings.overrides = [ParameterOverride("*.bias", optimizer: "lbfgs", settings: [:])]
        #expect(fault { _ = try trained(settings, data) }.contains("leave the overrides out"))
    }

    @Test("Accumulated batches equal one batch of their rows")
    func accumulation() throws {
        let data = try made("spirals")
        var one = TrainingSettings.small("sgd", epochs: 1)
        one.batch = 100
        one.precision = .float64
        var two = one
        two.batch = 50
        two.accumulation = 2
        let a = try trained(one, data).model.network.parameters.values
        let b = try trained(two, data).model.network.parameters.values
        for (x, y) in zip(a, b) { #expect((x - y).norm < 1e-12 * (1 + x.norm)) }
    }

    @Test(
        "Accumulation weighs by rows: whatever the sizes of the batches, they equal one of all rows",
        arguments: [40, 33, 59])
    func unevenAccumulation(batch: Int) throws {
        var data = try made("spirals")
        data.train = data.train.rows(Array(0..<60))
        var one = TrainingSettings.small("sgd", epochs: 1)
        one.batch = 60
        one.precision = .float64
        var parts = one
        parts.batch = batch
        parts.accumulation = 2
        let a = try trained(one, data).model.network.parameters.values
        let b = try trained(parts, data).model.network.parameters.values
        for (x, y) in zip(a, b) { #expect((x - y).norm < 1e-12 * (1 + x.norm)) }
    }

    @Test("Augmented batches are the same whether they were made ahead or not, and differ from step to step")
    func batches() throws {
        var settings = TrainingSettings.small()
        settings.augmentation.flips = true
        settings.augmentation.cropPadding = 1
        let augmented = settings
        var data = try made("teacher")
        data.train.imageShape = [2, 5]
        func fresh(_ settings: TrainingSettings) throws -> SupervisedProblem {
            try SupervisedProblem(data, batch: settings.batch, augmentation: settings.augmentation, seed: settings.seed)
        }
        let ahead = try fresh(augmented)
        for number in 0..<40 {
            let (a, b) = (try ahead.batch(number), try fresh(augmented).batch(number))
            #expect(a.x.doubles() == b.x.doubles() && a.y.doubles() == b.y.doubles())
        }
        settings.augmentation = Augmentation()
        #expect(try fresh(settings).batch(0).x.doubles() != fresh(augmented).batch(0).x.doubles())
    }

    @Test("A run can be measured in updates")
    func steps() throws {
        var settings = TrainingSettings.small("sgd")
        settings.steps = 7
        settings.accumulation = 2
        #expect(try trained(settings, try made("spirals")).report.steps == 7)
    }

    @Test("Patience ends a run that stopped improving")
    func patience() throws {
        var settings = TrainingSettings.small("sgd", lr: 0, epochs: 50)
        settings.patience = 2
        let (_, report) = try trained(settings, try made("spirals"))
        #expect(report.termination == "validationStalled" && report.epochs == 4)
    }

    @Test("A loss that is no number stops with the step, the batch and the largest gradients")
    func nonFinite() throws {
        let data = try made("teacher")
        let text = fault { _ = try trained(.small("sgd", lr: 1e30), data) }
        #expect(
            text.contains("no number at step ") && text.contains("batch ") && text.contains("lower the learning rate"))
    }

    @Test("Settings that cannot be used are named")
    func settingErrors() throws {
        let data = try made("spirals")
        func text(_ change: (inout TrainingSettings) -> Void) -> String {
            var settings = TrainingSettings.small(epochs: 1)
            change(&settings)
            return fault { _ = try trained(settings, data) }
        }
        #expect(text { $0.model = "resnet81" }.contains("did you mean 'resnet18'"))
        #expect(
            text {
                $0.model = "resnet18"; $0.modelSettings = [:]
            }.contains("takes images"))
        let huge = SettingValue.list([.number(2_000_000), .number(2_000_000)])
        #expect(text { $0.modelSettings = ["hidden": huge] }.contains("this machine has"))
        #expect(text { $0.optimizer = "adan" }.contains("did you mean 'adam'"))
        #expect(text { $0.optimizerSettings = ["betas": .number(1)] }.contains("betas is 1, but must be 2 numbers"))
        #expect(text { $0.modelSettings = ["hiden": .number(1)] }.contains("did you mean 'hidden'"))
        let sharp = text {
            $0.optimizer = "lbfgs"
            $0.head = ConvexHead()
        }
        #expect(sharp.contains("cannot train features alone"))
        let averaged = text {
            $0.optimizer = "schedulefree_sgd"
            $0.optimizerSettings = [:]
            $0.head = ConvexHead()
        }
        #expect(averaged.contains("evaluates averages"))
        let shallow = text {
            $0.model = "two_layer"
            $0.modelSettings = [:]
            $0.head = ConvexHead()
        }
        #expect(shallow.contains("nothing to train before its last two"))
        #expect(text { $0.batch = 0 } == "batch: is 0, but must be 1 to 1000000000")
        #expect(text { $0.epochs = 1e300 }.contains("at most 1000000"))
        let clipped = text {
            $0.optimizer = "lbfgs"
            $0.before = [NamedSettings("clip_norm")]
        }
        #expect(clipped.contains("nothing can be done to gradients"))
        let table = try made("teacher")
        var wrong = TrainingSettings.small()
        wrong.loss = NamedSettings("cross_entropy")
        #expect(fault { _ = try trained(wrong, table) }.contains("is for classes"))
    }
}

@Suite("Files of networks")
struct NetworkFileTests {
    @Test("A model file loads to the same outputs, with a convex head too")
    func roundTrip() throws {
        let data = try made("spirals")
        let scratch = try Scratch()
        var headed = TrainingSettings.small("dadapt_adam", lr: 1, epochs: 1)
        headed.head = ConvexHead()
        for settings in [TrainingSettings.small(epochs: 1), headed] {
            let (model, _) = try trained(settings, data)
            try model.save(to: scratch.path("m.safetensors"))
            let loaded = try NetworkModel.load(scratch.path("m.safetensors"))
            let features = data.test!.features
            #expect(try loaded.outputs(features).doubles() == model.outputs(features).doubles())
            #expect(loaded.classNames == ["0", "1"] && loaded.architecture == "mlp")
        }
    }

    @Test("Files that do not fit are refused with the names at fault")
    func faults() throws {
        let scratch = try Scratch()
        var network = Network(LinearChain(sizes: [3, 4, 2]))
        let file = network.stateDictionary()
        var short = file
        short.tensors.removeLast()
        short.tensors[0].array = ArrayData([Float](repeating: 0, count: 8), shape: [2, 4])
        short.tensors.append((name: "extra", array: ArrayData([Float(1)], shape: [1])))
        let before = network.parameters.bits
        let text = fault { try network.load(short, path: "x") }
        #expect(text.contains("'0.weight' is [2, 4], needed [4, 3]") && text.contains("'2.bias' [2] is missing"))
        #expect(text.contains("'extra' is not a parameter of this network") && network.parameters.bits == before)
        try network.load(file, path: "x")
        try SafeTensors.write(file, to: scratch.path("plain.safetensors"))
        let plain = scratch.path("plain.safetensors")
        #expect(fault { _ = try NetworkModel.load(plain) }.contains("not a Descent model"))
    }

    @Test("A network's file of version 1 is the model that it was; a convex fit is none of descent train")
    func earlier() throws {
        let (data, scratch) = (try made("teacher"), try Scratch())
        let model = try trained(.small(epochs: 1), data).model
        try model.save(to: scratch.path("m"))
        var file = try SafeTensors.read(scratch.path("m"))
        let parsed = try JSONSerialization.jsonObject(with: Data(try #require(file.metadata["descent"]).utf8))
        let whole = try #require(parsed as? [String: Any])
        #expect(whole["kind"] as? String == "network" && whole["formatVersion"] as? Int == 3)
        var header = try #require(whole["preparation"] as? [String: Any])
        header.merge(try #require(whole["body"] as? [String: Any])) { $1 }
        (header["formatVersion"], header["facts"]) = (1, whole["facts"])
        file.metadata["descent"] = nil
        file.metadata["descent.network"] = String(
            decoding: try JSONSerialization.data(withJSONObject: header), as: UTF8.self)
        try SafeTensors.write(file, to: scratch.path("old"))
        let old = try loadModel(scratch.path("old"))
        let x = data.train.features
        #expect(try old.outputs(x).doubles() == model.outputs(x).doubles() && old.targetNames == model.targetNames)
        let fitted = try Engine.exclusively { try ConvexRegressor(neurons: 4).fit(x, data.train.targets!) }
        try fitted.save(to: scratch.path("fit"))
        #expect(fault { _ = try NetworkModel.load(scratch.path("fit")) }.contains("is no network of descent train"))
        let again = try #require(try loadModel(scratch.path("fit")) as? ConvexModel)
        #expect(again.certificate?.objective == fitted.report.objective)
        #expect(again.certificate?.dualBound == fitted.report.dualBound)
        #expect(again.preparation.encoding == fitted.model.preparation.encoding)
        #expect(fault { _ = try ConvexModel.load(scratch.path("m")) }.contains("holds a network of descent train"))
    }

    @Test("Checkpoints of another run, of other data, and damaged ones are refused")
    func checkpoints() throws {
        let data = try made("spirals")
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        let settings = TrainingSettings.small(epochs: 1)
        _ = try trained(settings, data) { event in
            try? event.writeCheckpoint?(path)
            return .stop
        }
        var other = settings
        other.batch = 32
        #expect(fault { _ = try trained(other, data, from: path) }.contains("other settings"))
        var changed = data
        changed.train.features = data.train.features * 2
        #expect(fault { _ = try trained(settings, changed, from: path) }.contains("other data"))
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
        try AtomicFile.write(Array(bytes.dropLast(50)), to: path)
        #expect(fault { _ = try trained(settings, data, from: path) }.contains("describes"))
        var file = SafeTensorsFile()
        file.metadata = ["descent.checkpoint": "{\"version\": 99}"]
        try SafeTensors.write(file, to: path)
        #expect(fault { _ = try trained(settings, data, from: path) }.contains("another version"))
        try SafeTensors.write(SafeTensorsFile(), to: path)
        #expect(fault { _ = try trained(settings, data, from: path) }.contains("is no checkpoint"))
    }
}
