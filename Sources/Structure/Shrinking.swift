import Networks
import Programs
import Proximal
import Torch

/// A network made smaller by what its weights do not use, with an account of it.
public struct Shrinking {
    /// Channels, units or heads of one kind that went or had to stay.
    public struct Change: Sendable, Codable, Equatable {
        /// The parameters that read them, or write them where nobody reads.
        public var parameters: [String]
        /// How many there were.
        public var before: Int
        /// How many are left.
        public var after: Int
        /// Those that nobody needs, but that cannot go without changing what is computed.
        public var kept: [Kept] = []

        /// How many stay though nobody needs them.
        public var blocked: Int { kept.reduce(0) { $0 + $1.channels.count } }
    }

    /// Channels that stay for one reason, by their positions in the network that was given.
    public struct Kept: Sendable, Codable, Equatable {
        /// Their positions, ascending.
        public var channels: [Int]
        /// Why.
        public var reason: String
    }

    /// What the network computes now.
    public internal(set) var program: Program
    /// Its parameters.
    public internal(set) var network: Network
    /// What went and what had to stay.
    public private(set) var changes: [Change] = []
    /// Matrices that two thinner ones replace: name, sides and rank.
    public internal(set) var factorised: [Factorisation] = []

    /// A matrix that two thinner ones replace.
    public struct Factorisation: Sendable, Codable, Equatable {
        /// Name of the matrix.
        public var parameter: String
        /// Its sides.
        public var shape: [Int]
        /// Its rank.
        public var rank: Int
    }

    let input: InputShape
    private let original: [String: [Int]]
    /// Positions of the channels that are left, in the network that was given, by the places that hold them.
    private var left: [[String]: [Int]] = [:]

    /// Shrinks a network as far as its structure allows without changing what it computes, up to rounding.
    ///
    /// - Parameter factorises: whether matrices of low rank become two.
    /// - Throws: `TraceError` for networks that cannot be written down as a program.
    public init(_ source: Network, input: InputShape, factorises: Bool = true) throws {
        self.input = input
        let traced = try Program.tracing(source, input: input)
        (program, network) = (traced.program, traced.network)
        original = Dictionary(uniqueKeysWithValues: traced.program.parameters.map { ($0.name, $0.shape) })
        while try removeChannels() {}
        if factorises { factorise() }
    }

    /// Whether anything became smaller.
    public var hasChanged: Bool { !factorised.isEmpty || changes.contains { $0.after < $0.before } }

    // MARK: Channels

    /// One place where a space occurs in a parameter.
    struct Place {
        var parameter: Int
        var dimension: Int
        var factor: Int
        /// The call that reads the channels there, and the value that it reads them from; nil where they are written.
        var reader: (step: Int, input: Int)?
    }

    struct Candidate {
        let space: ChannelSpace
        var places: [Place]
    }

    /// What is to happen to the channels of one space.
    struct Plan {
        var candidate: Candidate
        /// Channels that nobody reads.
        var ignored: Set<Int>
        /// Channels that are constant, with what they are at each reader.
        var constants: [Int] = []
        var values: [[Double]] = []
        /// Channels that stay, with the reason.
        var kept: [Int: String] = [:]
        /// Whether the space as a whole has to stay.
        var isKept = false
    }

    private mutating func removeChannels() throws -> Bool {
        let analysis = try ChannelAnalysis(program, network, input: input)
        let plans = try candidates(analysis).map { try plan($0, analysis) }
        // Biases that are to take constants over come first: they change the numbers that the analysis knows.
        if addMissingBiases(plans) { return true }
        var removed: [ObjectIdentifier: Set<Int>] = [:]
        var found: [Change] = []
        for plan in plans {
            let places = plan.candidate.places.filter { $0.reader != nil }
            let count = plan.candidate.space.count
            var change = Change(
                parameters: places.map { program.parameters[$0.parameter].name }, before: count, after: count)
            let key = plan.candidate.places.map {
                "\(program.parameters[$0.parameter].name).\($0.dimension).\($0.factor)"
            }
            let known = left[key] ?? []
            let positions = known.count == count ? known : Array(0..<count)
            change.kept = Dictionary(grouping: plan.kept.keys, by: { plan.kept[$0] ?? "" })
                .map { Kept(channels: $0.value.map { positions[$0] }.sorted(), reason: $0.key) }
                .sorted { $0.channels[0] < $1.channels[0] }
            if !plan.isKept {
                let dead = plan.ignored.union(plan.constants)
                removed[ObjectIdentifier(plan.candidate.space)] = dead
                change.after = count - dead.count
                left[key] = positions.indices.filter { !dead.contains($0) }.map { positions[$0] }
                for (place, values) in zip(places, plan.values) where values.contains(where: { $0 != 0 }) {
                    addToBias(place, plan.constants, values, analysis)
                }
            }
            found.append(change)
        }
        merge(found)
        guard removed.contains(where: { !$0.value.isEmpty }) else { return false }
        apply(removed, analysis)
        return true
    }

