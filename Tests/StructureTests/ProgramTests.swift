import Foundation
import Networks
@testable import Programs
import Settings
import TestSupport
import Testing
import Torch

@testable import Structure

@Suite("A network written down as a program")
struct ProgramTests {
    @Test("Computes what the network computes, for any number of rows", arguments: Samples.all)
    func outputs(sample: Samples.Sample) throws {
        let network = Samples.network(sample, seed: 3)
        let traced = try Program.tracing(network, input: sample.input)
        for rows in [1, 2, 9] {
            let x = Samples.input(sample, rows: rows, seed: 5)
            #expect(distance(traced.network(x), network(x)) < 1e-13)
        }
        // It holds every parameter, and nothing that the output does not need.
        #expect(Set(traced.network.parameters.names) == Set(network.parameters.names))
    }

    @Test("Goes to a file and comes back", arguments: Samples.all)
    func file(sample: Samples.Sample) throws {
        let program = try Program.tracing(Samples.network(sample, seed: 1), input: sample.input).program
        let data = try JSONEncoder().encode(program)
        #expect(try JSONDecoder().decode(Program.self, from: data) == program)
    }

    @Test("What a module says of its parameters is in the program and its file, and shrinking respects a manifold")
    func attributes() throws {
        let linear = Operator("aten::linear")
        struct Marked: Module {
            let linear: Operator
            var isRound = true
            func declare(_ declaration: inout Declaration) {
                declaration.parameter("table", [4, 5], .normal(standardDeviation: 1), isLookup: true)
                declaration.parameter("fixed", [6, 4], .normal(standardDeviation: 1), isFrozen: true)
                declaration.parameter(
                    "free", [3, 6], .normal(standardDeviation: 1), ParameterAttributes(isPenalised: false))
                declaration.parameter(
                    "round", [2, 3], .normal(standardDeviation: 1),
                    ParameterAttributes(manifold: isRound ? NamedSettings("stiefel") : nil))
            }
            func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
                ["table", "fixed", "free", "round"].reduce(x) { linear(.tensor($0), .tensor(scope[$1]), .none).relu() }
            }
        }
        var network = Network(Marked(linear: linear), seed: 2, dtype: .float64)
        // A row and a column of zeros, which shrinking would take.
        for (name, row) in [("free", 1), ("fixed", 2)] {
            var rows = network.parameters[name]!.doubles()
            let width = network.parameters[name]!.shape[1]
            for place in row * width..<(row + 1) * width { rows[place] = 0 }
            network.parameters[name] = Tensor(rows, shape: network.parameters[name]!.shape)
        }
        let program = try Program.tracing(network, input: .features(5)).program
        let again = try JSONDecoder().decode(Program.self, from: JSONEncoder().encode(program))
        #expect(again == program && Network.attributes(of: again) == Network.attributes(of: network.module))
        #expect(Network.unpenalisedNames(of: again) == ["table", "free", "round"])
        let smaller = try Shrinking(network, input: .features(5))
        #expect(smaller.network.parameters["round"]?.shape == [2, 3])
        #expect(smaller.network.parameters["fixed"]?.shape == [5, 4])
        var loose = Network(Marked(linear: linear, isRound: false), dtype: .float64)
        loose.parameters = network.parameters
        #expect(try Shrinking(loose, input: .features(5)).network.parameters["round"]?.shape == [2, 2])
    }

    @Test("Calls that the engine does not know and values out of order are refused")
    func damaged() throws {
        let sample = Samples.all[0]
        let program = try Program.tracing(Samples.network(sample, seed: 1), input: sample.input).program
        let text = String(decoding: try JSONEncoder().encode(program), as: UTF8.self)
        for (old, new) in [
            ("\"linear\"", "\"lineal\""), ("[\"v\",0]", "[\"v\",99]"), ("\"output\":", "\"output\":1"),
        ] {
            let broken = text.replacingOccurrences(of: old, with: new)
            #expect(broken != text)
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(Program.self, from: Data(broken.utf8))
            }
        }
    }

    @Test("Gradients flow through it")
    func gradients() throws {
        let sample = Samples.all[2]
        let network = Samples.network(sample, seed: 3)
        var (direct, traced) = (network, try Program.tracing(network, input: sample.input).network)
        let x = Samples.input(sample, rows: 4, seed: 5)
        let wanted = try direct.lossAndGradients(x, isTraining: false) { $0.squared().sum() }
        let found = try traced.lossAndGradients(x, isTraining: false) { $0.squared().sum() }
        let byName = Dictionary(uniqueKeysWithValues: zip(direct.parameters.names, wanted.gradients))
        for (name, gradient) in zip(traced.parameters.names, found.gradients) {
            #expect(distance(gradient, try #require(byName[name])) < 1e-12)
        }
    }

    @Test("A network that depends on the number of rows is refused")
    func dependent() {
        struct Odd: Module {
            func declare(_ declaration: inout Declaration) { declaration.part("a", Linear(3, 2)) }
            func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
                Linear(3, 2)(x, scope.part("a")) * Double(x.shape[0])
            }
        }
        #expect(throws: TraceError.self) {
            try Program.tracing(Network(Odd(), dtype: .float64), input: .features(3))
        }
    }
}
