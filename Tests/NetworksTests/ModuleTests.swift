import Settings
import TestSupport
import Testing
import Torch

@testable import Networks

@Suite("Modules agree with PyTorch")
struct ModuleTests {
    static let layers = Fixtures.load("layers", as: [ModuleCase].self)
    static let architectures = Fixtures.load("architectures", as: [ModuleCase].self)

    @Test("Layers: outputs, gradients of parameters and input, buffers", arguments: layers)
    func layer(_ reference: ModuleCase) throws {
        if reference.kind == "SinusoidalPositionalEncoding" {
            let table = SinusoidalPositions(reference.int("d_model")).table(reference.int("length"))
            let expected = try #require(reference.output.values)
            #expect(zip(table.doubles(), expected).allSatisfy { abs($0 - $1) < 1e-14 } && table.count == expected.count)
            return
        }
        try compare(reference, try Self.layer(reference), tolerance: 1e-11)
    }

    @Test("Architectures: outputs, gradients of parameters and input, buffers", arguments: architectures)
    func architecture(_ reference: ModuleCase) throws {
        // In training VGG's last layers normalise two rows of one pixel: only the sign of their difference is left, and
        // where they are nearly equal that is a matter of rounding.
        let isIllPosed = reference.name == "vgg19_bn_cifar_train"
        try compare(reference, try Self.architecture(reference), tolerance: isIllPosed ? 1e-2 : 1e-9)
    }

    @Test("A wrong formula does not pass", arguments: ["gelu", "layer_norm", "conv2d", "lstm", "batch_norm2d_train"])
    func mutant(name: String) throws {
        let reference = try #require(Self.layers.first { $0.name == name })
        let wrong: any Module =
            switch name {
            case "gelu": Activation.gelu(approximate: true)
            case "layer_norm": LayerNorm(6, epsilon: 1e-2)
            case "conv2d", "lstm": Reversed(base: try Self.layer(reference))
            default: BatchNorm(4, momentum: 0.2)
            }
        #expect(try worst(reference, wrong) > 1e-6)
    }

