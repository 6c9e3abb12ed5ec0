import Datasets
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

/// Images of 8 × 8 pixels with two classes, for networks that normalise over batches.
private func images(_ count: Int) -> LoadedData {
    var random = RandomSource(4)
    let labels = (0..<count).map { $0 % 2 }
    let pixels = (0..<count * 64).map { Double(labels[$0 / 64]) * 0.5 + random.normal() }
    var set = Dataset(
        name: "images", features: Tensor(pixels, shape: [count, 64]).to(.float32), labels: labels,
        classNames: ["a", "b"])
    set.imageShape = [8, 8]
    return LoadedData(train: set, test: nil, task: .classification)
}

@Suite("What a training run says of itself is true", .serialized)
struct SoundnessTests {
    private func resnet() -> TrainingSettings {
        var settings = TrainingSettings.small("sgd", epochs: 1)
        (settings.model, settings.modelSettings) = ("resnet18", [:])
        settings.batch = 20
        settings.steps = 3
        return settings
    }

    private func tracked(_ settings: TrainingSettings) throws -> [String: [Double]] {
        let buffers = try trained(settings, images(60)).model.network.buffers
        return Dictionary(uniqueKeysWithValues: buffers.pairs.map { ($0.name, $0.tensor.doubles()) })
    }

    @Test("Running statistics move once a step, with the parameters that it starts from")
    func runningStatistics() throws {
        let plain = try tracked(resnet())
        #expect(plain.filter { $0.key.hasSuffix("num_batches_tracked") }.allSatisfy { $0.value == [3] })
        // One step: both see the same first batch.
        var settings = resnet()
        settings.steps = 1
        let one = try tracked(settings)
        settings.before = [NamedSettings("sam", settings: ["rho": .number(0.5)])]
        #expect(try tracked(settings) == one)
        settings = resnet()
        (settings.optimizer, settings.optimizerSettings) = ("lbfgs", ["max_iter": .number(4)])
        settings.steps = 1
        #expect(try tracked(settings) == one)
    }

    @Test("A last batch of one row is part of the one before where batches are normalised, and only there")
    func loneRow() throws {
        var settings = resnet()
        (settings.batch, settings.steps) = (79, nil)
        settings.epochs = 2
        let (model, report) = try trained(settings, images(80))
        #expect(report.steps == 2 && report.notices.contains { $0.contains("one row") })
        for buffer in model.network.buffers.values { #expect(buffer.isFinite) }
        settings = .small(epochs: 2)
        settings.batch = 79
        let plain = try trained(settings, images(80)).report
        #expect(plain.steps == 4 && !plain.notices.contains { $0.contains("one row") })
    }

    @Test("A run that used up its epochs is completed, and one that left the numbers is an error")
    func endings() throws {
        let data = try made("spirals")
        #expect(try trained(.small(epochs: 1), data).report.termination == Termination.completed.rawValue)
        for (optimizer, rate) in [("sgd", 1e30), ("adamw", 1e38), ("sgd", 1e200), ("lion", 1e300), ("ramda", 1e300)] {
            var settings = TrainingSettings.small(optimizer, lr: rate)
            // Too few steps for the loss before one to tell.
            settings.steps = 2
            #expect(fault { _ = try trained(settings, data) }.contains("no number"), "\(optimizer) \(rate)")
        }
    }

    @Test(
        "A rate that the type does not hold ends every optimizer in an error or in numbers, never the process",
        arguments: OptimizerCatalogue.all.map { $0.name })
    func rates(optimizer: String) throws {
        let data = try made("spirals")
        for rate in [1e39, 1e300] {
            var settings = TrainingSettings.small(optimizer, lr: rate)
            settings.steps = 2
            do {
                let (model, report) = try trained(settings, data)
                #expect(model.network.parameters.values.allSatisfy(\.isFinite) && report.trainLoss?.isFinite != false)
            } catch {
                #expect("\(error)".contains("no number"), "\(error)")
            }
        }
    }

    @Test("Crops and flips of what is no image are refused")
    func augmentation() throws {
        var settings = TrainingSettings.small(epochs: 1)
        settings.augmentation.flips = true
        #expect(fault { _ = try trained(settings, try made("spirals")) }.contains("the data are none"))
    }

    @Test("Targets of any scale are learnt and scored alike", arguments: [-300, -200, -160, -13, 0, 12, 150, 300])
    func scales(exponent: Int) throws {
        var random = RandomSource(8)
        let x = (0..<240).map { _ in random.uniform(-1..<1) }
        let unit = pow(10, Double(exponent))
        let y = (0..<80).map { (abs(x[3 * $0]) - x[3 * $0 + 1]) * unit }
        let set = Dataset(
            name: "scale", features: Tensor(x, shape: [80, 3]), targets: Tensor(y, shape: [80, 1]), targetNames: ["y"])
        let data = LoadedData(train: set, test: set, task: .regression)
        let (model, report) = try trained(.small(epochs: 60), data)
        #expect(try #require(report.testScore) > 0.9)
        let scratch = try Scratch()
        try model.save(to: scratch.path("m"))
        let outputs = try NetworkModel.load(scratch.path("m")).outputs(set.features).doubles()
        let errors = zip(outputs, y).map { ($0 - $1) / unit }
        #expect(errors.reduce(0) { $0 + $1 * $1 } / 80 < 0.05)
    }
}

@Suite("A checkpoint is data", .serialized)
struct CheckpointDataTests {
    /// A checkpoint of a run stopped after some steps.
    private func checkpoint(_ settings: TrainingSettings, _ data: LoadedData, _ path: String) throws {
        _ = try trained(settings, data) { event in
            guard event.position >= 3 else { return .proceed }
            try? event.writeCheckpoint?(path)
            return .stop
        }
    }

