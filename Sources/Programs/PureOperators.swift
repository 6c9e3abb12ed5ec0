import Torch

/// An operator that a program in a file may call.
///
/// A file is data: only what is listed here runs. Every entry computes a new value from its arguments alone. None takes
/// a file name, changes an argument, draws random numbers, or makes a view that is not checked against its storage.
struct PureOperator: Sendable {
    /// What may stand in the place of an argument.
    enum Kind: Sendable, Equatable {
        case tensor
        case tensors
        case length
        case lengths
        case number
        case flag
        /// A flag that must be false: training, randomness and changes in place are behind the other value.
        case off
        /// A number that must be 0: a probability of dropping.
        case zero
        case words([String])
        case dtype
        case device
        case nothing
    }

    /// A place of the operator's schema: any of these kinds.
    typealias Place = [Kind]

    /// How many elements a call may make, from the shapes of its arguments.
    enum Size: Sendable {
        /// As many as the arguments broadcast together.
        case broadcast
        /// At most as many as the first argument has.
        case first
        /// As many as all tensors together, so often as there are.
        case joined
        /// The product of the lengths at a place.
        case lengths(Int)
        /// The length at a place.
        case length(Int)
        /// Rows of the first, columns of the other matrix.
        case product
        case linear
        case convolution
        case transposedConvolution
        case pooling
        case lookup
        case attention
        case recurrent
    }

    /// The line that it was read from.
    let text: String
    /// Its places, the required ones first.
    let places: [Place]
    /// Places that must be filled.
    let required: Int
    /// Number of results.
    let results: Int
    /// How large they may be.
    let size: Size

    /// Reads a line of the list: kinds separated by blanks, alternatives by bars; what follows `;` may be left out.
    init(_ text: String, results: Int = 1, _ size: Size) {
        self.text = text
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { part in
            part.split(separator: " ").map { place in place.split(separator: "|").map { Self.kind(String($0)) } }
        }
        places = Array(parts.joined())
        (required, self.results, self.size) = (parts[0].count, results, size)
    }

    private static func kind(_ text: String) -> Kind {
        switch text {
        case "T": .tensor
        case "T*": .tensors
        case "i": .length
        case "i*": .lengths
        case "f": .number
        case "b": .flag
        case "off": .off
        case "zero": .zero
        case "dtype": .dtype
        case "device": .device
        case "0": .nothing
        default: .words(text.split(separator: "/").map(String.init))
        }
    }

    /// Why the arguments of a step cannot be taken; nil where they can.
    func fault(_ step: Program.Step) -> String? {
        guard (required...places.count).contains(step.arguments.count) else {
            return "has \(step.arguments.count) arguments"
        }
        guard step.results.count == results else { return "has \(step.results.count) results" }
        for (position, (argument, place)) in zip(step.arguments, places).enumerated()
        where !place.contains(where: { Self.accepts($0, argument) }) {
            return "has an argument \(position + 1) that it cannot take"
        }
        return nil
    }

    private static func accepts(_ kind: Kind, _ argument: Program.Argument) -> Bool {
        switch (kind, argument) {
        case (.tensor, .value), (.tensors, .values), (.flag, .flag), (.off, .flag(false)), (.zero, .number(0)),
            (.dtype, .dtype), (.device, .device), (.nothing, .none), (.number, .number), (.length, .length),
            (.lengths, .lengths):
            true
        case (.words(let words), .word(let word)): words.contains(word)
        default: false
        }
    }
}

extension PureOperator {
    /// The operator that a step calls; nil for any that is not listed.
    static func named(_ name: String, _ overload: String) -> PureOperator? {
        // The overload is a field of its own: a name that holds it would be another operator to the engine.
        name.contains(".") ? nil : all[overload.isEmpty ? name : name + "." + overload]
    }

    /// Element-wise functions of one tensor.
    private static let functions = [
        "relu", "silu", "tanh", "sigmoid", "abs", "exp", "log", "log1p", "neg", "square", "sqrt", "sign", "reciprocal",
        "erf", "sin", "cos", "clone", "contiguous", "detach",
    ]

