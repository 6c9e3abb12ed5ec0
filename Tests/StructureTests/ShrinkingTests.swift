import Networks
@testable import Programs
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import Structure

@Suite("Shrinking")
struct ShrinkingTests {
    private func shapes(_ shrinking: Shrinking) -> [String: [Int]] {
        Dictionary(uniqueKeysWithValues: shrinking.network.parameters.pairs.map { ($0.name, $0.tensor.shape) })
    }

    private func require(_ shrinking: Shrinking, _ network: Network, _ sample: Samples.Sample) {
        for (rows, seed) in [(1, 11), (6, 12)] {
            let x = Samples.input(sample, rows: rows, seed: UInt64(seed))
            let (before, after) = (network(x), shrinking.network(x))
            #expect(distance(after, before) < 1e-10 * (1 + before.absolute().max().scalar))
        }
    }

    @Test("Outputs stay on networks with random zero inputs", arguments: Samples.all, [1, 2, 3] as [UInt64])
    func inputs(sample: Samples.Sample, seed: UInt64) throws {
        var network = Samples.network(sample, seed: seed)
        Samples.zero(&network, axis: .inputs, share: 0.5, seed: seed) { _ in true }
        let shrinking = try Shrinking(network, input: sample.input)
        require(shrinking, network, sample)
        #expect(shrinking.hasChanged && shrinking.network.parameterCount < network.parameterCount)
    }

    @Test("Outputs stay on networks with random zero outputs", arguments: Samples.all, [1, 2] as [UInt64])
    func outputs(sample: Samples.Sample, seed: UInt64) throws {
        var network = Samples.network(sample, seed: seed)
        Samples.zero(&network, axis: .outputs, share: 0.5, seed: seed) { _ in true }
        require(try Shrinking(network, input: sample.input), network, sample)
    }

    @Test("A channel with the smallest weight stays", arguments: Samples.all)
    func kept(sample: Samples.Sample) throws {
        var network = Samples.network(sample, seed: 4)
        Samples.zero(&network, axis: .inputs, share: 0.7, seed: 9) { _ in true }
        let before = try Shrinking(network, input: sample.input)
        // One weight in every zero slice: now everything is used.
        let untouched = Samples.network(sample, seed: 4)
        for name in network.parameters.names where network.parameters[name]!.rank >= 2 {
            let tiny = untouched.parameters[name]! * 1e-9
            network.parameters[name] = network.parameters[name]! + tiny
        }
        let after = try Shrinking(network, input: sample.input)
        #expect(after.network.parameterCount > before.network.parameterCount)
        #expect(after.changes.allSatisfy { $0.after == $0.before }, "\(after.changes)")
        // And cutting what is used would be seen: the comparison of outputs is no formality.
        var wrong = before.network
        for name in wrong.parameters.names { wrong.parameters[name] = wrong.parameters[name]! * 0.9 }
        let x = Samples.input(sample, rows: 6, seed: 12)
        #expect(distance(wrong(x), before.network(x)) > 1e-6)
    }

    private func chain(_ zeros: (inout Network) -> Void, _ sample: Samples.Sample) throws -> Shrinking {
        var network = Samples.network(sample, seed: 2)
        zeros(&network)
        let shrinking = try Shrinking(network, input: sample.input)
        require(shrinking, network, sample)
        return shrinking
    }

    private func clear(_ network: inout Network, _ name: String, _ axis: Grouping.Axis, _ slices: Set<Int>) {
        let w = network.parameters[name]!
        let dimension = axis == .inputs ? 1 : 0
        var shape = [Int](repeating: 1, count: w.rank)
        shape[dimension] = w.shape[dimension]
        let mask = (0..<w.shape[dimension]).map { slices.contains($0) ? 0.0 : 1.0 }
        network.parameters[name] = w * Tensor(mask, shape: shape)
    }

    @Test("Unused units go on both sides, and the input's columns with them")
    func mlp() throws {
        let shrinking = try chain(
            { network in
                clear(&network, "2.weight", .inputs, [0, 5, 7])
                clear(&network, "0.weight", .inputs, [1, 6])
            }, Samples.all[0])
        let shapes = shapes(shrinking)
        #expect(shapes["0.weight"] == [9, 5] && shapes["0.bias"] == [9] && shapes["2.weight"] == [9, 9])
        #expect(shrinking.network.buffers["input.columns"]?.doubles() == [0, 2, 3, 4, 5])
    }

