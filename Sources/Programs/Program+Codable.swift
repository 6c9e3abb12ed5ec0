import Networks
import Settings
import Torch

// The file format: short lists, since a metadata line holds them all.
//
//   {"parameters": [["0.weight", [10, 784], "parameter"], …],
//    "steps": [["linear", "", [["v", 0], ["v", 1], ["v", 2]], [3]], …], "output": 3}
//
// An argument is null, ["v", value], ["vs", values], ["i", length], ["is", lengths], ["f", number], ["b", flag],
// ["s", word], ["dtype", name] or ["device"]; a length is a number, or "2n" for twice the number of rows.

extension Program: Codable {
    private enum CodingKeys: String, CodingKey { case parameters, steps, output }

    /// Reads a program: a file is data, so that nothing but what ``PureOperator`` lists is accepted.
    ///
    /// - Throws: `DecodingError` for what is no program: calls that are not listed or have other arguments, values that
    ///   are read before they are made or made twice, shapes that no tensor has.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        parameters = try container.decode([Parameter].self, forKey: .parameters)
        steps = try container.decode([Step].self, forKey: .steps)
        output = try container.decode(Int.self, forKey: .output)
        if let fault = fault {
            throw DecodingError.dataCorruptedError(forKey: .steps, in: container, debugDescription: fault)
        }
    }

    /// Throws where a file cannot hold this program.
    package func checkCalls() throws(TraceError) {
        if let fault { throw TraceError(description: "no file can hold the network: \(fault)") }
    }

    /// Why a file cannot hold this program; nil where it can.
    var fault: String? {
        guard Set(parameters.map(\.name)).count == parameters.count else { return "two parameters have one name" }
        for parameter in parameters where !parameter.isPossible {
            return "the parameter '\(parameter.name)' has a shape that no tensor has"
        }
        var made = Set(0...parameters.count)
        for (index, step) in steps.enumerated() {
            let place = "call \(index + 1), '\(step.name)',"
            guard let operation = PureOperator.named(step.name, step.overload) else {
                return "\(place) is not among the calls that a program may make"
            }
            if let fault = operation.fault(step) { return "\(place) \(fault)" }
            guard Self.reads(step).allSatisfy(made.contains) else { return "\(place) reads a value before it is made" }
            guard step.arguments.allSatisfy(\.isPossible) else { return "\(place) has a length that nothing has" }
            for result in step.results.compactMap(\.self) {
                guard result > parameters.count, made.insert(result).inserted else {
                    return "\(place) makes value \(result) again"
                }
            }
        }
        return made.contains(output) ? nil : "the output is never made"
    }

    /// Writes a program.
    ///
    /// - Throws: `EncodingError` for a traced program with calls that no file may hold.
    public func encode(to encoder: any Encoder) throws {
        if let fault {
            throw EncodingError.invalidValue(self, .init(codingPath: encoder.codingPath, debugDescription: fault))
        }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(parameters, forKey: .parameters)
        try container.encode(steps, forKey: .steps)
        try container.encode(output, forKey: .output)
    }
}

/// Beyond this no dimension of a tensor, and no tensor, goes.
private let greatestLength = 1 << 40

extension Program.Argument {
    /// Whether its lengths are such as tensors have.
    fileprivate var isPossible: Bool {
        func holds(_ length: Program.Length) -> Bool {
            switch length {
            case .constant(let number), .rows(let number): (-greatestLength...greatestLength).contains(number)
            }
        }
        return switch self {
        case .length(let length): holds(length)
        case .lengths(let lengths): lengths.count <= 64 && lengths.allSatisfy(holds)
        default: true
        }
    }
}

extension Program.Parameter: Codable {
    /// Whether a tensor may have this shape.
    fileprivate var isPossible: Bool {
        // A length of zero must not hide others whose product overflows.
        let size = shape.reduce(1.0) { $0 * max(1, Double($1)) }
        return !name.isEmpty && shape.count <= 16 && shape.allSatisfy { $0 >= 0 } && size <= Double(greatestLength)
    }

