import ConvexNetworks
import Datasets
import Foundation
import Interchange
import RunLog
import TestSupport
import Testing
import Torch

@testable import Estimators

@Suite("Model files")
struct ModelFileTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(
        "A model predicts the same after it was saved and loaded",
        arguments: Formulation.allCases, [PredictionTask.classification, .regression])
    func roundTrip(formulation: Formulation, task: PredictionTask) throws {
        let problem = Problem(seed: 20)
        for hasBias in [true, false] {
            var options = FitOptions.small(.sampled(12))
            options.convex.formulation = formulation
            options.hasBias = hasBias
            var model = try trained(options, problem.data(task)).model
            model.facts = ["seed": "0"]
            try model.save(to: scratch.path("m"))
            let loaded = try ConvexModel.load(scratch.path("m"))
            #expect(loaded.network.formulation == formulation && loaded.hasBias == hasBias)
            #expect(loaded.classNames == model.classNames && loaded.targetNames == model.targetNames)
            #expect(loaded.standardiser == model.standardiser && loaded.facts == model.facts)
            // The file holds float32.
            #expect(distance(try loaded.outputs(problem.features), try model.outputs(problem.features)) < 2e-6)
            try loaded.save(to: scratch.path("again"))
            let again = try ConvexModel.load(scratch.path("again"))
            #expect(distance(try again.outputs(problem.features), try loaded.outputs(problem.features)) == 0)
        }
    }

    @Test("The tensors are a PyTorch network on standardised columns")
    func tensors() throws {
        let problem = Problem(seed: 21)
        let model = try trained(.small(), problem.data(.regression)).model
        try model.save(to: scratch.path("m"))
        let file = try SafeTensors.read(scratch.path("m"))
        let tensor = { (name: String) throws -> Tensor in
            let array = try #require(file[name])
            return Tensor(array.doubles(), shape: array.shape)
        }
        let x = (problem.features - (try tensor("input.mean"))) / (try tensor("input.scale"))
        let hidden = x.times(try tensor("layer1.weight").transposed()) + (try tensor("layer1.bias"))
        let raw = hidden.relu().times(try tensor("layer2.weight").transposed()) + (try tensor("layer2.bias"))
        let outputs = raw * (try tensor("output.scale")) + (try tensor("output.mean"))
        #expect(distance(outputs, try model.outputs(problem.features).to(.float64)) < 1e-5)
        #expect(file.metadata["format"] == "pt")
    }

    @Test("A file of version 1, whose last layer holds the scale of the targets, predicts the same")
    func versionOne() throws {
        let problem = Problem(seed: 23)
        let model = try trained(.small(), problem.data(.regression)).model
        try model.save(to: scratch.path("m"))
        var file = try SafeTensors.read(scratch.path("m"))
        let (mean, scale) = (model.preparation.targetMean[0], model.preparation.targetScale[0])
        file.tensors = file.tensors.filter { !$0.name.hasPrefix("output.") }.map { name, array in
            switch name {
            case "layer2.weight": (name, ArrayData(array.floats().map { $0 * Float(scale) }, shape: array.shape))
            case "layer2.bias": (name, ArrayData([Float(mean)], shape: [1]))
            default: (name, array)
            }
        }
        let text = try #require(file.metadata["descent"])
        let whole = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        // Earlier headers were flat.
        var header = try #require(whole?["preparation"] as? [String: Any])
        header.merge(try #require(whole?["body"] as? [String: Any])) { $1 }
        (header["formatVersion"], header["facts"]) = (1, whole?["facts"])
        (header["targetMean"], header["targetScale"]) = (nil, nil)
        file.metadata["descent"] = String(decoding: try JSONSerialization.data(withJSONObject: header), as: UTF8.self)
        try SafeTensors.write(file, to: scratch.path("old"))
        let old = try ConvexModel.load(scratch.path("old"))
        #expect(distance(try old.outputs(problem.features), try model.outputs(problem.features)) < 1e-5)
    }

    @Test("Columns that were dropped stay dropped")
    func dropped() throws {
        let problem = Problem(seed: 22)
        let columns = [problem.features, Tensor.full([120, 1], 3, dtype: .float64), problem.features.columns(0..<1)]
        let wide = Tensor.concatenate(columns, dimension: 1)
        let fitted = try Engine.exclusively { try ConvexClassifier(options: .small()).fit(wide, problem.labels) }
        #expect(fitted.report.notices.count == 2)
        try fitted.save(to: scratch.path("m"))
        let loaded = try ConvexModel.load(scratch.path("m"))
        #expect(loaded.inputColumns == 5 && loaded.standardiser.keptColumns == [0, 1, 2])
        #expect(try loaded.predictedLabels(wide) == fitted.predict(wide))
        #expect(fault { _ = try loaded.outputs(problem.features) }.contains("trained on 5 columns, these data have 3"))
    }

    @Test("A model without hidden units is a model")
    func empty() throws {
        let problem = Problem(seed: 23)
        let (model, report) = try trained(.small(penalty: 1e6), problem.data(.classification))
        #expect(report.neurons == 0)
        #expect(report.termination == Termination.converged.rawValue)
        try model.save(to: scratch.path("m"))
        let outputs = try ConvexModel.load(scratch.path("m")).outputs(problem.features)
        #expect(outputs.shape == [120, 3] && outputs.norm == 0)
    }

    @Test("A tensor that is missing or has another shape is an error, not a trap")
    func damaged() throws {
        let model = try trained(.small(), Problem(seed: 24).data(.classification)).model
        try model.save(to: scratch.path("m"))
        let whole = try SafeTensors.read(scratch.path("m"))
        let names = ["layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"]
        for name in names {
            let others = whole.tensors.filter { $0.name != name }
            try SafeTensors.write(SafeTensorsFile(tensors: others, metadata: whole.metadata), to: scratch.path("bad"))
            #expect(fault { _ = try ConvexModel.load(scratch.path("bad")) }.hasPrefix(scratch.path("bad")))
            let odd = (name: name, array: ArrayData([Float](repeating: 1, count: 7), shape: [7, 1]))
            let changed = SafeTensorsFile(tensors: others + [odd], metadata: whole.metadata)
            try SafeTensors.write(changed, to: scratch.path("bad"))
            #expect(fault { _ = try ConvexModel.load(scratch.path("bad")) }.hasPrefix(scratch.path("bad")), "\(name)")
        }
    }
}
