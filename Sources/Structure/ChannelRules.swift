import Networks
import Programs
import Settings
import Torch

/// Which channels the values and parameters of a program have in common.
///
/// A rule for each engine call says how the dimensions of its results come from those of its arguments. Calls without a
/// rule keep all channels that they see.
struct ChannelAnalysis {
    let program: Program
    /// Lengths of every value, for `rows` rows.
    let shapes: [Int: [Int]]
    let rows: Int
    /// Dimensions of every value.
    var axes: [Int: [Axis]] = [:]
    /// Parameters' dimensions along which channels are read: number of the value, dimension.
    var readers: [(value: Int, dimension: Int, step: Int, input: Int)] = []

    init(_ program: Program, _ network: Network, input: InputShape) throws {
        self.program = program
        rows = 7
        var shapes: [Int: [Int]] = [0: [rows, input.count]]
        for (index, parameter) in program.parameters.enumerated() { shapes[index + 1] = parameter.shape }
        let x = Tensor.zeros([rows, input.count], dtype: network.parameters.values.first?.dtype ?? .float32)
        _ = try program.values(
            x,
            observe: { index, _, results in
                for (number, result) in zip(program.steps[index].results, results) {
                    if let number, case .tensor(let tensor) = result { shapes[number] = tensor.shape }
                }
            }
        ) { network.tensor(program.parameters[$0].name) }
        self.shapes = shapes
        for value in 0...program.parameters.count {
            axes[value] = shapes[value]!.map { Axis(ChannelSpace($0)) }
        }
        axes[0]?[0] = Axis(fixed: rows)
        for (index, parameter) in program.parameters.enumerated() {
            guard let manifold = parameter.attributes.manifold else { continue }
            for axis in axes[index + 1] ?? [] {
                axis.freeze("a parameter of theirs stays on the manifold \(manifold.name)")
            }
        }
        for (index, step) in program.steps.enumerated() { follow(step, index) }
        for axis in axes[program.output] ?? [] { axis.freeze("they are the network's outputs") }
    }

    private func value(_ step: Program.Step, _ position: Int) -> Int? {
        guard position < step.arguments.count, case .value(let number) = step.arguments[position] else { return nil }
        return number
    }

    private func shape(_ value: Int) -> [Int] { shapes[value] ?? [] }
    private func axis(_ value: Int, _ dimension: Int) -> Axis { (axes[value] ?? [])[dimension] }

    private func ints(_ step: Program.Step, _ position: Int) -> [Int] {
        guard position < step.arguments.count, case .lengths(let lengths) = step.arguments[position] else { return [] }
        return lengths.map(number)
    }

    private func int(_ step: Program.Step, _ position: Int) -> Int? {
        guard position < step.arguments.count, case .length(let length) = step.arguments[position] else { return nil }
        return number(length)
    }

    private func number(_ length: Program.Length) -> Int {
        switch length {
        case .constant(let number): number
        case .rows(let factor): factor * rows
        }
    }

    private static let elementwise: Set<String> = [
        "relu", "gelu", "silu", "tanh", "sigmoid", "leaky_relu", "elu", "softplus", "dropout", "abs", "exp", "neg",
        "square", "sqrt", "clamp", "clamp_min", "to", "clone", "contiguous", "pow", "detach",
    ]
    private static let binary: Set<String> = ["add", "sub", "mul", "div", "maximum", "minimum"]
    private static let pools: Set<String> = ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"]

    /// Applies the rule of a call, where the call is as layers make it and the rule accounts for the result.
    private mutating func follow(_ step: Program.Step, _ index: Int) {
        let results = step.results.compactMap(\.self)
        // Nothing can be dealt out from or to a length of zero.
        let isEmpty = (Program.reads(step) + results).contains { shape($0).contains(0) }
        guard !isEmpty, isUsual(step) else { return opaque(step) }
        apply(step, index)
        for result in results where axes[result]?.map(\.count) != shape(result) { return opaque(step) }
    }

