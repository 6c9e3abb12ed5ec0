import Foundation
import Networks
@testable import Programs
import TestSupport
import Testing
import Torch

@testable import Structure

@Suite("A program in a file is data")
struct PureOperatorTests {
    private func decoded(_ text: String) throws -> Program {
        try JSONDecoder().decode(Program.self, from: Data(text.utf8))
    }

    private func fault(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    /// A program of one step on the input and a parameter w of shape [4, 4].
    private func program(_ step: String) throws -> Program {
        try decoded(#"{"parameters":[["w",[4,4],"parameter"]],"steps":[\#(step)],"output":2}"#)
    }

    private func run(_ program: Program, rows: Int = 2, dtype: DType = .float64) throws -> Tensor {
        try Network(program, dtype: dtype).output(Tensor.full([rows, 4], 1, dtype: dtype))
    }

    @Test("Every listed operator is one of the engine's")
    func known() {
        for name in PureOperator.all.keys {
            let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
            #expect(Operator(ifKnown: "aten::" + parts[0], parts.count > 1 ? parts[1] : "") != nil, "\(name)")
            // What changes its arguments ends in an underscore.
            #expect(!parts[0].hasSuffix("_") && !parts[0].hasPrefix("_"))
        }
    }

    @Test("The loader for PyTorch has the same list")
    func python() throws {
        var url = URL(filePath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        let text = try String(contentsOf: url.appending(path: "Examples/PyTorch/load_program.py"), encoding: .utf8)
        var found: [String: String] = [:]
        for match in text.matches(of: #/"([a-z_0-9A-Z.]+)": "([^"]*)"/#) { found[String(match.1)] = String(match.2) }
        // Kinds of arguments, in the table below it.
        for kind in ["v", "vs", "i", "is", "f", "b", "s", "dtype", "device"] { found[kind] = nil }
        #expect(found.keys.sorted() == PureOperator.all.keys.sorted())
        for (name, text) in found { #expect(PureOperator.all[name]?.text == text, "\(name)") }
    }

    @Test(
        "Anything else is refused by its name, whatever its arguments",
        arguments: [
            "from_file", "copy_", "as_strided", "_reshape_alias", "set_", "resize_", "_print", "rand", "bernoulli",
            "empty", "empty_strided", "_unsafe_view", "index_put_", "_foreach_copy_", "prim::print", "relu_", "item",
            "quantize_per_tensor", "_sparse_coo_tensor_unsafe", "record_stream", "tril_indices", "one_hot", "gather",
        ])
    func unlisted(name: String) {
        for arguments in ["", #"["v",0]"#, #"["s","/etc/passwd"],["b",true],["i",8]"#] {
            #expect(
                fault { _ = try program(#"["\#(name)","",[\#(arguments)],[2]]"#) }.contains("not among the calls"))
        }
    }

    @Test("An overload is named as one, not within the name", arguments: Array(PureOperator.all.keys))
    func names(key: String) {
        let name = String(key.prefix { $0 != "." })
        for name in [key + ".", name + ".Tensor", name + ".", "." + key, name + ".Tensor.x", "aten::" + name] {
            let call = #"["\#(name)","",[["v",0],["v",1]],[2]]"#
            #expect(fault { _ = try program(call) }.contains("not among the calls"), "\(name)")
        }
    }

    @Test(
        "Listed ones take only what they should",
        arguments: [
            // Training changes running statistics; dropping is random.
            #"["batch_norm","",[["v",0],null,null,["v",1],["v",1],["b",true],["f",0.1],["f",1e-5],["b",false]],[2]]"#,
            #"["dropout","",[["v",0],["f",0.5],["b",true]],[2]]"#,
            #"["scaled_dot_product_attention","",[["v",0],["v",0],["v",0],null,["f",0.5],["b",false]],[2]]"#,
            #"["gelu","",[["v",0],["s","/etc/passwd"]],[2]]"#, #"["linear","",[["v",0]],[2]]"#,
            #"["linear","",[["v",0],["v",1],["v",1],["v",1]],[2]]"#, #"["linear","",[["v",0],["i",3]],[2]]"#,
            #"["relu","",[["v",0]],[2,3]]"#, #"["relu","",[["v",0]],[]]"#, #"["relu","",[["v",0]],[1]]"#,
            #"["relu","",[["v",9]],[2]]"#, #"["relu","",[["v",-1]],[2]]"#, #"["relu","",[null],[2]]"#,
            #"["reshape","",[["v",0],["is",[9223372036854775807,2]]],[2]]"#,
            #"["reshape","",[["v",0],["is",["9223372036854775807n"]]],[2]]"#,
        ])
    func arguments(step: String) { #expect(throws: DecodingError.self) { try program(step) } }

    @Test(
        "Results that would not fit are refused before they are made",
        arguments: [
            #"["zeros","",[["is",[1000000,1000000]],["dtype","float64"],null,["device"]],[2]]"#,
            #"["arange","",[["i",1000000000000],["dtype","int64"],null,["device"]],[2]]"#,
            #"["full","",[["is",["1000000n",1000000]],["f",1]],[2]]"#,
            #"["expand","",[["v",1],["is",[100000000,1000,4,4]]],[2]]"#,
            #"["conv2d","",[["v",0],["v",1],null,["is",[1]],["is",[1000000000]]],[2]]"#,
        ])
    func sizes(step: String) throws {
        var source = step
        if step.contains("conv2d") {
            // An image of one channel and a window of one pixel in a frame of a thousand million.
            source =
                #"["reshape","",[["v",0],["is",["1n",1,2,2]]],[3]],["reshape","",[["v",1],["is",[16,1,1,1]]],[4]],"#
                + step.replacing(#"["v",0],["v",1]"#, with: #"["v",3],["v",4]"#)
        }
        let made = try program(source)
        #expect(fault { _ = try run(made) }.contains("more than fit"))
    }

    private static let larger: [String] = [
        // x, w of shape [4, 4]; values from 3 on.
        #"["reshape","",[["v",1],["is",[16,1,1]]],[3]],["narrow","",[["v",3],["i",0],["i",0],["i",1]],[4]],"#
            + #"["reshape","",[["v",4],["is",[1,1,1,1]]],[5]],"#
            + #"["conv2d","",[["v",4],["v",5],null,["is",[1]],["is",[20000]]],[2]]"#,
        #"["reshape","",[["v",1],["is",[16,1,1]]],[3]],["narrow","",[["v",3],["i",0],["i",0],["i",1]],[4]],"#
            + #"["adaptive_avg_pool2d","",[["v",4],["is",[1,1800000000]]],[2]]"#,
        #"["zeros","",[["is",[1,40,1,1]],["dtype","float64"],null,["device"]],[3]],"#
            + #"["zeros","",[["is",[40,1,2,2]],["dtype","float64"],null,["device"]],[4]],"#
            + #"["conv_transpose2d","input",[["v",3],["v",4],null,["is",[1]],["is",[0]],["is",[0]],["i",40],["is",[10000]]],[2]]"#,
        #"["zeros","",[["is",[1,20,10,10]],["dtype","float32"],null,["device"]],[3]],"#
            + #"["zeros","",[["is",[1,20,3,3]],["dtype","float32"],null,["device"]],[4]],"#
            + #"["conv2d","",[["v",3],["v",4],null,["is",[1]],["is",[2000]]],[2]]"#,
    ]

    @Test("The bound is that of the engine's own kernels: windows without rows, groups, layouts", arguments: larger)
    func kernels(steps: String) throws {
        let text = fault { _ = try run(try program(steps), rows: 1) }
        #expect(text.contains("more than fit") || text.contains("an input of rank"), "\(text)")
    }

    @Test("A chain that doubles itself ends before the memory does")
    func doubling() throws {
        let steps = (0..<60).map { index in
            let last = index == 0 ? 0 : index + 2
            return #"["cat","",[["vs",[\#(last),\#(last)]],["i",1]],[\#(index + 3)]]"#
        }
        let text = #"{"parameters":[["w",[4,4],"parameter"]],"steps":[\#(steps.joined(separator: ","))],"output":62}"#
        #expect(fault { _ = try run(try decoded(text), dtype: .float32) }.contains("more than fit"))
    }

    @Test("Kernels that read one operand by the lengths of another are given operands that go together")
    func operands() throws {
        let shapes = #"["q",[1,1,2,4],"parameter"],["k",[1,1,2,4],"parameter"],["v",[1,1,9,4],"parameter"]"#
        let attention = #"["scaled_dot_product_attention","",[["v",1],["v",2],["v",3]],[4]]"#
        let broken = try decoded(#"{"parameters":[\#(shapes)],"steps":[\#(attention)],"output":4}"#)
        #expect(fault { _ = try run(broken) }.contains("do not go together"))
        let weights = #"["a",[12,4],"parameter"],["b",[12,3],"parameter"],["h",[1,2,3],"parameter"]"#
        let cell =
            #"["lstm","input",[["v",4],["vs",[3,3]],["vs",[1,2]],["b",false],["i",1],["f",0],["b",false],"#
            + #"["b",false],["b",true]],[5,6,7]]"#
        let input = #"["reshape","",[["v",0],["is",["1n",1,4]]],[4]]"#
        let right = #"{"parameters":[\#(weights)],"steps":[\#(input),\#(cell)],"output":5}"#
        #expect(try run(try decoded(right)).shape == [2, 1, 3])
        for (old, new) in [
            ("[12,3]", "[12,4]"), ("[12,4]", "[8,4]"), ("[1,2,3]", "[1,9,3]"), (#"["i",1]"#, #"["i",2]"#),
        ] {
            #expect(throws: ProgramError.self, "\(new)") {
                _ = try run(try decoded(right.replacing(old, with: new)))
            }
        }
    }

    @Test(
        "Traced programs with numbers and words changed at random are refused, or run and shrink to the same outputs",
        arguments: 77..<UInt64(83))
    func mutated(seed: UInt64) throws {
        var random = RandomSource(seed)
        let encoder = JSONEncoder()
        // The same changes in every process.
        encoder.outputFormatting = .sortedKeys
        var (refused, ran, shrunk) = (0, 0, 0)
        for sample in Samples.all where !sample.testDescription.hasPrefix("resnet") {
            let traced = try Program.tracing(Samples.network(sample, seed: 1), input: sample.input)
            let text = String(decoding: try encoder.encode(traced.program), as: UTF8.self)
            let pieces = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            let digits = try Regex("-?[0-9]+")
            for _ in 0..<150 {
                var changed = pieces
                for _ in 0...random.integer(3) {
                    let place = random.integer(changed.count)
                    let values = ["0", "-1", "1", "2", "7", "64", "1000000007", "9223372036854775807", "-8"]
                    if random.uniform() < 0.1 {
                        // The overload's dot moves into the name.
                        changed[place] = changed[place].replacing("\"\"", with: "\"Tensor\"") + ".Tensor"
                    } else if random.uniform() < 0.8 {
                        changed[place] = changed[place].replacing(digits, with: values[random.integer(values.count)])
                    } else {
                        changed.swapAt(place, random.integer(changed.count))
                    }
                }
                do {
                    let program = try decoded(changed.joined(separator: ","))
                    guard Network.storedCount(of: program) < 10_000_000 else { continue }
                    let network = Self.thinned(Network(program, dtype: .float64), &random)
                    let x = Samples.input(sample, rows: 2, seed: 3)
                    let output = try network.output(x)
                    ran += 1
                    guard output.isFinite, let smaller = try? Shrinking(network, input: sample.input) else { continue }
                    let difference = (try smaller.network.output(x) - output).absolute().max().scalar
                    #expect(difference <= 1e-8 * max(1, output.absolute().max().scalar), "\(changed)")
                    shrunk += smaller.hasChanged ? 1 : 0
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > 300 && ran > 30 && shrunk > 10, "\(refused) refused, \(ran) ran, \(shrunk) shrunk")
    }

    /// A network with some rows and columns of its matrices set to zero, so that there is something to cut.
    private static func thinned(_ network: Network, _ random: inout RandomSource) -> Network {
        var network = network
        for (name, tensor) in network.parameters.pairs where tensor.rank >= 2 && !tensor.shape.contains(0) {
            let dimension = random.integer(2)
            let length = tensor.shape[dimension]
            let mask = (0..<length).map { _ in random.uniform() < 0.4 ? 0.0 : 1 }
            let shape = tensor.shape.indices.map { $0 == dimension ? length : 1 }
            network.parameters[name] = tensor * Tensor(mask, shape: shape)
        }
        return network
    }

    @Test("A program without parameters has nothing to cut")
    func bare() throws {
        let step = #"["full","",[["is",[3]],["f",1]],[1]],["linear","",[["v",1],["v",1]],[2]]"#
        let text = #"{"parameters":[],"steps":[\#(step),["expand","",[["v",2],["is",["1n",1]]],[3]]],"output":3}"#
        let smaller = try Shrinking(Network(try decoded(text)), input: .features(4))
        #expect(!smaller.hasChanged)
    }

    @Test("Calls that no layer makes keep their channels, and end no process")
    func unusual() throws {
        let input = InputShape.features(4)
        let weight = #"{"parameters":[["w",[4,4],"parameter"],["u",[1,8],"parameter"],["s",[4],"parameter"]],"#
        let reads = #"["linear","",[["v",0],["v",1]],[4]]"#
        var count = 0
        for (step, last) in [
            // A dimension counted from the end: the two halves must not be taken for one.
            (#"["cat","",[["vs",[4,4]],["i",-1]],[5]],["linear","",[["v",5],["v",2]],[6]]"#, 6),
            (#"["narrow","",[["v",4],["i",-1],["i",1],["i",3]],[5]]"#, 5),
            (#"["linear","",[["v",3],["v",3]],[5]],["expand","",[["v",5],["is",["1n",1]]],[6]]"#, 6),
            (#"["mul","Tensor",[["v",4],["v",4]],[5]]"#, 5),
            (
                #"["sum","dim_IntList",[["v",4],["is",[]],["b",true]],[5]],["expand","",[["v",5],["is",["1n",1]]],[6]]"#,
                6
            ),
            (
                #"["full","",[["is",[2,0,3]],["f",1]],[5]],["full","",[["is",[3]],["f",1]],[6]],"#
                    + #"["batch_norm","",[["v",5],["v",6],["v",6],["v",6],["v",6],["b",false],["f",0.1],["f",1e-5],["b",true]],[7]],"#
                    + #"["sum","",[["v",7]],[8]],["add","Tensor",[["v",4],["v",8]],[9]]"#, 9
            ),
        ] {
            let program = try decoded(weight + #""steps":[\#(reads),\#(step)],"output":\#(last)}"#)
            var network = Network(program, dtype: .float64)
            for (name, tensor) in network.parameters.pairs {
                var numbers = (0..<tensor.count).map { Double($0 % 5) - 1.5 }
                if name == "u" { numbers[1] = 0 }
                network.parameters[name] = Tensor(numbers, shape: tensor.shape)
            }
            let x = Tensor((0..<8).map { Double($0) / 3 - 1 }, shape: [2, 4])
            let output = try network.output(x)
            count += 1
            let smaller = try Shrinking(network, input: input)
            #expect((try smaller.network.output(x) - output).absolute().max().scalar < 1e-12, "\(step)")
        }
        #expect(count == 6)
    }
}
