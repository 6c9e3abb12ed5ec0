import Proximal
import Settings
import Testing
import Torch
@testable import Trajectories

@testable import Optimizers

/// Mistakes that an implementation could have, made in every optimizer of the catalogue by the same three hands.
@Suite("An optimizer with a mistake leaves its reference's trajectory")
struct MutantTests {
    static let names = OptimizerCatalogue.all.map { $0.name }

    /// What no trajectory shows.
    private static let hidden: [String: Set<String>] = [
        // The reference leaves the decay out of the first gradient's norm, so that no trajectory has one.
        "dadapt_sgd": ["weight_decay"],
        // Read only where the newest pair has no curvature.
        "lbfgs": ["H_diag", "s0", "y0", "rho0"],
        // Read only where the rate falls.
        // Where a search begins, which finds the same from anywhere.
        "ramda": ["norms", "solution"], "proxgen": ["norms"], "proxssi": ["norms"], "rmda": ["norms", "solution"],
        "proxsgd": ["norms"],
        "schedulefree_sgd": ["lr_max"], "schedulefree_adamw": ["lr_max"],
    ]

    /// Optimizers whose steps do not depend on how many went before.
    private static let timeless: Set = [
        "sgd", "proxsgd", "adadelta", "rmsprop", "rprop", "lbfgs", "lion", "dadapt_adam", "dadapt_sgd", "prodigy",
    ]

    @Test("A changed hyperparameter, whichever it is", arguments: names)
    func hyperparameters(name: String) throws {
        let file = try Reference("settings/" + name, name).load()
        let type = try #require(OptimizerCatalogue.all.first { $0.name == name })
        for hyperparameter in type.hyperparameters {
            // A threshold decides on little but its order of magnitude.
            let factor = ["tolerance", "rtol"].contains { hyperparameter.name.hasPrefix($0) } ? 8.0 : 1.05
            // By the place in a list, so that one element cannot hide another.
            var largest: [Int: Double] = [:]
            for configuration in file.configs {
                guard let value = configuration.settings[hyperparameter.name] else { continue }
                for (place, other) in Self.changes(of: value, factor) where hyperparameter.allows(other) {
                    var settings = configuration.settings
                    settings[hyperparameter.name] = other
                    let mutant = try OptimizerCatalogue.make(name, settings: settings)
                    largest[place] = max(largest[place] ?? 0, try Self.deviation(mutant, configuration))
                }
            }
            let isHidden = Self.hidden[name]?.contains(hyperparameter.name) == true
            #expect(
                isHidden || !largest.isEmpty && largest.values.allSatisfy { $0 > 1e-8 },
                "\(hyperparameter.name): \(largest)")
        }
    }

    @Test("An entry of the state that a single step forgets to update, whichever it is", arguments: names)
    func memory(name: String) throws {
        let file = try Reference("settings/" + name, name).load()
        var entries: Set<String> = []
        var caught: Set<String> = []
        for configuration in file.configs {
            let optimizer = try OptimizerCatalogue.make(name, settings: configuration.settings)
            var changing: Set<String> = []
            _ = try Self.deviation(optimizer, configuration) { before, after in
                changing.formUnion(Entry.all(before, after).filter { !$0.isSame(before, after) }.map(\.name))
            }
            entries.formUnion(changing)
            let steps = configuration.trajectories.first?.steps.count ?? 0
            for entry in changing {
                let isCaught = try (1..<steps - 1).contains { step in
                    try Self.deviation(optimizer, configuration) { before, after in
                        guard before.step == step else { return }
                        for one in Entry.all(before, after) where one.name == entry { one.restore(before, &after) }
                    } > 1e-8
                }
                if isCaught { caught.insert(entry) }
            }
        }
        #expect(caught == entries.subtracting(Self.hidden[name] ?? []) && !caught.isEmpty, "\(entries)")
    }

    @Test("A count of steps that begins at one too many", arguments: names)
    func time(name: String) throws {
        let file = try Reference("settings/" + name, name).load()
        let largest = try file.configs.map { configuration in
            let optimizer = try OptimizerCatalogue.make(name, settings: configuration.settings)
            return try Self.deviation(optimizer, configuration) { before, after in
                if before.step == 1 { after.step += 1 }
            }
        }.max()
        #expect((largest ?? 0 > 1e-8) != Self.timeless.contains(name), "\(largest ?? 0)")
    }

    /// A little more and less of a number, the other flag, another word, and each of these at every place of a list.
    private static func changes(of value: SettingValue, _ factor: Double) -> [(place: Int, value: SettingValue)] {
        switch value {
        case .null: return []
        case .flag(let flag): return [(0, .flag(!flag))]
        case .number(let number):
            return
                (number == number.rounded() && number >= 1
                ? [number + 1, number - 1] : [number * factor, number / factor]).map { (0, .number($0)) }
        case .word:
            return [
                "none", "sgd", "adagrad", "original", "match_rms_adamw", "strong_wolfe",
                "exact", "proximal_gradient", "diagonal", "scalar",
            ].map { (0, .word($0)) }
                .filter { $0.1 != value }
        case .list(let items):
            return items.indices.flatMap { index in
                changes(of: items[index], factor).map { _, changed in
                    var copy = items
                    copy[index] = changed
                    return (index, .list(copy))
                }
            }
        }
    }

    /// Largest distance from a reference while `mistake` changes the state after each step.
    private static func deviation(
        _ optimizer: any Optimizer, _ configuration: TrajectoryFile.Configuration,
        mistake: (_ before: OptimizerState, _ after: inout OptimizerState) -> Void = { _, _ in }
    ) throws -> Double {
        var largest = 0.0
        for run in configuration.trajectories {
            let names = run.problem.initial.keys.sorted()
            func tensors(_ point: TrajectoryFile.Point?) throws -> [Tensor] {
                try names.map { try #require(point?[$0]?.tensor) }
            }
            var parameters = try tensors(run.problem.initial)
            var (state, rest) = (OptimizerState(), OptimizerState())
            let penalty = try configuration.penalty.map {
                try PenaltyCatalogue.make($0.name, settings: $0.settings)
            }
            for step in run.steps {
                let before = state
                func distance(_ ours: Tensor, _ theirs: Tensor) -> Double {
                    let norm = (ours - theirs).norm
                    return norm.isNaN ? .infinity : norm
                }
                if let closure = optimizer as? any ClosureOptimizer {
                    let function = TestFunction.softmax.evaluate
                    try closure.step(&parameters, start: function(parameters), state: &state, evaluate: function)
                } else if let penalty, let proximal = optimizer as? any ProximalOptimizer {
                    // The penalty is on the first of the two; the mistake is made there.
                    let gradients = try tensors(step.grad)
                    var (own, others) = ([parameters[0]], [parameters[1]])
                    proximal.step(
                        &own, gradients: [gradients[0]], regularisation: Regularisation(penalty), state: &state)
                    proximal.step(&others, gradients: [gradients[1]], state: &rest)
                    parameters = own + others
                } else {
                    optimizer.step(&parameters, gradients: try tensors(step.grad), state: &state)
                }
                mistake(before, &state)
                for (ours, theirs) in zip(parameters, try tensors(step.after)) {
                    largest = max(largest, distance(ours, theirs))
                }
                guard step.evaluated != nil else { continue }
                let averages = optimizer.evaluationParameters(parameters, state: state)
                for (ours, theirs) in zip(averages, try tensors(step.evaluated)) {
                    largest = max(largest, distance(ours, theirs))
                }
            }
        }
        return largest
    }
}