    /// Whether ranks and dimensions of a call's operands are those that its rule speaks of; others keep all channels.
    private func isUsual(_ step: Program.Step) -> Bool {
        guard let x = value(step, 0) else { return ["cat", "zeros", "full", "empty"].contains(step.name) }
        let rank = shape(x).count
        func isPlace(_ place: Int?) -> Bool { place.map { (-rank..<rank).contains($0) } ?? false }
        switch step.name {
        case let name where Self.elementwise.contains(name): return Program.reads(step).count == 1
        case let name where Self.pools.contains(name): return rank == 4
        case "linear": return rank >= 1 && self.rank(step, 1) == 2 && [nil, 1].contains(self.rank(step, 2))
        case "conv1d", "conv2d", "conv_transpose2d":
            let wanted = step.name == "conv1d" ? 3 : 4
            return rank == wanted && self.rank(step, 1) == wanted && [nil, 1].contains(self.rank(step, 2))
        case "batch_norm", "group_norm", "layer_norm":
            let vectors = Program.reads(step).dropFirst().map { shape($0) }
            let own = step.name == "layer_norm" ? nil : shape(x).dropFirst().first
            return rank >= 2
                && vectors.allSatisfy { own == nil ? shape(x).suffix($0.count) == $0[...] : $0 == [own!] }
        case "permute": return ints(step, 1).count == rank && ints(step, 1).allSatisfy { isPlace($0) }
        case "transpose": return isPlace(int(step, 1)) && isPlace(int(step, 2))
        case "unsqueeze": return int(step, 1).map { (-rank - 1...rank).contains($0) } ?? false
        case "select", "narrow", "slice": return isPlace(int(step, 1))
        case "mean", "sum": return !ints(step, 1).isEmpty && ints(step, 1).allSatisfy { isPlace($0) }
        case "embedding": return rank == 2
        case "scaled_dot_product_attention": return (0..<3).allSatisfy { self.rank(step, $0) == 4 }
        case "lstm", "gru":
            return rank == 3
                && Program.reads(step).dropFirst().allSatisfy { (1...3).contains(shape($0).count) }
        default: return true
        }
    }

    private func rank(_ step: Program.Step, _ position: Int) -> Int? {
        value(step, position).map { shape($0).count }
    }

    private mutating func apply(_ step: Program.Step, _ index: Int) {
        guard let result = step.results.first.flatMap({ $0 }) else { return }
        let x = value(step, 0)
        switch step.name {
        case let name where Self.elementwise.contains(name): axes[result] = axes[x ?? 0]
        case let name where Self.binary.contains(name): combine(step, result)
        case let name where Self.pools.contains(name) && x != nil:
            axes[result] =
                Array((axes[x!] ?? []).prefix(2)) + shape(result).dropFirst(2).map { Axis(fixed: $0) }
        case "linear": linear(step, index, result)
        case "conv1d", "conv2d": convolution(step, index, result)
        case "conv_transpose2d": transposedConvolution(step, index, result)
        case "batch_norm": normalise(step, result, freezes: nil)
        case "layer_norm": normalise(step, result, freezes: "they are normalised together by layer_norm")
        case "group_norm": normalise(step, result, freezes: "they are normalised together by group_norm")
        case "reshape", "view", "flatten": reshape(step, result)
        case "permute":
            axes[result] = ints(step, 1).map { axis(x!, $0 < 0 ? $0 + shape(x!).count : $0) }
        case "transpose":
            var own = axes[x!] ?? []
            let rank = own.count
            own.swapAt((int(step, 1)! + rank) % rank, (int(step, 2)! + rank) % rank)
            axes[result] = own
        case "unsqueeze":
            var own = axes[x!] ?? []
            own.insert(Axis(fixed: 1), at: (int(step, 1)! + own.count + 1) % (own.count + 1))
            axes[result] = own
        case "select": select(step, result)
        case "narrow", "slice": narrow(step, result)
        case "mean", "sum": reduce(step, result)
        case "expand":
            axes[result] = zip(axes[x!] ?? [], shape(result)).map { $0.count == $1 ? $0 : Axis(fixed: $1) }
            if axes[result]?.count != shape(result).count { opaque(step) }
        case "cat": concatenate(step, result)
        case "embedding":
            axes[result] = shape(result).dropLast().map { Axis(fixed: $0) } + [axis(x!, 1)]
            axis(x!, 0).freeze("they are the rows of a table")
        case "scaled_dot_product_attention": attention(step, result)
        case "lstm", "gru": recurrent(step, index)
        case "zeros", "full", "empty": axes[result] = shape(result).map { Axis(ChannelSpace($0)) }
        default: opaque(step)
        }
    }

    /// A call without a rule.
    private mutating func opaque(_ step: Program.Step) {
        for value in Program.reads(step) {
            for axis in axes[value] ?? [] { axis.freeze("\(step.name) is not known to treat them apart") }
        }
        for result in step.results.compactMap(\.self) { axes[result] = shape(result).map { Axis(fixed: $0) } }
    }