    @Test("What only a removed unit read goes in the next round")
    func rounds() throws {
        let shrinking = try chain(
            { network in
                // The third hidden layer's unit 4 is unused; unit 2 of the one before is read by that alone.
                clear(&network, "4.weight", .inputs, [4])
                let w = network.parameters["2.weight"]!.doubles()
                var lone = w
                for row in 0..<9 where row != 4 { lone[row * 12 + 2] = 0 }
                network.parameters["2.weight"] = Tensor(lone, shape: [9, 12])
            }, Samples.all[0])
        let shapes = shapes(shrinking)
        #expect(shapes["4.weight"] == [4, 8] && shapes["2.weight"] == [8, 11] && shapes["0.weight"] == [11, 7])
    }

    @Test("A flattened channel is all of its columns")
    func flattened() throws {
        let sample = Samples.all[2]
        let channel = 4 * 4
        let shrinking = try chain(
            { network in
                clear(&network, "7.weight", .inputs, Set(channel * 2..<channel * 3))
                // Most of another channel is not enough.
                clear(&network, "7.weight", .inputs, Set(channel * 4..<channel * 5 - 1))
            }, sample)
        let shapes = shapes(shrinking)
        #expect(shapes["3.weight"] == [5, 6, 3, 3] && shapes["7.weight"] == [8, 5 * channel])
    }

    @Test("Units that are constant go into the biases of what reads them")
    func constants() throws {
        let shrinking = try chain({ clear(&$0, "0.weight", .outputs, [1, 3]) }, Samples.all[0])
        #expect(shapes(shrinking)["0.weight"] == [10, 7] && shapes(shrinking)["2.weight"] == [9, 10])
        // Without a bias to take them over one is made, where they are not zero.
        let bare = try chain({ clear(&$0, "0.weight", .outputs, [2]) }, Samples.all[1])
        #expect(shapes(bare)["0.weight"] == [10, 5] && shapes(bare)["2.weight"] == [4, 10])
    }

    @Test("A layer that is silent as a whole keeps one unit, which counts once")
    func silent() throws {
        for sample in [0, 1] {
            let shrinking = try chain(
                { network in
                    let all = Set(0..<network.parameters["0.weight"]!.shape[0])
                    clear(&network, "0.weight", .outputs, all)
                    if let bias = network.parameters["0.bias"] { network.parameters["0.bias"] = bias.absolute() + 0.5 }
                }, Samples.all[sample])
            #expect(shapes(shrinking)["0.weight"]?[0] == 1)
        }
    }

    @Test("Constants of several layers go at once, into biases that are made for them")
    func several() throws {
        let sample = Samples.all[4]
        let shrinking = try chain(
            { network in
                for (block, bias) in [("layer1.0", 1.0), ("layer1.1", -5.0)] {
                    clear(&network, block + ".conv1.weight", .outputs, [0, 3])
                    var values = network.parameters[block + ".bn1.bias"]!.doubles()
                    (values[0], values[3]) = (bias, bias)
                    network.parameters[block + ".bn1.bias"] = Tensor(values)
                }
                // Their readers' own outputs go in the same round.
                clear(&network, "layer2.0.conv2.weight", .inputs, [5])
                clear(&network, "layer2.0.conv1.weight", .outputs, [6])
            }, sample)
        #expect(shapes(shrinking)["layer2.0.conv2.weight"]?[1] == 127)
    }

    @Test("A bottleneck's one-by-one convolutions take constants over")
    func bottleneck() throws {
        let sample = Samples.architecture(
            "resnet50", ["stem": .word("cifar")], .image(channels: 3, height: 4, width: 4))
        let shrinking = try chain(
            { network in
                for (block, bias) in [("layer1.0", 1.0), ("layer1.1", -5.0)] {
                    clear(&network, block + ".conv2.weight", .outputs, [0])
                    var values = network.parameters[block + ".bn2.bias"]!.doubles()
                    values[0] = bias + 50
                    network.parameters[block + ".bn2.bias"] = Tensor(values)
                }
            }, sample)
        #expect(shapes(shrinking)["layer1.0.conv3.weight"]?[1] == 63)
        #expect(shapes(shrinking)["layer1.0.conv3.weight.bias"] == [256])
        #expect(shapes(shrinking)["layer1.1.conv3.weight"]?[1] == 63)
    }