    /// What layers call in evaluation mode, and the arithmetic that a user's own modules are likely to.
    static let all: [String: PureOperator] = {
        var list: [String: PureOperator] = [
            "gelu": .init("T ; none/tanh", .first),
            "dropout": .init("T f off", .first),
            "softplus": .init("T ; f f", .first),
            "elu": .init("T ; f f f", .first),
            "leaky_relu": .init("T ; f", .first),
            "clamp": .init("T f|0 ; f|0", .first),
            "clamp_min": .init("T f", .first),
            "pow.Tensor_Scalar": .init("T f", .first),
            "to.dtype": .init("T dtype ; off off", .first),
            "softmax.int": .init("T i ; dtype|0", .first),
            "where.self": .init("T T T", .broadcast),
            // Reductions.
            "sum": .init("T ; dtype|0", .first),
            "sum.dim_IntList": .init("T i*|0 ; b dtype|0", .first),
            "mean.dim": .init("T i*|0 ; b dtype|0", .first),
            "amax": .init("T i* ; b", .first),
            "amin": .init("T i* ; b", .first),
            "logsumexp": .init("T i* ; b", .first),
            // Shapes. Every one of these checks its bounds.
            "reshape": .init("T i*", .first),
            "permute": .init("T i*", .first),
            "transpose.int": .init("T i i", .first),
            "unsqueeze": .init("T i", .first),
            "select.int": .init("T i i", .first),
            "narrow": .init("T i i i", .first),
            "expand": .init("T i* ; off", .lengths(1)),
            "cat": .init("T* ; i", .joined),
            "stack": .init("T* ; i", .joined),
            "index_select": .init("T i T", .lookup),
            // What makes constants.
            "zeros": .init("i* ; dtype|0 0 device|0 off|0", .lengths(0)),
            "full": .init("i* f ; dtype|0 0 device|0 off|0", .lengths(0)),
            "arange": .init("i ; dtype|0 0 device|0 off|0", .length(0)),
            // Layers.
            "mm": .init("T T", .product),
            "addmm": .init("T T T ; f f", .product),
            "linear": .init("T T ; T|0", .linear),
            "conv1d": .init("T T T|0 ; i* i* i* i", .convolution),
            "conv1d.padding": .init("T T T|0 ; i* same/valid i* i", .convolution),
            "conv2d": .init("T T T|0 ; i* i* i* i", .convolution),
            "conv2d.padding": .init("T T T|0 ; i* same/valid i* i", .convolution),
            "conv_transpose2d.input": .init("T T T|0 ; i* i* i* i i*", .transposedConvolution),
            "batch_norm": .init("T T|0 T|0 T T off f f b", .first),
            "layer_norm": .init("T i* ; T|0 T|0 f b", .first),
            "group_norm": .init("T i ; T|0 T|0 f b", .first),
            "max_pool2d": .init("T i* ; i* i* i* b", .pooling),
            "avg_pool2d": .init("T i* ; i* i* b b i|0", .pooling),
            "adaptive_avg_pool2d": .init("T i*", .pooling),
            "embedding": .init("T T ; i off off", .lookup),
            "scaled_dot_product_attention": .init("T T T ; T|0 zero b f|0 off", .attention),
            "lstm.input": .init("T T* T* b i f off b b", results: 3, .recurrent),
            "gru.input": .init("T T T* b i f off b b", results: 2, .recurrent),
        ]
        for name in functions { list[name] = .init("T", .first) }
        for name in ["add", "sub"] {
            list[name + ".Tensor"] = .init("T T ; f", .broadcast)
            list[name + ".Scalar"] = .init("T f ; f", .first)
        }
        for name in ["mul", "div"] {
            list[name + ".Tensor"] = .init("T T", .broadcast)
            list[name + ".Scalar"] = .init("T f", .first)
        }
        for name in ["maximum", "minimum"] { list[name] = .init("T T", .broadcast) }
        for name in ["ge", "gt", "le", "lt", "eq"] {
            list[name + ".Tensor"] = .init("T T", .broadcast)
            list[name + ".Scalar"] = .init("T f", .first)
        }
        return list
    }()
}