    /// What differs from a matrix that is trained.
    private struct Attributes: Codable {
        var lookup: Bool?
        var frozen: Bool?
        var penalised: Bool?
        var manifold: NamedSettings?
    }

    /// Reads `[name, shape, kind]`, and behind it what the module said of the parameter.
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        self.init(
            name: try list.decode(String.self), shape: try list.decode([Int].self), kind: try list.decode(Kind.self))
        guard !list.isAtEnd else { return }
        let found = try list.decode(Attributes.self)
        attributes = ParameterAttributes(
            isLookup: found.lookup ?? false, isFrozen: found.frozen ?? false, isPenalised: found.penalised ?? true,
            manifold: found.manifold)
    }

    /// Writes `[name, shape, kind]`, and behind it what the module said of the parameter.
    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(name)
        try list.encode(shape)
        try list.encode(kind)
        guard attributes != ParameterAttributes() else { return }
        try list.encode(
            Attributes(
                lookup: attributes.isLookup ? true : nil, frozen: attributes.isFrozen ? true : nil,
                penalised: attributes.isPenalised ? nil : false, manifold: attributes.manifold))
    }
}

extension Program.Step: Codable {
    /// Reads `[name, overload, arguments, results]`.
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        self.init(
            name: try list.decode(String.self), overload: try list.decode(String.self),
            arguments: try list.decode([Program.Argument].self), results: try list.decode([Int?].self))
    }

    /// Writes `[name, overload, arguments, results]`.
    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(name)
        try list.encode(overload)
        try list.encode(arguments)
        try list.encode(results)
    }
}

extension Program.Length: Codable {
    /// Reads `12` or `"2n"`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .constant(number)
            return
        }
        let text = try container.decode(String.self)
        guard text.hasSuffix("n"), let factor = Int(text.dropLast()) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no length")
        }
        self = .rows(factor)
    }

    /// Writes `12` or `"2n"`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .constant(let number): try container.encode(number)
        case .rows(let factor): try container.encode("\(factor)n")
        }
    }
}

extension Program.Argument: Codable {
    /// Reads null or a tagged list.
    public init(from decoder: any Decoder) throws {
        if let single = try? decoder.singleValueContainer(), single.decodeNil() {
            self = .none
            return
        }
        var list = try decoder.unkeyedContainer()
        switch try list.decode(String.self) {
        case "v": self = .value(try list.decode(Int.self))
        case "vs": self = .values(try list.decode([Int].self))
        case "i": self = .length(try list.decode(Program.Length.self))
        case "is": self = .lengths(try list.decode([Program.Length].self))
        case "f": self = .number(try list.decode(Double.self))
        case "b": self = .flag(try list.decode(Bool.self))
        case "s": self = .word(try list.decode(String.self))
        case "dtype":
            let name = try list.decode(String.self)
            guard let dtype = DType.allCases.first(where: { "\($0)" == name && !$0.isComplex }) else {
                throw DecodingError.dataCorruptedError(in: list, debugDescription: "'\(name)' is no element type")
            }
            self = .dtype(dtype)
        case "device": self = .device
        case let tag: throw DecodingError.dataCorruptedError(in: list, debugDescription: "'\(tag)' is no argument")
        }
    }

    /// Writes null or a tagged list.
    public func encode(to encoder: any Encoder) throws {
        if case .none = self {
            var single = encoder.singleValueContainer()
            return try single.encodeNil()
        }
        var list = encoder.unkeyedContainer()
        func write(_ tag: String, _ value: some Encodable) throws {
            try list.encode(tag)
            try list.encode(value)
        }
        switch self {
        case .none: break
        case .value(let value): try write("v", value)
        case .values(let values): try write("vs", values)
        case .length(let length): try write("i", length)
        case .lengths(let lengths): try write("is", lengths)
        case .number(let number): try write("f", number)
        case .flag(let flag): try write("b", flag)
        case .word(let word): try write("s", word)
        case .dtype(let dtype): try write("dtype", "\(dtype)")
        case .device: try list.encode("device")
        }
    }
}
