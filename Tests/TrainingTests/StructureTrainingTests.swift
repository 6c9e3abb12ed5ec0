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
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Training with a penalty")
struct StructureTrainingTests {
    private func settings(
        _ optimizer: String = "ramda", lr: Double = 0.02, strength: Double = 0.01, epochs: Double = 6
    ) -> TrainingSettings {
        var settings = TrainingSettings.small(optimizer, lr: lr, epochs: epochs)
        settings.penalty = NamedSettings("group_lasso", settings: ["lambda": .number(strength)])
        return settings
    }

    @Test("RAMDA ends with zero groups; the report, the curve and the weights say the same")
    func structure() throws {
        let data = try made("spirals")
        let (model, report) = try trained(settings(), data)
        let structure = try #require(report.structure)
        let sparsity = try #require(structure.weightedGroupSparsity)
        #expect(sparsity > 0.1 && sparsity < 1)
        #expect(report.history.last?.structure?.fingerprint == structure.fingerprint)
        #expect(structure.layers.map(\.name) == ["0.weight", "2.weight", "4.weight"])
        for layer in structure.layers {
            let w = try #require(model.network.parameters[layer.name])
            let zeros = (0..<w.shape[1]).count { w.columns($0..<$0 + 1).squareSum == 0 }
            #expect(zeros == layer.zeroGroups)
        }
        // The objective is the loss with the penalty of the weights that are in the file.
        let penalty = structure.layers.reduce(0.0) { sum, layer in
            let w = model.network.parameters[layer.name]!
            let norms = w.squared().sum(0).squareRoot().sumInDouble()
            return sum + 0.01 * Double(w.shape[0]).squareRoot() * norms
        }
        #expect(abs(try #require(report.objective) - (try #require(report.trainLoss)) - penalty) < 1e-6)
        let solved = report.history.filter { $0.phase == "train" }.compactMap { $0.structure?.inexactness }
        #expect(solved.count == 6 && solved.allSatisfy { $0 < 1e-4 })
    }

