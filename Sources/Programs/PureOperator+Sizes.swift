import Torch

// What a call would make, found from the shapes of its arguments before it is made. Sizes are floating-point numbers:
// those of a file may be larger than any whole number holds.

extension PureOperator {
    /// Elements that a call makes at most, with what it needs on the way.
    func elements(_ arguments: [Value]) -> Double {
        let shapes = arguments.flatMap(Self.tensors).map { $0.shape.map(Double.init) }
        guard let first = shapes.first else { return created(arguments) }
        let count = { (shape: [Double]) in shape.reduce(1, *) }
        switch size {
        case .first: return count(first)
        case .joined: return shapes.reduce(0) { $0 + count($1) }
        case .broadcast: return Self.broadcast(shapes)
        case .lengths, .length: return created(arguments)
        case .product:
            let (a, b) = (shapes[shapes.count - 2], shapes[shapes.count - 1])
            return (a.first ?? 1) * (b.last ?? 1)
        case .linear: return count(Array(first.dropLast())) * (shapes[1].first ?? 1)
        case .lookup: return Self.looked(arguments, shapes)
        case .convolution, .transposedConvolution, .pooling: return windowed(arguments, shapes)
        case .attention:
            let (q, k, v) = (shapes[0], shapes[1], shapes[2])
            guard q.count == 4, k.count == 4, v.count == 4 else { return 0 }
            // All pairs are kept where the engine has no kernel that goes block by block.
            let operands = arguments.prefix(3).flatMap(Self.tensors)
            let isBlocked =
                shapes.count == 3 && v[3] == k[3]
                && operands.allSatisfy { $0.isContiguous && [.float32, .float64].contains($0.dtype) }
            let pairs = isBlocked ? 0 : q[0] * q[1] * q[2] * k[2]
            return q[0] * q[1] * q[2] * v[3] + pairs
        case .recurrent:
            // Gates of every step, before and after their functions.
            let layers = Double(shapes.count)
            return count(Array(first.dropLast())) * (shapes.dropFirst().compactMap(\.first).max() ?? 0) * 2 * layers
        }
    }

    /// Elements of what is made of lengths alone.
    private func created(_ arguments: [Value]) -> Double {
        switch size {
        case .lengths(let place):
            if case .ints(let lengths) = arguments[place] { return lengths.reduce(1) { $0 * max(1, Double($1)) } }
        case .length(let place):
            if case .int(let length) = arguments[place] { return Double(length) }
        default: break
        }
        return 0
    }

    private static func tensors(_ value: Value) -> [Tensor] {
        switch value {
        case .tensor(let tensor): [tensor]
        case .tensors(let list): list
        default: []
        }
    }

    private static func broadcast(_ shapes: [[Double]]) -> Double {
        (0..<(shapes.map(\.count).max() ?? 0)).reduce(1) { product, place in
            product * (shapes.compactMap { $0.dropLast(place).last }.max() ?? 1)
        }
    }

    /// Rows of a table, or positions of a dimension, that are looked up.
    private static func looked(_ arguments: [Value], _ shapes: [[Double]]) -> Double {
        let (table, wanted) = (shapes[0], shapes[1].reduce(1, *))
        guard case .int(let dimension) = arguments[1] else { return wanted * table.dropFirst().reduce(1, *) }
        let place = dimension < 0 ? dimension + table.count : dimension
        guard table.indices.contains(place) else { return 0 }
        return table.reduce(1, *) / max(1, table[place]) * wanted
    }

