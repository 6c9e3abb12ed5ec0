import Networks
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import Structure

/// A network of each kind that is to be shrunk, small enough for many of them.
enum Samples {
    /// A recurrent layer, its last output and a linear map.
    struct Sequence: Module {
        let recurrent: Recurrent
        let length: Int
        private var outputs: Int { recurrent.hidden * (recurrent.isBidirectional ? 2 : 1) }

        func declare(_ declaration: inout Declaration) {
            declaration.part("encode", Linear(3, recurrent.inputs))
            declaration.part("recurrent", recurrent)
            declaration.part("head", Linear(outputs, 4))
        }

        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            let steps = Linear(3, recurrent.inputs)(x.reshaped(x.shape[0], length, 3), scope.part("encode")).relu()
            let seen = recurrent(steps, scope.part("recurrent"))
            return Linear(outputs, 4)(seen.select(1, length - 1), scope.part("head"))
        }
    }

    /// Depthwise, transposed and one-dimensional convolutions and a group normalisation.
    struct Convolutions: Module {
        func declare(_ declaration: inout Declaration) {
            for (name, module) in parts { declaration.part(name, module) }
        }

        private var parts: [(String, any Module)] {
            [
                ("first", Convolution.twoDimensions(2, 8, size: 3)), ("norm", BatchNorm(8)),
                ("depthwise", Convolution.twoDimensions(8, 8, size: 3, padding: .zeros(1), groups: 8)),
                ("point", Convolution.twoDimensions(8, 6, size: 1)),
                ("up", ConvTranspose2d(6, 5, size: 2, stride: 2)), ("group", GroupNorm(5, 5)),
                ("line", Convolution.oneDimension(5, 4, size: 3)), ("head", Linear(4, 3)),
            ]
        }

        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            var y = x.reshaped(-1, 2, 6, 6)
            for (name, module) in parts.prefix(5) { y = module(y, scope.part(name)).relu() }
            y = parts[5].1(y, scope.part("group"))
            let line = parts[6].1(y.mean(3), scope.part("line")).relu()
            return parts[7].1(line.mean(2), scope.part("head"))
        }
    }

    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let module: any Module
        let input: InputShape
    }

    static func architecture(
        _ name: String, _ settings: [String: SettingValue], _ input: InputShape
    ) -> Sample {
        let made = try? ArchitectureCatalogue.make(name, settings: settings).network(input: input, outputs: 4)
        return Sample(testDescription: name, module: made!, input: input)
    }

    static let image = InputShape.image(channels: 2, height: 16, width: 16)

    static let all: [Sample] =
        [
            architecture("mlp", ["hidden": .list([.number(12), .number(9)])], .features(7)),
            architecture("two_layer", ["hidden": .number(11), "bias": .flag(false)], .features(5)),
            architecture("cnn", ["channels": .number(6), "hidden": .number(8)], image),
            architecture("lenet", ["channels": .list([.number(5), .number(6)]), "hidden": .number(9)], image),
            architecture("resnet18", [:], .image(channels: 3, height: 8, width: 8)),
            architecture(
                "vit", ["patch": .number(8), "width": .number(16), "heads": .number(4), "layers": .number(2)], image),
            architecture(
                "transformer_lm", ["width": .number(16), "heads": .number(4), "feed_forward": .number(20)],
                .tokens(vocabulary: 9, length: 5)),
        ]
        + [(Recurrent.Cell.lstm, 1, false), (.gru, 1, false), (.lstm, 2, true)].map { cell, layers, both in
            let recurrent = Recurrent(cell, 6, 8, layers: layers, bidirectional: both)
            return Sample(
                testDescription: "\(cell), \(layers) layers, \(both ? "both directions" : "forwards")",
                module: Sequence(recurrent: recurrent, length: 5), input: .features(15))
        }
        + [Sample(testDescription: "convolutions", module: Convolutions(), input: .features(72))]

    static func input(_ sample: Sample, rows: Int, seed: UInt64) -> Tensor {
        var random = RandomSource(seed)
        if case .tokens(let vocabulary, let length) = sample.input {
            let tokens = (0..<rows * length).map { _ in Double(random.integer(vocabulary)) }
            return Tensor(tokens, shape: [rows, length])
        }
        return random.tensor([rows, sample.input.count])
    }

    /// Random running statistics, so that normalisation does something.
    static func network(_ sample: Sample, seed: UInt64) -> Network {
        var network = Network(sample.module, seed: seed, dtype: .float64)
        var random = RandomSource(seed)
        for name in network.buffers.names where name.hasSuffix("running_var") {
            network.buffers[name] = random.tensor(network.buffers[name]!.shape).absolute() + 0.5
        }
        for name in network.buffers.names where name.hasSuffix("running_mean") {
            network.buffers[name] = random.tensor(network.buffers[name]!.shape)
        }
        for name in network.parameters.names where network.parameters[name]!.rank == 1 {
            network.parameters[name] = network.parameters[name]! + random.tensor(network.parameters[name]!.shape) * 0.3
        }
        return network
    }

    /// Zeroes some slices of some parameters.
    static func zero(
        _ network: inout Network, axis: Grouping.Axis, share: Double, seed: UInt64, where isChosen: (String) -> Bool
    ) {
        var random = RandomSource(seed)
        let lookups = Network.unpenalisedNames(of: network.module)
        for name in network.parameters.names where isChosen(name) && !lookups.contains(name) {
            let w = network.parameters[name]!
            guard w.rank >= 2 else { continue }
            let dimension = axis == .inputs ? 1 : 0
            var shape = [Int](repeating: 1, count: w.rank)
            shape[dimension] = w.shape[dimension]
            let mask = (0..<w.shape[dimension]).map { _ in random.uniform() < share ? 0.0 : 1.0 }
            network.parameters[name] = w * Tensor(mask, shape: shape)
        }
    }
}