    @Test("A penalty that leaves nothing is warned of, and one that leaves something is not")
    func emptiness() throws {
        let data = try made("spirals")
        #expect(
            try trained(settings(strength: 1), data).report.warning?.contains("every penalised weight is zero") == true)
        #expect(try trained(settings(), data).report.warning == nil)
    }

    @Test("What has a penalty and what has none is said before the first step")
    func announcement() throws {
        let data = try made("spirals")
        var settings = self.settings(epochs: 1)
        settings.overrides = [
            ParameterOverride("2.weight", penalty: "none"), ParameterOverride("0.bias", penalty: "l1"),
        ]
        var lines: [String] = []
        var isFirst = true
        _ = try trained(settings, data) { event in
            if isFirst { lines = event.announcement }
            isFirst = false
            return .proceed
        }
        #expect(
            lines == [
                "group_lasso(groups=inputs, lambda=0.01, width=1) on 0.weight, 4.weight", "l1(lambda=0.001) on 0.bias",
                "no penalty on 2.bias, 4.bias, 2.weight",
            ])
    }

    @Test(
        "What a file of a program does not hold is refused before it is made", arguments: ["parameter", "buffer"])
    func absent(kind: String) throws {
        let (scratch, data) = (try Scratch(), try made("spirals"))
        let path = scratch.path("m")
        let features = data.train.features
        try trained(settings(epochs: 1), data).model.shrunk(comparedOn: features).model.save(to: path)
        let whole = try SafeTensors.read(path)
        let (key, text) = try #require(whole.metadata.first { $0.value.contains(#""parameters":["#) })
        let shapes = text.ranges(of: #/\[[0-9, ]+\], *"parameter"/#)
        #expect(shapes.count > 3)
        for range in shapes {
            var file = whole
            file.metadata[key] = text.replacingCharacters(in: range, with: #"[8589934592],"\#(kind)""#)
            try SafeTensors.write(file, to: path)
            #expect(fault { _ = try NetworkModel.load(path) }.contains("more parameters than"))
        }
    }

    @Test("Tables and tokens have no penalty")
    func lookups() throws {
        let model = try ArchitectureCatalogue.make("transformer_lm").network(
            input: .tokens(vocabulary: 7, length: 4), outputs: 2)
        #expect(Network.unpenalisedNames(of: model) == ["embedding.weight", "position.weight"])
        let image = try ArchitectureCatalogue.make("vit").network(
            input: .image(channels: 1, height: 8, width: 8), outputs: 2)
        #expect(Network.unpenalisedNames(of: image) == ["class_token", "encoder.pos_embedding"])
        let groups = try settings().rule(unpenalised: ["embedding.weight"]).groups
        #expect(groups.map { $0.matches("embedding.weight", [7, 4]) } == [true, false])
        #expect(groups.map { $0.matches("head.weight", [7, 4]) } == [false, true])
        #expect(groups.map { $0.matches("norm.weight", [4]) } == [true, false])
    }

    @Test("A run that is resumed in any stage equals an uninterrupted one", arguments: [1, 3, 5, 6], [false, true])
    func resume(epoch: Int, hasTarget: Bool) throws {
        let scratch = try Scratch()
        let data = try made("spirals")
        var settings = settings()
        settings.model = "mlp"
        if hasTarget {
            settings.target = SparsityTarget(0.5)
            settings.couplesChannels = true
        }
        let whole = try trained(settings, data)
        let path = scratch.path("state.safetensors")
        _ = try trained(settings, data) { event in
            guard event.point != nil, event.position >= epoch * 32 else { return .proceed }
            do { try event.writeCheckpoint?(path) } catch { Issue.record("\(error)") }
            return .stop
        }
        let resumed = try trained(settings, data, from: path)
        #expect(resumed.model.network.parameters.bits == whole.model.network.parameters.bits)
        #expect(resumed.report.structure == whole.report.structure)
    }

    @Test("Before the last stage the evaluated point carries the structure, though the iterate does not")
    func evaluated() throws {
        let data = try made("spirals")
        var sparsity: [Double] = []
        _ = try trained(settings(epochs: 5), data) { event in
            if let found = event.point?.structure?.groupSparsity { sparsity.append(found) }
            return .proceed
        }
        #expect(sparsity.count == 5 && sparsity[1] > 0)
    }

    @Test("A target is met at the end, in all or in each", arguments: [false, true])
    func target(perLayer: Bool) throws {
        var settings = settings()
        settings.target = SparsityTarget(0.6, perLayer: perLayer)
        let report = try trained(settings, try made("spirals")).report
        let structure = try #require(report.structure)
        let sparsity = try #require(structure.weightedGroupSparsity)
        #expect(abs(sparsity - 0.6) < (perLayer ? 0.15 : 0.06), "\(sparsity)")
        if perLayer {
            for layer in structure.layers { #expect(layer.zeroGroups == Int(0.6 * Double(layer.groups) + 1e-9)) }
        }
        #expect(try #require(report.history.last?.structure?.strength) > 0)
    }

    @Test("A shrunk model is smaller, gives the same outputs, and is read back without its architecture")
    func shrunk() throws {
        let scratch = try Scratch()
        let data = try made("spirals")
        let (model, _) = try trained(settings(), data)
        let features = data.test!.features
        let (smaller, report) = try model.shrunk(comparedOn: features)
        #expect(report.after.cost.parameters < report.before.cost.parameters && report.largestDifference < 1e-4)
        #expect(report.rows == features.shape[0] && report.after.milliseconds > 0)
        let path = scratch.path("small.safetensors")
        try smaller.save(to: path)
        let read = try NetworkModel.load(path)
        #expect(read.network.module is Program)
        #expect(distance(try read.outputs(features), try model.outputs(features)) < 1e-4)
        #expect(try read.outputs(features).doubles() == smaller.outputs(features).doubles())
        // A model that has nothing to cut comes back as it is.
        let (again, second) = try read.shrunk(comparedOn: features)
        #expect(second.after.cost == second.before.cost && again.network.parameterCount == read.network.parameterCount)
    }

    @Test("What cannot be is said in one sentence")
    func faults() throws {
        let data = try made("spirals")
        func text(_ change: (inout TrainingSettings) -> Void) -> String {
            var changed = settings(epochs: 1)
            change(&changed)
            return fault { _ = try trained(changed, data) }
        }
        #expect(text { $0.optimizer = "adam" }.contains("takes no penalty; these do: ramda, rmda"))
        #expect(
            text { $0.penalty!.settings["lambda"] = .number(-1) }.contains("lambda is -1, but must be a number ≥ 0"))
        #expect(text { $0.penalty!.settings["width"] = .number(3) }.contains("0.weight: 2 slices are no whole number"))
        #expect(text { $0.penalty!.name = "group_laso" }.contains("did you mean 'group_lasso'"))
        #expect(text { $0.target = SparsityTarget(1) }.contains("target.share"))
        #expect(text { $0.target = SparsityTarget(-0.1) }.contains("[0, 1)"))
        #expect(
            text {
                $0.penalty = NamedSettings("nuclear")
                $0.target = SparsityTarget(0.5)
            }.contains("has no groups"))
        #expect(
            text {
                $0.penalty = nil
                $0.target = SparsityTarget(0.5)
            }.contains("needs a penalty"))
        #expect(
            text {
                $0.penalty = NamedSettings("nuclear")
                $0.overrides = [ParameterOverride("0.bias", penalty: "nuclear")]
            }.contains("is no matrix"))
        #expect(text { $0.overrides = [ParameterOverride("nothing", penalty: "l1")] }.contains("no parameter is left"))
    }

    @Test("Coupled channels vanish from all of their columns together")
    func coupled() throws {
        var data = try made("spirals")
        var random = RandomSource(4)
        data.train = data.train.rows(Array(0..<64))
        data.train.features = random.tensor([64, 16 * 16], dtype: .float32)
        data.train.imageShape = [16, 16]
        data.test = nil
        var settings = settings(strength: 0.02, epochs: 20)
        (settings.model, settings.modelSettings) = ("cnn", ["channels": .number(6), "hidden": .number(8)])
        settings.couplesChannels = true
        let (model, report) = try trained(settings, data)
        let layer = try #require(report.structure?.layers.first { $0.name == "7.weight" })
        #expect(layer.grouping == Grouping(.inputs, width: 16) && layer.groups == 6)
        let w = try #require(model.network.parameters["7.weight"])
        for channel in 0..<6 {
            let columns = (0..<16).map { w.columns(16 * channel + $0..<16 * channel + $0 + 1).squareSum == 0 }
            #expect(Set(columns).count == 1)
        }
    }
}