    private func changed(_ file: SafeTensorsFile, _ index: Int, _ array: ArrayData?) -> SafeTensorsFile {
        var copy = file
        if let array { copy.tensors[index].array = array } else { copy.tensors.remove(at: index) }
        return copy.sealed()
    }

    @Test(
        "Every tensor of every optimizer's state is refused in another shape or type",
        arguments: OptimizerCatalogue.all.map { $0.name })
    func shapes(optimizer: String) throws {
        let data = try made("spirals")
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        var settings = TrainingSettings.small(optimizer, lr: nil, epochs: 2)
        settings.modelSettings = ["hidden": .list([.number(5), .number(4)])]
        if optimizer == "shampoo" { settings.optimizerSettings["momentum"] = .number(0.5) }
        if optimizer == "sgd" { settings.optimizerSettings["momentum"] = .number(0.9) }
        settings.after = [NamedSettings("lookahead"), NamedSettings("ema", settings: ["decay": .number(0.9)])]
        try checkpoint(settings, data, path)
        let file = try SafeTensors.read(path)
        // As it is, the run goes on from it.
        _ = try trained(settings, data, from: path) { _ in .stop }
        for (index, tensor) in file.tensors.enumerated() {
            let array = tensor.array
            let flat = ArrayData(
                elementType: array.elementType, shape: [array.count + 1],
                bytes: array.bytes + array.bytes.prefix(array.elementType.byteCount))
            let one = ArrayData(
                elementType: array.elementType, shape: [1],
                bytes: Array(array.bytes.prefix(array.elementType.byteCount)))
            let double = ArrayData(array.doubles(), shape: array.shape)
            for other in [flat, one, double] where other != array && array.count > 1 {
                try SafeTensors.write(changed(file, index, other), to: path)
                #expect(
                    fault { _ = try trained(settings, data, from: path) { _ in .stop } }.contains("checkpoint"),
                    "\(tensor.name) \(array.shape) as \(other.elementType) \(other.shape)")
            }
        }
    }

    @Test("A single bit that flipped anywhere is noticed")
    func bits() throws {
        let data = try made("spirals")
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        let settings = TrainingSettings.small(epochs: 2)
        try checkpoint(settings, data, path)
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
        for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 120)) {
            var broken = bytes
            broken[place] ^= 1 << UInt8(place % 8)
            try AtomicFile.write(broken, to: path)
            let text = fault { _ = try trained(settings, data, from: path) { _ in .stop } }
            // Blanks that pad the header mean nothing.
            #expect(text != "no error" || bytes[place] == 0x20, "byte \(place)")
        }
    }

    @Test("Numbers that no run has are refused")
    func numbers() throws {
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        let (settings, data) = (TrainingSettings.small(epochs: 2), try made("spirals"))
        try checkpoint(settings, data, path)
        let file = try SafeTensors.read(path)
        let text = try #require(file.metadata["descent.checkpoint"])
        for (old, new) in [
            (#""batches":3"#, #""batches":-3"#), (#""optimizerSteps":[3]"#, #""optimizerSteps":[-1]"#),
            (#""optimizerSteps":[3]"#, #""optimizerSteps":[]"#), (#""step":3"#, #""step":-9"#),
            (#""numbers":[["#, #""numbers":[["#.replacing("[[", with: "[],[[")),
        ] {
            #expect(text.contains(old), "\(old)")
            let found = try resumed(file, header: text.replacing(old, with: new), settings, data, path)
            #expect(found.contains("checkpoint"), "\(new)")
        }
    }

    @Test("No number of a sealed header ends the process, whatever it is")
    func extremes() throws {
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        var settings = TrainingSettings.small(epochs: 2)
        settings.schedule = "plateau"
        settings.patience = 2
        let data = try made("spirals")
        try checkpoint(settings, data, path)
        let file = try SafeTensors.read(path)
        let text = try #require(file.metadata["descent.checkpoint"])
        let progress = try #require(text.range(of: #""progress":{"#)).lowerBound
        let ranges = text.ranges(of: #/-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/#).filter { $0.lowerBound > progress }
        #expect(ranges.count > 10 && text.contains(#""plateau":"#))
        var refused = 0
        for range in ranges {
            for number in ["-1", "\(Int.max)", "\(Int.min)", "1e300"] {
                let header = text.replacingCharacters(in: range, with: number)
                refused += try resumed(file, header: header, settings, data, path) == "no error" ? 0 : 1
            }
        }
        #expect(refused > ranges.count)
    }

    /// How a run ends that goes on from a file with another header, sealed anew.
    private func resumed(
        _ file: SafeTensorsFile, header: String, _ settings: TrainingSettings, _ data: LoadedData, _ path: String
    ) throws -> String {
        var copy = file
        copy.metadata["descent.checkpoint"] = header
        try SafeTensors.write(copy.sealed(), to: path)
        var steps = 0
        return fault {
            _ = try trained(settings, data, from: path) { _ in
                steps += 1
                return steps < 3 ? .proceed : .stop
            }
        }
    }
}
