import Networks
import Torch

/// A network as the list of engine calls that compute it: it runs without the code that built it, here and in PyTorch.
///
/// Made by ``init(tracing:input:)``. Values are numbered: 0 is the input, then come parameters, then results.
public struct Program: Sendable, Equatable {
    /// A length, which may depend on the number of rows n.
    public enum Length: Sendable, Equatable {
        case constant(Int)
        /// So many times n.
        case rows(Int)
    }

    /// An argument of a call.
    public enum Argument: Sendable, Equatable {
        case none
        /// Number of a value.
        case value(Int)
        case values([Int])
        case length(Length)
        case lengths([Length])
        case number(Double)
        case flag(Bool)
        case word(String)
        case dtype(DType)
        /// The device of the input.
        case device
    }

    /// One call.
    public struct Step: Sendable, Equatable {
        /// Name without `aten::`.
        public var name: String
        /// Which of the operators of that name; empty for the only one.
        public var overload: String
        /// What it is given.
        public var arguments: [Argument]
        /// Numbers of the results; nil for those that are no tensors.
        public var results: [Int?]

        package init(name: String, overload: String, arguments: [Argument], results: [Int?]) {
            (self.name, self.overload, self.arguments, self.results) = (name, overload, arguments, results)
        }
    }

    /// A parameter or buffer.
    public struct Parameter: Sendable, Equatable {
        /// What it is for.
        public enum Kind: String, Sendable, Codable {
            /// Trained.
            case parameter
            /// Kept with it.
            case buffer
            /// Whole numbers.
            case index
        }

        /// Name, as in PyTorch's state dict.
        public var name: String
        /// Length of each dimension.
        public var shape: [Int]
        /// What it is for.
        public var kind: Kind
        /// What the module said of it.
        public var attributes = ParameterAttributes()

        package init(name: String, shape: [Int], kind: Kind, attributes: ParameterAttributes = .init()) {
            (self.name, self.shape, self.kind, self.attributes) = (name, shape, kind, attributes)
        }
    }

    /// Parameters and buffers; the first has number 1.
    public var parameters: [Parameter]
    /// The calls.
    public var steps: [Step]
    /// Number of the output.
    public var output: Int

    /// Number of the first result.
    package var firstResult: Int { 1 + parameters.count }
    /// Numbers of all values.
    package var valueCount: Int {
        (steps.flatMap { $0.results.compactMap(\.self) }.max() ?? parameters.count) + 1
    }
    /// Position of the parameter that a number stands for.
    package func parameter(_ value: Int) -> Int? { parameters.indices.contains(value - 1) ? value - 1 : nil }

    /// Numbers of the values that a call reads.
    package static func reads(_ step: Step) -> [Int] {
        step.arguments.flatMap { argument -> [Int] in
            switch argument {
            case .value(let value): [value]
            case .values(let values): values
            default: []
            }
        }
    }

    /// Removes calls whose results nobody reads, and parameters that none reads.
    package mutating func removeUnused() {
        var used: Set<Int> = [output]
        var kept: [Step] = []
        for step in steps.reversed() where step.results.contains(where: { $0.map(used.contains) ?? false }) {
            used.formUnion(Self.reads(step))
            kept.append(step)
        }
        steps = kept.reversed()
        keepParameters { used.contains($0 + 1) }
    }

    /// Keeps some parameters and numbers all values anew.
    package mutating func keepParameters(_ isKept: (Int) -> Bool) {
        let positions = parameters.indices.filter(isKept)
        var numbers = [0: 0]
        for (new, old) in positions.enumerated() { numbers[old + 1] = new + 1 }
        var next = positions.count + 1
        parameters = positions.map { parameters[$0] }
        for index in steps.indices {
            for result in steps[index].results.compactMap(\.self) {
                numbers[result] = next
                next += 1
            }
        }
        renumber { numbers[$0] ?? 0 }
    }

    /// Gives all values other numbers.
    package mutating func renumber(_ number: (Int) -> Int) {
        for index in steps.indices {
            steps[index].arguments = steps[index].arguments.map { argument in
                switch argument {
                case .value(let value): .value(number(value))
                case .values(let values): .values(values.map(number))
                default: argument
                }
            }
            steps[index].results = steps[index].results.map { $0.map(number) }
        }
        output = number(output)
    }
}

/// A network that cannot be written as a program.
public struct TraceError: Error, CustomStringConvertible {
    /// One line.
    public var description: String
}
