import Networks
import Torch

extension Program {
    /// A program with the tensors that its module did not declare.
    public struct Traced: Sendable {
        /// The program; constants that the network's code made are buffers of it.
        public var program: Program
        /// Parameters and buffers with their values.
        public var network: Network
    }

    /// Writes down what a network computes in evaluation mode.
    ///
    /// The network runs on inputs of two different lengths: numbers that grow with it are lengths of n rows.
    ///
    /// - Parameter input: what it is given, without rows.
    /// - Throws: `TraceError` where what it does depends on the input in another way.
    public static func tracing(_ network: Network, input: InputShape) throws -> Traced {
        let first = try Recording(network, input, rows: 3)
        let second = try Recording(network, input, rows: 5)
        var builder = try Builder(network, first, second)
        return try builder.traced()
    }

    /// One run of the network.
    private struct Recording {
        let rows: Int
        let calls: [OperatorTrace.Call]
        /// Numbers of tensors by identity: 0 for the input, then parameters, then buffers.
        var known: [Int: Int] = [:]
        let output: Tensor
        /// The input stays alive, or another tensor might get its identity.
        private let x: Tensor

        init(_ network: Network, _ input: InputShape, rows: Int) throws {
            self.rows = rows
            x = Recording.sample(input, rows, network)
            let x = x
            (output, calls) = try OperatorTrace.recording { try network.output(x) }
            known[x.identity] = 0
            for (index, tensor) in (network.parameters.values + network.buffers.values).enumerated() {
                known[tensor.identity] = index + 1
            }
        }

        private static func sample(_ input: InputShape, _ rows: Int, _ network: Network) -> Tensor {
            let dtype = network.parameters.values.first?.dtype ?? .float32
            let count = rows * input.count
            let ramp = Tensor.range(count).to(.float64) * (1 / Double(count))
            // Tokens are whole numbers below any vocabulary.
            return (input.isTokens ? ramp * 0 : ramp).to(dtype).reshaped(rows, input.count)
        }
    }

    private struct Builder {
        let network: Network
        let first: Recording
        let second: Recording
        var parameters: [Parameter]
        var constants: [Tensor] = []

        init(_ network: Network, _ first: Recording, _ second: Recording) throws {
            (self.network, self.first, self.second) = (network, first, second)
            let attributes = Network.attributes(of: network.module)
            parameters =
                network.parameters.pairs.map {
                    Parameter(
                        name: $0.name, shape: $0.tensor.shape, kind: .parameter,
                        attributes: attributes[$0.name] ?? ParameterAttributes())
                }
                + network.buffers.pairs.map { Parameter(name: $0.name, shape: $0.tensor.shape, kind: .buffer) }
            guard first.calls.map(\.name) == second.calls.map(\.name) else {
                throw TraceError(description: "the network makes other calls for another number of rows")
            }
        }

        mutating func traced() throws -> Traced {
            try collectConstants()
            var known = first.known
            var next = 1 + parameters.count
            for (index, constant) in constants.enumerated() {
                known[constant.identity] = 1 + parameters.count - constants.count + index
            }
            var steps: [Step] = []
            for (call, other) in zip(first.calls, second.calls) {
                let arguments = try zip(call.arguments, other.arguments).map { a, b in
                    try argument(a, b, known, call.name)
                }
                let results = call.results.map { result -> Int? in
                    guard case .tensor(let tensor) = result else { return nil }
                    defer { next += 1 }
                    known[tensor.identity] = next
                    return next
                }
                let name = call.name.hasPrefix("aten::") ? String(call.name.dropFirst(6)) : call.name
                steps.append(Step(name: name, overload: call.overload, arguments: arguments, results: results))
            }
            guard let output = known[first.output.identity] else {
                throw TraceError(description: "the network's output is made by no call that could be written down")
            }
            var program = Program(parameters: parameters, steps: steps, output: output)
            program.removeUnused()
            return Traced(program: program, network: filled(program))
        }

        /// Tensors that the code made of numbers, as tables of positions are.
        private mutating func collectConstants() throws {
            var made = Set(first.known.keys)
            for (call, other) in zip(first.calls, second.calls) {
                for (a, b) in zip(call.arguments, other.arguments) {
                    guard case .tensor(let tensor) = a, case .tensor(let twin) = b, !made.contains(tensor.identity)
                    else { continue }
                    guard tensor.shape == twin.shape, tensor.doubles() == twin.doubles() else {
                        throw TraceError(description: "\(call.name) reads a tensor that depends on the number of rows")
                    }
                    made.insert(tensor.identity)
                    let kind: Parameter.Kind = tensor.dtype == .int64 ? .index : .buffer
                    parameters.append(
                        Parameter(name: "constant.\(constants.count)", shape: tensor.shape, kind: kind))
                    constants.append(tensor)
                }
                for case .tensor(let tensor) in call.results { made.insert(tensor.identity) }
            }
        }

        private func argument(
            _ a: Value, _ b: Value, _ known: [Int: Int], _ name: String
        ) throws -> Argument {
            func number(_ tensor: Tensor) throws -> Int {
                guard let found = known[tensor.identity] else {
                    throw TraceError(description: "\(name) reads a tensor of unknown origin")
                }
                return found
            }
            func length(_ a: Int, _ b: Int) throws -> Length {
                if a == b { return .constant(a) }
                guard a % first.rows == 0, b % second.rows == 0, a / first.rows == b / second.rows else {
                    throw TraceError(description: "\(name) has a length that is no multiple of the number of rows")
                }
                return .rows(a / first.rows)
            }
            switch (a, b) {
            case (.none, _): return .none
            case (.tensor(let tensor), _): return .value(try number(tensor))
            case (.tensors(let tensors), _): return .values(try tensors.map(number))
            case (.int(let a), .int(let b)): return .length(try length(a, b))
            case (.ints(let a), .ints(let b)) where a.count == b.count:
                return .lengths(try zip(a, b).map { try length($0, $1) })
            case (.double(let a), .double(let b)) where a == b: return .number(a)
            case (.bool(let flag), _): return .flag(flag)
            case (.string(let word), _): return .word(word)
            case (.dtype(let dtype), _): return .dtype(dtype)
            case (.device, _): return .device
            default: throw TraceError(description: "\(name) has an argument that depends on the number of rows")
            }
        }

        /// The program as a network with its values.
        private func filled(_ program: Program) -> Network {
            var made = Network(program, dtype: network.parameters.values.first?.dtype ?? .float32)
            for name in made.parameters.names { made.parameters[name] = network.parameters[name] }
            for name in made.buffers.names {
                let constant = parameters.firstIndex { $0.name == name }
                    .map { $0 - (parameters.count - constants.count) }
                made.buffers[name] = network.buffers[name] ?? constants[constant ?? 0]
            }
            return made
        }
    }
}