    private func plan(_ candidate: Candidate, _ analysis: ChannelAnalysis) throws -> Plan {
        var plan = Plan(candidate: candidate, ignored: unread(candidate, analysis))
        let isInput = analysis.axes[0]?.last?.spaces.contains { $0 === candidate.space } ?? false
        var frozen = candidate.space.frozen
        if frozen == nil, isInput, analysis.axes[0]?.last?.resolved.count != 1 {
            frozen = "they are part of the input's columns"
        }
        if let frozen {
            plan.isKept = true
            for channel in plan.ignored.union(silent(candidate, analysis)) { plan.kept[channel] = frozen }
            return plan
        }
        if !isInput { try findConstants(&plan, analysis) }
        // Something must be left to compute with; what nobody reads is no trouble to keep.
        if plan.ignored.count + plan.constants.count == candidate.space.count {
            let one: Int
            if let unread = plan.ignored.min() {
                plan.ignored.remove(unread)
                one = unread
            } else {
                one = plan.constants.removeFirst()
                plan.values = plan.values.map { Array($0.dropFirst()) }
            }
            plan.kept[one] = "something must be left to compute with"
        }
        return plan
    }

    /// Gives readers of constants a bias of zeros where they have none; whether it had to.
    private mutating func addMissingBiases(_ plans: [Plan]) -> Bool {
        var missing: [(step: Int, parameter: Int)] = []
        for plan in plans where !plan.isKept {
            for (place, values) in zip(plan.candidate.places.filter({ $0.reader != nil }), plan.values) {
                guard let step = place.reader?.step, values.contains(where: { $0 != 0 }) else { continue }
                if program.steps[step].bias != nil { continue }
                if !missing.contains(where: { $0.step == step }) { missing.append((step, place.parameter)) }
            }
        }
        for (step, parameter) in missing {
            let weight = program.parameters[parameter]
            let like = network.tensor(weight.name)
            let number = insertParameter(weight.name + ".bias", Tensor.zeros(like: like, shape: [weight.shape[0]]))
            if program.steps[step].arguments.count == 2 { program.steps[step].arguments.append(.none) }
            program.steps[step].arguments[2] = .value(number)
        }
        return !missing.isEmpty
    }

    /// Adds what a round found to what earlier rounds did.
    private mutating func merge(_ found: [Change]) {
        for change in found {
            if let index = changes.firstIndex(where: { $0.parameters == change.parameters }) {
                changes[index].after = change.after
                changes[index].kept = change.kept
            } else {
                changes.append(change)
            }
        }
    }

    private func candidates(_ analysis: ChannelAnalysis) -> [Candidate] {
        var found: [Candidate] = []
        var positions: [ObjectIdentifier: Int] = [:]
        for parameter in program.parameters.indices {
            for (dimension, axis) in (analysis.axes[parameter + 1] ?? []).enumerated() {
                for (factor, part) in axis.resolved.enumerated() {
                    guard case .space(let space) = part else { continue }
                    let reader = analysis.readers.first { $0.value == parameter + 1 && $0.dimension == dimension }
                    let place = Place(
                        parameter: parameter, dimension: dimension, factor: factor,
                        reader: reader.map { ($0.step, $0.input) })
                    let position = positions[ObjectIdentifier(space)] ?? found.count
                    if position == found.count {
                        found.append(Candidate(space: space, places: []))
                        positions[ObjectIdentifier(space)] = position
                    }
                    found[position].places.append(place)
                }
            }
        }
        return found.filter { !$0.space.isFixed && $0.places.contains { $0.reader != nil } }
    }

    /// A parameter with the channels of one place as its rows.
    private func rows(_ place: Place, _ analysis: ChannelAnalysis) -> Tensor {
        let tensor = network.tensor(program.parameters[place.parameter].name)
        let factors = (analysis.axes[place.parameter + 1] ?? [])[place.dimension].resolved
        let before =
            tensor.shape[..<place.dimension].reduce(1, *)
            * factors[..<place.factor].reduce(1) { $0 * $1.count }
        let count = factors[place.factor].count
        return tensor.reshaped(before, count, -1).permuted(1, 0, 2).reshaped(count, -1)
    }

    func isZero(_ place: Place, _ analysis: ChannelAnalysis) -> [Bool] {
        rows(place, analysis).absolute().max(1).doubles().map { $0 == 0 }
    }

    /// Channels that every reader multiplies with zero.
    private func unread(_ candidate: Candidate, _ analysis: ChannelAnalysis) -> Set<Int> {
        var dead = [Bool](repeating: true, count: candidate.space.count)
        for place in candidate.places where place.reader != nil {
            dead = zip(dead, isZero(place, analysis)).map { $0 && $1 }
        }
        return Set(dead.indices.filter { dead[$0] })
    }