    /// Convolutions and pools: `n × c × positions`.
    private func windowed(_ arguments: [Value], _ shapes: [[Double]]) -> Double {
        let x = shapes[0]
        guard x.count > 2 else { return 0 }
        func list(_ place: Int, _ standard: Double) -> [Double] {
            var found: [Double] = []
            if place < arguments.count, case .ints(let lengths) = arguments[place] { found = lengths.map(Double.init) }
            // One number stands for all dimensions.
            return (0..<x.count - 2).map {
                found.count > 1 ? ($0 < found.count ? found[$0] : standard) : found.first ?? standard
            }
        }
        let positions = Array(x.dropFirst(2))
        if case .pooling = size {
            let given = list(1, 1).reduce(1) { $0 * max(1, $1) }
            return x[0] * x[1] * max(given, positions.reduce(1) { $0 * ($1 + 2) })
        }
        let w = shapes[1]
        guard w.count == x.count else { return 0 }
        let kernel = Array(w.dropFirst(2))
        let (stride, padding) = (list(3, 1), list(4, 0))
        if case .transposedConvolution = size {
            let (extra, dilation) = (list(5, 0), list(7, 1))
            let made = positions.indices.map {
                (positions[$0] - 1) * stride[$0] + dilation[$0] * (kernel[$0] - 1) + extra[$0] + 1
            }
            var groups = 1.0
            if arguments.count > 6, case .int(let number) = arguments[6] { groups = Double(max(1, number)) }
            let columns = x[0] * w.dropFirst().reduce(1, *) * groups * positions.reduce(1, *)
            return x[0] * w[1] * groups * made.reduce(1) { $0 * max(1, $1) } + columns
        }
        let made = positions.indices.map { (positions[$0] + 2 * padding[$0] + kernel[$0]) / max(1, stride[$0]) + 1 }
        let places = x[0] * made.reduce(1) { $0 * max(1, $1) }
        // Some of the engine's kernels lay the windows out first.
        return places * w[0] + places * w.dropFirst().reduce(1, *)
    }

    /// What the engine does not check by itself: kernels that read by the shape of one argument from another.
    func mismatch(_ arguments: [Value]) -> String? {
        switch size {
        case .attention: Self.attentionMismatch(arguments.prefix(3).flatMap(Self.tensors))
        case .convolution, .transposedConvolution, .pooling: rowsMismatch(arguments)
        case .recurrent: Self.recurrentMismatch(arguments, gates: results == 3 ? 4 : 3)
        default: nil
        }
    }

    /// Windows are over rows: without that dimension the rules for sizes would count others.
    private func rowsMismatch(_ arguments: [Value]) -> String? {
        let ranks = arguments.prefix(2).flatMap(Self.tensors).map(\.rank)
        guard case .pooling = size else {
            return ranks.count == 2 && ranks[0] == ranks[1] && ranks[0] > 2 ? nil : "an input of rank \(ranks[0])"
        }
        return ranks[0] == 4 ? nil : "an input of rank \(ranks[0])"
    }

    private static func attentionMismatch(_ tensors: [Tensor]) -> String? {
        let (q, k, v) = (tensors[0].shape, tensors[1].shape, tensors[2].shape)
        guard q.count == 4, k.count == 4, v.count == 4, q.prefix(2) == k.prefix(2), k.prefix(3) == v.prefix(3),
            q[3] == k[3]
        else { return "queries \(q), keys \(k) and values \(v) do not go together" }
        return Set(tensors.map(\.dtype)).count == 1 ? nil : "queries, keys and values differ in their element types"
    }

    private static func recurrentMismatch(_ arguments: [Value], gates: Int) -> String? {
        guard case .tensor(let x) = arguments[0], case .tensors(let weights) = arguments[2],
            case .bool(let hasBias) = arguments[3], case .int(let layers) = arguments[4],
            case .bool(let isBoth) = arguments[7], case .bool(let rowsFirst) = arguments[8]
        else { return "has other arguments" }
        let starts = tensors(arguments[1])
        let (directions, each) = (isBoth ? 2 : 1, hasBias ? 4 : 2)
        guard x.rank == 3, (1...1000).contains(layers), weights.count == layers * directions * each,
            weights[1].rank == 2, starts.count == (gates == 4 ? 2 : 1)
        else { return "has another number of weights or states" }
        let hidden = weights[1].shape[1]
        for (position, weight) in weights.enumerated() {
            let inputs = position / (each * directions) == 0 ? x.shape[2] : hidden * directions
            let wanted = [[gates * hidden, inputs], [gates * hidden, hidden], [gates * hidden], [gates * hidden]]
            guard weight.shape == wanted[position % each] else {
                return "weight \(position) is \(weight.shape), needed \(wanted[position % each])"
            }
        }
        let state = [layers * directions, x.shape[rowsFirst ? 0 : 1], hidden]
        guard starts.allSatisfy({ $0.shape == state }) else { return "states are not \(state)" }
        return Set((weights + starts + [x]).map(\.dtype)).count == 1 ? nil : "element types differ"
    }
}