    private mutating func combine(_ step: Program.Step, _ result: Int) {
        guard let a = value(step, 0) else { return opaque(step) }
        guard let b = value(step, 1) else {
            axes[result] = axes[a]
            return
        }
        var made: [Axis] = []
        let (left, right) = (axes[a] ?? [], axes[b] ?? [])
        for place in 1...max(1, max(left.count, right.count)) {
            let p = place <= left.count ? left[left.count - place] : nil
            let q = place <= right.count ? right[right.count - place] : nil
            if let p, let q, p.count == q.count { Axis.unite(p, q, "they are added to what is no channel") }
            // A length of one is stretched to the other.
            if let axis = [p, q].compactMap(\.self).max(by: { $0.count < $1.count }) { made.insert(axis, at: 0) }
        }
        axes[result] = made
    }

    private mutating func read(_ x: Int, _ dimension: Int, by weight: Int, _ place: Int, _ step: Int) {
        Axis.unite(axis(x, dimension), axis(weight, place), "they are read together with what is no channel")
        readers.append((weight, place, step, x))
    }

    private func tie(_ vector: Int?, to axis: Axis) {
        guard let vector, let own = axes[vector]?.first else { return }
        Axis.unite(axis, own, "they are added to what is no channel")
    }

    private mutating func linear(_ step: Program.Step, _ index: Int, _ result: Int) {
        guard let x = value(step, 0), let w = value(step, 1), program.parameter(w) != nil else { return opaque(step) }
        read(x, shape(x).count - 1, by: w, 1, index)
        tie(value(step, 2), to: axis(w, 0))
        axes[result] = (axes[x] ?? []).dropLast() + [axis(w, 0)]
    }

    private mutating func convolution(_ step: Program.Step, _ index: Int, _ result: Int) {
        guard let x = value(step, 0), let w = value(step, 1), program.parameter(w) != nil,
            let groups = int(step, step.arguments.count - 1)
        else { return opaque(step) }
        if groups == 1 {
            read(x, 1, by: w, 1, index)
        } else if groups == shape(w)[0], groups == shape(x)[1] {
            Axis.unite(axis(x, 1), axis(w, 0), "a grouped convolution reads them")
            axis(w, 1).freeze("a grouped convolution reads them")
        } else {
            for value in [x, w] { for axis in axes[value] ?? [] { axis.freeze("a grouped convolution reads them") } }
        }
        for place in 2..<shape(w).count { axis(w, place).freeze("they are positions") }
        tie(value(step, 2), to: axis(w, 0))
        axes[result] = [axis(x, 0), axis(w, 0)] + shape(result).dropFirst(2).map { Axis(fixed: $0) }
    }

    private mutating func transposedConvolution(_ step: Program.Step, _ index: Int, _ result: Int) {
        guard let x = value(step, 0), let w = value(step, 1), program.parameter(w) != nil, step.arguments.count < 7
        else { return opaque(step) }
        read(x, 1, by: w, 0, index)
        for place in 2..<shape(w).count { axis(w, place).freeze("they are positions") }
        tie(value(step, 2), to: axis(w, 1))
        axes[result] = [axis(x, 0), axis(w, 1)] + shape(result).dropFirst(2).map { Axis(fixed: $0) }
    }

    private mutating func normalise(_ step: Program.Step, _ result: Int, freezes reason: String?) {
        guard let x = value(step, 0) else { return opaque(step) }
        let own = axes[x] ?? []
        for argument in step.arguments.dropFirst() {
            guard case .value(let vector) = argument, let axis = axes[vector] else { continue }
            // Layer normalisation has the last dimensions, the others the second.
            let places = step.name == "layer_norm" ? own.suffix(axis.count) : own[1..<2]
            for (a, b) in zip(places, axis) { Axis.unite(a, b, "they are normalised with what is no channel") }
            if let reason { for one in axis { one.freeze(reason) } }
        }
        axes[result] = own
    }

    private mutating func reshape(_ step: Program.Step, _ result: Int) {
        guard let x = value(step, 0), let own = axes[x], let made = Axis.regrouped(own, to: shape(result)) else {
            return opaque(step)
        }
        axes[result] = made
    }

    private mutating func select(_ step: Program.Step, _ result: Int) {
        guard let x = value(step, 0), var own = axes[x], let place = int(step, 1) else { return opaque(step) }
        own.remove(at: place < 0 ? place + own.count : place).freeze("one of them is picked out")
        axes[result] = own
    }

    private mutating func narrow(_ step: Program.Step, _ result: Int) {
        guard let x = value(step, 0), var own = axes[x], let place = int(step, 1) else { return opaque(step) }
        let positive = place < 0 ? place + own.count : place
        own[positive].freeze("some of them are picked out")
        own[positive] = Axis(fixed: shape(result)[positive])
        axes[result] = own
    }