    private mutating func addToBias(
        _ place: Place, _ channels: [Int], _ values: [Double], _ analysis: ChannelAnalysis
    ) {
        let reader = place.reader!.step
        let weight = rows(place, analysis).to(.float64)
        let outputs = program.parameters[place.parameter].shape[0]
        // Channels in front, then outputs, then everything else that is summed over.
        var sum = Tensor.zeros([outputs], dtype: .float64)
        for (channel, value) in zip(channels, values) {
            sum = sum.adding(weight.rows(channel..<channel + 1).reshaped(outputs, -1).sum(1), scaledBy: value)
        }
        guard let bias = program.steps[reader].bias else { return }
        let name = program.parameters[bias - 1].name
        let old = network.tensor(name)
        network.parameters[name] = (old.to(.float64) + sum).to(old.dtype)
    }

    /// Adds a parameter behind the others; all later values move up by one.
    mutating func insertParameter(_ name: String, _ tensor: Tensor) -> Int {
        let number = program.parameters.count + 1
        program.renumber { $0 >= number ? $0 + 1 : $0 }
        let isIndex = tensor.dtype == .int64
        program.parameters.append(.init(name: name, shape: tensor.shape, kind: isIndex ? .index : .parameter))
        if isIndex { network.buffers[name] = tensor } else { network.parameters[name] = tensor }
        return number
    }

    // MARK: Cutting

    private mutating func apply(_ removed: [ObjectIdentifier: Set<Int>], _ analysis: ChannelAnalysis) {
        func gone(_ part: Axis.Factor) -> Set<Int> {
            if case .space(let space) = part { return removed[ObjectIdentifier(space)] ?? [] }
            return []
        }
        func left(_ axis: Axis) -> Int { axis.resolved.reduce(1) { $0 * ($1.count - gone($1).count) } }
        /// Positions along a dimension that stay.
        func kept(_ axis: Axis) -> [Int] {
            axis.resolved.reduce([0]) { positions, part in
                let gone = gone(part)
                let own = (0..<part.count).filter { !gone.contains($0) }
                return positions.flatMap { outer in own.map { outer * part.count + $0 } }
            }
        }
        var tensors: [String: Tensor] = [:]
        for index in program.parameters.indices {
            guard let axes = analysis.axes[index + 1] else { continue }
            var tensor = network.tensor(program.parameters[index].name)
            for (dimension, axis) in axes.enumerated() where left(axis) < tensor.shape[dimension] {
                tensor = tensor.gathering(kept(axis), dimension: dimension)
            }
            tensors[program.parameters[index].name] = tensor.contiguous()
            program.parameters[index].shape = tensor.shape
        }
        for index in program.steps.indices { rewrite(index, analysis, left) }
        if let axis = analysis.axes[0]?.last, left(axis) < axis.count { select(kept(axis)) }
        var made = Network(program, dtype: network.parameters.values.first?.dtype ?? .float32)
        for name in made.parameters.names { made.parameters[name] = tensors[name] ?? network.tensor(name) }
        for name in made.buffers.names { made.buffers[name] = tensors[name] ?? network.tensor(name) }
        network = made
    }

    /// Lengths in calls that name what has become shorter.
    private mutating func rewrite(
        _ index: Int, _ analysis: ChannelAnalysis, _ left: (Axis) -> Int
    ) {
        let step = program.steps[index]
        guard let result = step.results.first.flatMap({ $0 }) else { return }
        let axes = analysis.axes[result] ?? []
        func shorter(_ length: Program.Length, _ axis: Axis) -> Program.Length {
            switch length {
            case .constant(let number) where number > 0: .constant(number / max(1, axis.count) * left(axis))
            case .rows(let factor): .rows(factor * left(axis) / max(1, axis.count))
            default: length
            }
        }
        switch step.name {
        case "reshape", "view", "expand", "zeros", "full", "empty":
            let place = ["zeros", "full", "empty"].contains(step.name) ? 0 : 1
            guard case .lengths(let lengths) = step.arguments[place] else { return }
            program.steps[index].arguments[place] = .lengths(zip(lengths, axes).map { shorter($0, $1) })
        case "conv1d", "conv2d":
            guard case .length(let groups)? = step.arguments.last, groups != .constant(1), axes.count > 1 else {
                return
            }
            program.steps[index].arguments[step.arguments.count - 1] = .length(shorter(groups, axes[1]))
        default: break
        }
    }

    /// Lets the program read some columns of its input.
    private mutating func select(_ columns: [Int]) {
        let kept = Tensor(columns.map(Int64.init))
        if let index = program.parameters.firstIndex(where: { $0.name == Self.columns }) {
            // An earlier round has picked some already: this one picks of those.
            let earlier = network.tensor(Self.columns)
            network.buffers[Self.columns] = earlier.gathering(columns)
            program.parameters[index].shape = [columns.count]
            return
        }
        let number = insertParameter(Self.columns, kept)
        let result = program.firstResult
        program.renumber { $0 >= result ? $0 + 1 : $0 == 0 ? result : $0 }
        program.steps.insert(
            .init(
                name: "index_select", overload: "",
                arguments: [.value(0), .length(.constant(1)), .value(number)], results: [result]), at: 0)
    }

    static let columns = "input.columns"
}

extension Program.Step {
    /// The value that is added to the outputs of a linear map or a convolution; nil without one.
    var bias: Int? {
        guard arguments.count > 2, case .value(let number) = arguments[2] else { return nil }
        return number
    }
}