/// A named number or tensor of an optimizer's state.
private struct Entry {
    let slot: Int?
    let name: String
    let isTensor: Bool

    /// What both states have.
    static func all(_ before: OptimizerState, _ after: OptimizerState) -> [Entry] {
        let slots = [nil] + before.slots.indices.map(Optional.some)
        return slots.flatMap { slot -> [Entry] in
            let (old, new) = (get(before, slot), get(after, slot))
            return old.tensors.keys.filter { new.tensors[$0] != nil }.map {
                Entry(slot: slot, name: $0, isTensor: true)
            }
                + old.numbers.keys.filter { new.numbers[$0] != nil }
                .map { Entry(slot: slot, name: $0, isTensor: false) }
        }
    }

    private static func get(_ state: OptimizerState, _ slot: Int?) -> Slot {
        slot.map { state.slots[$0] } ?? state.shared
    }

    func isSame(_ before: OptimizerState, _ after: OptimizerState) -> Bool {
        let (old, new) = (Self.get(before, slot), Self.get(after, slot))
        return isTensor
            ? old.tensors[name]?.shape == new.tensors[name]?.shape
                && old.tensors[name]?.doubles() == new.tensors[name]?.doubles()
            : old.numbers[name] == new.numbers[name]
    }

    func restore(_ before: OptimizerState, _ after: inout OptimizerState) {
        let old = Self.get(before, slot)
        func write(_ target: inout Slot) {
            if isTensor { target.tensors[name] = old.tensors[name] } else { target.numbers[name] = old.numbers[name] }
        }
        if let slot { write(&after.slots[slot]) } else { write(&after.shared) }
    }
}