    @Test("A layer that is called twice keeps its constants")
    func shared() throws {
        struct Twice: Module {
            func declare(_ declaration: inout Declaration) {
                declaration.part("a", Linear(4, 4))
                declaration.part("b", Linear(4, 2))
            }
            func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
                let layer = Linear(4, 4)
                let twice = layer(layer(x, scope.part("a")).relu(), scope.part("a")).relu()
                return Linear(4, 2)(twice, scope.part("b"))
            }
        }
        let sample = Samples.Sample(testDescription: "twice", module: Twice(), input: .features(4))
        for axis in [Grouping.Axis.inputs, .outputs] {
            _ = try chain({ clear(&$0, "a.weight", axis, [1]) }, sample)
        }
    }

    @Test("Constants before a convolution with a border stay, and the report says why")
    func border() throws {
        let shrinking = try chain(
            { network in
                clear(&network, "0.weight", .outputs, [1])
                network.parameters["0.bias"] = network.parameters["0.bias"]!.absolute() + 1
            }, Samples.all[2])
        #expect(shapes(shrinking)["0.weight"]?[0] == 6)
        #expect(shrinking.changes.contains { $0.kept.contains { $0.reason.contains("zeros around its input") } })
        // A channel that is zero as well as constant can go.
        let silent = try chain(
            { network in
                clear(&network, "0.weight", .outputs, [1])
                network.parameters["0.bias"] = network.parameters["0.bias"]!.absolute() * -1
            }, Samples.all[2])
        #expect(shapes(silent)["0.weight"]?[0] == 5)
    }

    @Test(
        "Each channel is decided on by itself: of three silent ones two go, and the constant one stays with its reason")
    func oneByOne() throws {
        let shrinking = try chain(
            { network in
                clear(&network, "0.weight", .outputs, [1, 2, 4])
                network.parameters["0.bias"] = Tensor([0.1, -0.3, 0.7, 0.2, 0, 0.4])
            }, Samples.all[2])
        #expect(shapes(shrinking)["0.weight"]?[0] == 4)
        let kept = shrinking.changes.flatMap(\.kept)
        #expect(kept.map(\.channels) == [[2]])
        #expect(kept.first?.reason.contains("zeros around its input") == true)
    }

    @Test("On a residual stream a channel goes when every reader ignores it")
    func residual() throws {
        let sample = Samples.all[4]
        func readers(_ network: Network) -> [String] {
            ["layer1.0.conv1", "layer1.1.conv1", "layer2.0.conv1", "layer2.0.downsample.0"].map { $0 + ".weight" }
        }
        let all = try chain(
            { network in
                for name in readers(network) { clear(&network, name, .inputs, [3, 7]) }
            }, sample)
        let found = shapes(all)
        #expect(found["conv1.weight"]?[0] == 62 && found["layer1.0.conv2.weight"]?[0] == 62)
        #expect(found["bn1.weight"] == [62] && found["layer1.1.bn2.weight"] == [62])
        let one = try chain({ clear(&$0, "layer1.1.conv1.weight", .inputs, [3, 7]) }, sample)
        #expect(shapes(one)["conv1.weight"]?[0] == 64)
        // Inside a block it takes one reader.
        let inside = try chain({ clear(&$0, "layer1.0.conv2.weight", .inputs, [0, 1, 2]) }, sample)
        #expect(shapes(inside)["layer1.0.conv1.weight"]?[0] == 61)
    }

    @Test("Heads of attention go whole, and a normalised stream says why it stays")
    func attention() throws {
        let sample = Samples.all[5]
        let shrinking = try chain(
            { network in
                clear(
                    &network, "encoder.layers.encoder_layer_0.self_attention.out_proj.weight", .inputs, Set(4..<8))
                clear(&network, "encoder.layers.encoder_layer_1.mlp.3.weight", .inputs, [0, 2, 9])
                for layer in 0..<2 {
                    let prefix = "encoder.layers.encoder_layer_\(layer)."
                    for name in ["self_attention.in_proj_weight", "mlp.0.weight"] {
                        clear(&network, prefix + name, .inputs, [1])
                    }
                }
                clear(&network, "heads.head.weight", .inputs, [1])
            }, sample)
        let found = shapes(shrinking)
        #expect(found["encoder.layers.encoder_layer_0.self_attention.in_proj_weight"] == [36, 16])
        #expect(found["encoder.layers.encoder_layer_0.self_attention.out_proj.weight"] == [16, 12])
        #expect(found["encoder.layers.encoder_layer_1.self_attention.in_proj_weight"] == [48, 16])
        #expect(found["encoder.layers.encoder_layer_1.mlp.0.weight"] == [125, 16])
        let kept = shrinking.changes.flatMap(\.kept).first { $0.reason.contains("layer_norm") }
        #expect(kept?.channels == [1])
    }

    @Test("Units of a recurrent layer go with their gates", arguments: [(7, 4), (8, 3)])
    func recurrent(index: Int, gates: Int) throws {
        let shrinking = try chain(
            { network in
                clear(&network, "recurrent.weight_hh_l0", .inputs, [2, 5])
                clear(&network, "head.weight", .inputs, [2, 5, 6])
                clear(&network, "recurrent.weight_ih_l0", .inputs, [0])
            }, Samples.all[index])
        let found = shapes(shrinking)
        #expect(found["recurrent.weight_hh_l0"] == [gates * 6, 6] && found["head.weight"] == [4, 6])
        #expect(found["recurrent.weight_ih_l0"] == [gates * 6, 5] && found["encode.weight"] == [5, 3])
    }

    @Test("Matrices of low rank become two, where that is smaller")
    func factors() throws {
        let sample = Samples.architecture(
            "mlp", ["hidden": .list([.number(40), .number(30)])], .features(20))
        var random = RandomSource(1)
        let shrinking = try chain(
            { network in
                network.parameters["2.weight"] = random.tensor([30, 3]).times(random.tensor([3, 40]))
            }, sample)
        let found = shapes(shrinking)
        #expect(found["2.weight.left"] == [30, 3] && found["2.weight.right"] == [3, 40] && found["2.weight"] == nil)
        #expect(shrinking.factorised == [.init(parameter: "2.weight", shape: [30, 40], rank: 3)])
        let full = try chain({ _ in }, sample)
        #expect(full.factorised.isEmpty && !full.hasChanged)
    }

    @Test("Costs are those of the formulas")
    func costs() throws {
        let sample = Samples.all[3]
        let network = Samples.network(sample, seed: 1)
        let traced = try Program.tracing(network, input: sample.input)
        let cost = try Cost(traced.program, traced.network, input: sample.input)
        // 16 × 16 → 12 × 12 → 6 × 6 → 2 × 2 → 1 × 1.
        #expect(cost.multiplyAdds == 12 * 12 * 5 * 2 * 25 + 2 * 2 * 6 * 5 * 25 + 6 * 9 + 9 * 4)
        #expect(cost.parameters == network.parameterCount && cost.bytes == 8 * network.parameterCount)
    }

    @Test("The readers of a channel are found, with as many columns as a flattened one has")
    func readers() throws {
        let sample = Samples.all[2]
        let sets = try ChannelReaders.all(of: Samples.network(sample, seed: 1), input: sample.input)
        #expect(
            sets.contains(.init(readers: [.init(name: "7.weight", grouping: Grouping(.inputs, width: 16))])))
        let residual = Samples.all[4]
        let joined = try ChannelReaders.all(of: Samples.network(residual, seed: 1), input: residual.input)
        let names = joined.map { Set($0.readers.map(\.name)) }
        #expect(
            names.contains([
                "layer1.0.conv1.weight", "layer1.1.conv1.weight", "layer2.0.conv1.weight",
                "layer2.0.downsample.0.weight",
            ]))
    }
}