    private mutating func reduce(_ step: Program.Step, _ result: Int) {
        guard let x = value(step, 0), let own = axes[x], step.arguments.count > 1 else { return opaque(step) }
        let places = Set(ints(step, 1).map { $0 < 0 ? $0 + own.count : $0 })
        for place in places { own[place].freeze("\(step.name) runs over them") }
        let keepsRank = shape(result).count == own.count
        axes[result] = own.indices.compactMap { place in
            places.contains(place) ? (keepsRank ? Axis(fixed: 1) : nil) : own[place]
        }
    }

    private mutating func concatenate(_ step: Program.Step, _ result: Int) {
        guard case .values(let parts)? = step.arguments.first, let first = parts.first, let given = int(step, 1)
        else { return opaque(step) }
        let own = axes[first] ?? []
        let place = given < 0 ? given + own.count : given
        guard own.indices.contains(place), parts.allSatisfy({ axes[$0]?.count == own.count }) else {
            return opaque(step)
        }
        for part in parts {
            for (dimension, axis) in (axes[part] ?? []).enumerated() {
                if dimension == place {
                    axis.freeze("they are put beside others")
                } else {
                    Axis.unite(own[dimension], axis, "they are put beside what is no channel")
                }
            }
        }
        axes[result] = own.enumerated().map { $0 == place ? Axis(fixed: shape(result)[place]) : $1 }
    }

    private mutating func attention(_ step: Program.Step, _ result: Int) {
        guard let q = value(step, 0), let k = value(step, 1), let v = value(step, 2), shape(q).count == 4,
            value(step, 3) == nil
        else { return opaque(step) }
        Axis.unite(axis(q, 1), axis(k, 1), "heads attend to what is no head")
        Axis.unite(axis(q, 1), axis(v, 1), "heads attend to what is no head")
        axis(q, 3).freeze("attention compares vectors of this length")
        axis(k, 3).freeze("attention compares vectors of this length")
        axes[result] = [axis(q, 0), axis(q, 1), axis(q, 2), axis(v, 3)]
    }

    private mutating func recurrent(_ step: Program.Step, _ index: Int) {
        let isLSTM = step.name == "lstm"
        let gates = isLSTM ? 4 : 3
        var starts: [Int] = []
        if isLSTM, case .values(let states)? = step.arguments.dropFirst().first { starts = states }
        if !isLSTM, let state = value(step, 1) { starts = [state] }
        guard let x = value(step, 0), case .values(let weights)? = step.arguments.dropFirst(2).first,
            case .length(let layers)? = step.arguments.dropFirst(4).first, number(layers) > 0,
            weights.count % (4 * number(layers)) == 0, !starts.isEmpty, let result = step.results.first.flatMap({ $0 })
        else { return opaque(step) }
        let directions = weights.count / (4 * number(layers))
        // All layers and both directions have one hidden length, so that a unit goes from all or from none.
        guard starts.allSatisfy({ shape($0).count == 3 }),
            weights.indices.allSatisfy({ shape(weights[$0]).count == ($0 % 4 < 2 ? 2 : 1) })
        else { return opaque(step) }
        let hidden = ChannelSpace(shape(starts[0])[2])
        if directions > 1 { hidden.freeze("they are joined with those of the other direction") }
        if number(layers) > 1 { hidden.freeze("recurrent layers on top of each other have one length") }
        for start in starts {
            Axis.unite(axis(start, 2), Axis(hidden), "they start from what is no unit")
            for place in 0..<2 { axis(start, place).freeze("they are layers and rows") }
        }
        for (position, weight) in weights.enumerated() {
            let rows = Axis([.fixed(gates), .space(hidden)])
            Axis.unite(axis(weight, 0), rows, "they are gates")
            switch position % 4 {
            case 0 where position / 4 < directions: read(x, 2, by: weight, 1, index)
            case 0: axis(weight, 1).freeze("recurrent layers on top of each other have one length")
            case 1:
                Axis.unite(axis(weight, 1), Axis(hidden), "they are recurrent")
                readers.append((weight, 1, index, -1))
            default: break
            }
        }
        for other in step.results.dropFirst().compactMap(\.self) { axes[other] = shape(other).map { Axis(fixed: $0) } }
        let length = directions == 1 ? Axis(hidden) : Axis(fixed: shape(result)[2])
        axes[result] = Array((axes[x] ?? []).prefix(2)) + [length]
    }
}

extension Network {
    /// A parameter or buffer.
    func tensor(_ name: String) -> Tensor {
        guard let tensor = parameters[name] ?? buffers[name] else { fatalError("no tensor '\(name)'") }
        return tensor
    }
}