    /// Feeds time, or channels, backwards.
    private struct Reversed: Module {
        let base: any Module
        func declare(_ declaration: inout Declaration) { base.declare(&declaration) }
        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
            base(x.gathering(Array((0..<x.shape[1]).reversed()), dimension: 1), scope)
        }
    }

    private func compare(_ reference: ModuleCase, _ module: any Module, tolerance: Double) throws {
        let network = Network(module, dtype: .float64)
        #expect(network.parameters.names == reference.parameters.map { $0.name! })
        #expect(network.parameters.values.map(\.shape) == reference.parameters.map(\.shape))
        #expect(network.buffers.names == reference.buffers.map { $0.name! })
        let deviation = try worst(reference, module)
        #expect(deviation < tolerance)
    }

    /// The largest deviation of anything that the reference states.
    private func worst(_ reference: ModuleCase, _ module: any Module) throws -> Double {
        var network = Network(module, dtype: .float64)
        for rule in reference.parameters { network.parameters[rule.name!] = rule.tensor(rule.name!) }
        for rule in reference.buffers { network.buffers[rule.name!] = rule.tensor(rule.name!) }
        let isTraining = reference.mode == "train"
        let input = reference.input!
        let x = input.tensor("input")
        var output = Tensor([0.0])
        let (chosen, base) = (network, network)
        let names = chosen.parameters.names
        let leaves = chosen.parameters.values + (input.kind == "float" ? [x] : [])
        var pass: Pass?
        let result = try valueAndGradients(at: leaves) { leaves in
            let current = base.parameters.replacing(Array(leaves.prefix(names.count)))
            pass = Pass(current, base.buffers, isTraining: isTraining)
            let y = module(input.kind == "float" ? leaves[names.count] : x, Scope(pass: pass!))
            output = y.detached()
            let weight = Tensor(Fixtures.values("weight_of_output", y.count), shape: y.shape)
            return (y * weight).sum()
        }
        var deviations = [reference.output.deviation(output, isOutput: true)]
        #expect(output.shape == reference.output.shape)
        deviations.append(abs(result.value.scalar - reference.loss!) / (1 + abs(reference.loss!)))
        for (name, gradient) in zip(names, result.gradients) {
            let expected = try #require(reference.gradients.first { $0.name == name })
            deviations.append(expected.deviation(gradient))
        }
        if let expected = reference.inputGradient { deviations.append(expected.deviation(result.gradients.last!)) }
        for expected in reference.buffersAfter ?? [] {
            let after = try #require(pass?.updates[expected.name!])
            deviations.append(expected.deviation(after))
        }
        return deviations.max() ?? .infinity
    }

    private static func layer(_ c: ModuleCase) throws -> any Module {
        func padding() -> Padding { c.config["padding"] == .word("same") ? .same : .zeros(c.int("padding")) }
        switch c.kind {
        case "Linear": return Linear(c.int("in_features"), c.int("out_features"), bias: c.flag("bias"))
        case "Conv1d", "Conv2d":
            let make = c.kind == "Conv1d" ? Convolution.oneDimension : Convolution.twoDimensions
            return make(
                c.int("in_channels"), c.int("out_channels"), c.int("kernel_size"), c.int("stride"), padding(),
                c.int("dilation"), c.int("groups"), c.flag("bias"), .layerDefault)
        case "ConvTranspose2d":
            return ConvTranspose2d(
                c.int("in_channels"), c.int("out_channels"), size: c.int("kernel_size"), stride: c.int("stride"),
                padding: c.int("padding"), outputPadding: c.int("output_padding"), bias: c.flag("bias"))
        case "BatchNorm1d", "BatchNorm2d":
            return BatchNorm(c.int("num_features"), epsilon: c.double("eps"), momentum: c.double("momentum"))
        case "LayerNorm":
            var norm = LayerNorm(epsilon: c.double("eps"))
            norm.shape = c.ints("normalized_shape")
            return norm
        case "GroupNorm": return GroupNorm(c.int("num_groups"), c.int("num_channels"), epsilon: c.double("eps"))
        case "Embedding": return Embedding(c.int("num_embeddings"), c.int("embedding_dim"))
        case "MaxPool2d":
            return Pooling.max(size: c.int("kernel_size"), stride: c.int("stride"), padding: c.int("padding"))
        case "AvgPool2d":
            return Pooling.average(size: c.int("kernel_size"), stride: c.int("stride"), padding: c.int("padding"))
        case "AdaptiveAvgPool2d":
            return Pooling.adaptiveAverage(height: c.ints("output_size")[0], width: c.ints("output_size")[1])
        case "ReLU": return Activation.relu
        case "LeakyReLU": return Activation.leakyReLU(slope: c.double("negative_slope"))
        case "GELU": return Activation.gelu(approximate: c.config["approximate"] == .word("tanh"))
        case "SiLU": return Activation.silu
        case "Tanh": return Activation.tanh
        case "Sigmoid": return Activation.sigmoid
        case "Softplus": return Activation.softplus
        case "ELU": return Activation.elu(alpha: c.double("alpha"))
        case "LSTM", "GRU":
            return Recurrent(
                c.kind == "LSTM" ? .lstm : .gru, c.int("input_size"), c.int("hidden_size"),
                layers: c.int("num_layers"), bidirectional: c.flag("bidirectional"))
        case "MultiheadAttention":
            return MultiheadAttention(c.int("embed_dim"), heads: c.int("num_heads"), causal: c.flag("is_causal"))
        case "TransformerEncoderLayer":
            return TransformerLayer(c.int("d_model"), heads: c.int("nhead"), feedForward: c.int("dim_feedforward"))
        default: preconditionFailure("no layer for \(c.kind)")
        }
    }

    private static func architecture(_ c: ModuleCase) throws -> any Module {
        let shape = c.input!.shape
        func image() -> InputShape { .image(channels: shape[1], height: shape[2], width: shape[3]) }
        switch c.kind {
        case "MLP": return LinearChain(sizes: c.ints("sizes"), bias: c.flag("bias"))
        case "CNN":
            let settings: [String: SettingValue] = ["channels": c.config["channels"]!, "hidden": c.config["hidden"]!]
            return try ArchitectureCatalogue.make("cnn", settings: settings)
                .network(input: image(), outputs: c.int("outputs"))
        case "VGG19BN":
            return try ArchitectureCatalogue.make("vgg19_bn").network(input: image(), outputs: c.int("num_classes"))
        case "ResNet18", "ResNet50":
            return try ArchitectureCatalogue.make(c.kind.lowercased(), settings: ["stem": c.config["stem"]!])
                .network(input: image(), outputs: c.int("num_classes"))
        case "VisionTransformer":
            let settings: [String: SettingValue] = [
                "patch": c.config["patch_size"]!, "width": c.config["hidden_dim"]!, "heads": c.config["num_heads"]!,
                "layers": c.config["num_layers"]!, "feed_forward": c.config["mlp_dim"]!,
            ]
            return try ArchitectureCatalogue.make("vit", settings: settings)
                .network(input: image(), outputs: c.int("num_classes"))
        case "TransformerLanguageModel":
            let settings: [String: SettingValue] = [
                "width": c.config["width"]!, "heads": c.config["heads"]!, "layers": c.config["layers"]!,
                "feed_forward": c.config["feedforward"]!, "predicts": .word("every"),
            ]
            let input = InputShape.tokens(vocabulary: c.int("vocabulary"), length: c.int("context"))
            return try ArchitectureCatalogue.make("transformer_lm", settings: settings)
                .network(input: input, outputs: c.int("vocabulary"))
        default: preconditionFailure("no architecture for \(c.kind)")
        }
    }
}

/// A loss's reference.
struct LossCase: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var kind: String
    var config: [String: SettingValue]
    var input: Rule
    var target: Rule
    var value: Double
    var inputGradient: Digest
    var testDescription: String { name }
}

@Suite("Training losses agree with PyTorch")
struct TrainingLossTests {
    @Test("Values and gradients", arguments: Fixtures.load("losses", as: [LossCase].self))
    func losses(_ reference: LossCase) throws {
        let name = [
            "binary_cross_entropy_with_logits": "bce", "mse_loss": "mse", "l1_loss": "l1", "huber_loss": "huber",
        ]
        var settings = reference.config
        settings["reduction"] = nil
        settings["smoothing"] = settings.removeValue(forKey: "label_smoothing")
        let loss = try TrainingLossCatalogue.make(
            NamedSettings(name[reference.kind] ?? reference.kind, settings: settings))
        let target = reference.target.tensor("target")
        let found = try valueAndGradients(at: [reference.input.tensor("input")]) { loss($0[0], target) }
        #expect(abs(found.value.scalar - reference.value) < 1e-13)
        #expect(reference.inputGradient.deviation(found.gradients[0], isOutput: true) < 1e-12)
    }
}