@Suite("The structure of parameters")
struct NetworkStructureTests {
    @Test("Measures are those of the definitions")
    func measures() throws {
        var parameters = NamedTensors()
        parameters["a"] = Tensor([1.0, 0, 0, 2, 0, 0, 0, 0, -3], shape: [3, 3])
        parameters["b"] = Tensor([0.0, 0, 0, 0, 1e-30, 0, 0, 0], shape: [2, 4])
        parameters["c"] = Tensor([0.0, 1])
        let lasso = GroupLassoPenalty()
        let structure = NetworkStructure(parameters, penalties: [lasso, lasso, nil])
        // a: one of three columns is zero; b: three of four, since the smallest number is not zero.
        #expect(structure.layers.map(\.zeroGroups) == [1, 3] && structure.layers.map(\.groups) == [3, 4])
        #expect(abs(try #require(structure.weightedGroupSparsity) - (3.0 + 6) / 17) < 1e-15)
        #expect(abs(try #require(structure.groupSparsity) - 4.0 / 7) < 1e-15)
        #expect(abs(structure.zeroShare - 14.0 / 19) < 1e-15 && structure.lowRankLevel == nil)
        let ranks = NetworkStructure(parameters, penalties: [NuclearNormPenalty(), NuclearNormPenalty(), nil])
        #expect(ranks.layers.map(\.rank) == [2, 1])
        #expect(abs(try #require(ranks.lowRankLevel) - (1 - 3.0 / 5)) < 1e-15)
    }

    @Test("Fingerprints are equal for equal structure only")
    func fingerprints() {
        func print(_ values: [Double]) -> String {
            var parameters = NamedTensors()
            parameters["a"] = Tensor(values, shape: [2, 3])
            return NetworkStructure(parameters, penalties: [GroupLassoPenalty()]).fingerprint
        }
        #expect(print([1, 0, 2, 3, 0, 4]) == print([9, 0, 1, 1, 0, 1]))
        #expect(print([1, 0, 2, 3, 0, 4]) != print([0, 1, 2, 0, 3, 4]))
    }
}
