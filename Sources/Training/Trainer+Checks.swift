import Foundation
import Networks
import Optimizers
import Proximal
import Settings
import Torch

extension Trainer {
    /// Throws for numbers that no run can have.
    func validate() throws {
        try SettingError.require(epochs > 0 && epochs <= 1e6, "epochs", epochs, "a number above 0, at most 1000000")
        try SettingError.require((1...1_000_000_000).contains(steps ?? 1), "steps", steps ?? 0, "a whole number ≥ 1")
        try SettingError.require(
            (1...1_000_000).contains(accumulation), "accumulation", accumulation, "a whole number ≥ 1")
        let interval = evaluationInterval
        try SettingError.require(
            interval > 0 && interval <= 1e6, "evaluationInterval", interval, "above 0, at most 1000000")
        let batches = problem.batchesPerEpoch
        try SettingError.require(
            (1...1_000_000_000).contains(batches), "batchesPerEpoch", batches, "a whole number ≥ 1")
        let dtype: DType = precision == .float64 ? .float64 : .float32
        if let place = problem.place, place.dtype != dtype || place.device != device {
            throw SettingError(
                "problem", "is made for \(place.dtype) on \(place.device), but the trainer has \(dtype) on \(device)")
        }
        let names = Network.parameterNames(of: module)
        if let stray = trained?.subtracting(names).min() {
            throw SettingError(
                "trained", "no parameter is called '\(stray)'" + NearestNames.hint(for: stray, among: names))
        }
        for value in configured { if let fault = value.fault { throw fault } }
    }

    /// Everything with hyperparameters.
    private var configured: [any Configurable] {
        let groups = rule.groups.flatMap { group in
            [group.optimizer as any Configurable] + group.before + group.after
                + (group.regularisation.map { [$0.penalty as any Configurable] } ?? [])
        }
        return groups + rule.before + rule.after + [schedule]
    }

    /// Takes parameters that keep their values from those that steps change.
    mutating func leaveOutFrozen() {
        let attributes = Network.attributes(of: module)
        guard attributes.values.contains(where: \.isFrozen) else { return }
        trained = (trained ?? Set(attributes.keys)).filter { attributes[$0]?.isFrozen != true }
    }

    /// The network before the first step.
    ///
    /// - Throws: `SettingError` where its parameters alone, with gradients and two moments, are more than this machine's
    ///   memory.
    func network(named name: String? = nil) throws -> Network {
        let dtype: DType = precision == .float64 ? .float64 : .float32
        let needed = 4 * Double(Network.elementCount(of: module)) * Double(dtype.byteCount)
        let present = Double(ProcessInfo.processInfo.physicalMemory)
        guard needed <= present else {
            throw SettingError(
                name ?? "\(type(of: module))",
                String(
                    format: "needs at least %.0f GB for parameters, gradients and the optimizer's state, this machine "
                        + "has %.0f GB: lower its sizes", needed / 1e9, present / 1e9))
        }
        var network = Network(module, seed: seed, dtype: dtype, device: device)
        for (name, attributes) in Network.attributes(of: module) {
            guard let manifold = try attributes.manifold.map({ try ManifoldCatalogue.catalogue.make($0) }),
                let first = network.parameters[name], manifold.fault(for: first.shape) == nil
            else { continue }
            network.parameters[name] = manifold.projected(first)
        }
        return network
    }

    /// Everything that must be the same where a run goes on, but for the time limit. Of the module its kind and, in the
    /// file, its parameters: sizes that make no parameter, as a share of units that are dropped, are not compared.
    var description: String {
        var lines = ["\(type(of: module)) on \(P.self) \(problem.identity)"]
        for group in rule.groups {
            var parts = [group.optimizer as any Configurable] + group.before + group.after
            if let penalty = group.regularisation?.penalty { parts.append(penalty) }
            let goal = group.target.map { " for \($0)" } ?? ""
            lines.append(group.name + ": " + parts.map { $0.named.text }.joined(separator: " ") + goal)
        }
        lines += (rule.before + [schedule] as [any Configurable] + rule.after).map { $0.named.text }
        lines.append(
            "\(epochs) epochs, \(steps ?? 0) steps, \(accumulation) batches each, counted by \(scheduleUnit), "
                + "\(precision), evaluated each \(evaluationInterval), patience \(patience ?? -1), seed \(seed), "
                + "trained \(trained?.sorted().joined(separator: " ") ?? "all")")
        return lines.joined(separator: "\n")
    }
}
