import Torch

/// What the states of a rule look like, by doing its first steps on tensors of the same shapes.
///
/// Kernels write states in place and by the parameter's length, so that those of a file must be checked against what
/// the optimizer itself would make, whichever it is.
public struct StateTemplate {
    private let rule: UpdateRule
    /// After no step, one, two and three.
    private let states: [UpdateRule.State]
    /// What an optimizer may keep or not, by where in the run it is.
    private static let optional: Set<String> = ["solution", "lambda", "random.high", "random.low"]

    /// Does three steps from copies of the parameters.
    public init(_ rule: UpdateRule, parameters: [Tensor], assignment: [[Int]]) {
        self.rule = rule
        var (copies, state) = (parameters.map { $0 + 0 }, rule.initialState(assignment))
        var states = [state]
        for _ in 0..<3 {
            // A convex function of all elements, so that line searches find something.
            let products = { (_: [Tensor], vectors: [Tensor]) in vectors.map { $0 * 0.5 } }
            _ = try? rule.step(&copies, state: &state, rate: { $0 }, products: products) { point in
                (point.reduce(0) { $0 + 0.25 * $1.squareSum + 0.1 * $1.sumInDouble() }, point.map { $0 * 0.5 + 0.1 })
            }
            states.append(state)
        }
        self.states = states
    }

    /// Why a state is none of this rule; nil where it may be.
    ///
    /// - Parameter parameters: the parameters that it belongs to.
    public func fault(_ state: UpdateRule.State, _ parameters: [Tensor]) -> String? {
        guard (0...1 << 50).contains(state.step), state.optimizers.count == rule.groups.count else {
            return "it is not of this optimizer"
        }
        for (number, part) in state.parts.enumerated() {
            guard (0...1 << 50).contains(part.step) else { return "it has done \(part.step) steps" }
            let expected = states[min(part.step, 3)].parts[number]
            guard part.slots.count == expected.slots.count else { return "it has other parameters" }
            let group = number < rule.groups.count ? number : nil
            // Optimizers that wait for a rate above zero have nothing to keep yet.
            let mayWait = group.map { !(rule.groups[$0].optimizer is any ProximalOptimizer) } ?? false
            for (index, pair) in zip(part.slots, expected.slots).enumerated() {
                let slot = pair.0
                var wanted = pair.1
                if slot.tensors.isEmpty, slot.numbers.isEmpty, mayWait { continue }
                if let group { wanted.tensors["solution"] = parameters[state.assignment[group][index]] }
                if let fault = Self.fault(slot, wanted) { return fault }
            }
            if let fault = Self.fault(part.shared, expected.shared, isOpen: true) { return fault }
        }
        return nil
    }

    private static func fault(_ slot: Slot, _ wanted: Slot, isOpen: Bool = false) -> String? {
        // Histories number their entries.
        func stem(_ name: String) -> String { String(name.prefix { !$0.isNumber }) }
        let shapes = Dictionary(wanted.tensors.map { (stem($0.key), $0.value) }) { first, _ in first }
        for (name, tensor) in slot.tensors {
            guard let like = wanted.tensors[name] ?? shapes[stem(name)] else {
                return "'\(name)' is none of its tensors"
            }
            guard tensor.shape == like.shape, tensor.dtype == like.dtype else {
                return "'\(name)' is \(tensor.dtype)\(tensor.shape), needed \(like.dtype)\(like.shape)"
            }
        }
        let known = Set(wanted.numbers.keys.map(stem))
        for (name, number) in slot.numbers {
            guard known.contains(stem(name)) || optional.contains(name) else {
                return "'\(name)' is none of its numbers"
            }
            guard !number.isNaN else { return "'\(name)' is no number" }
        }
        guard !isOpen else { return nil }
        let names = Set(slot.tensors.keys).union(slot.numbers.keys)
        let missing = Set(wanted.tensors.keys).union(wanted.numbers.keys).subtracting(names).subtracting(optional)
        return missing.min().map { "'\($0)' is missing" }
    }
}
