import Foundation
import Networks
import Optimizers
import Programs
import Proximal
import Settings
import Structure

extension NamedSettings {
    /// The penalty of this name; nil for `none`.
    func penalty() throws -> (any Penalty)? { name == "none" ? nil : try PenaltyCatalogue.catalogue.make(self) }
}

extension TrainingSettings {
    /// The groups of the optimizer: the rest first, then each override with what no earlier one takes; the parameters
    /// of each that a penalty applies to are a group of their own.
    ///
    /// - Parameter unpenalised: names of parameters that have no penalty unless an override names them.
    func parameterGroups(unpenalised: Set<String>) throws -> [ParameterGroup] {
        let overrides = self.overrides ?? []
        let common = try penalty?.penalty()
        let rest = try OptimizerCatalogue.make(optimizer, settings: optimizerSettings)
        var groups = try split("rest", rest, common, named: false, unpenalised) { name, shape in
            !overrides.contains { $0.matches(name, shape) }
        }
        for (index, override) in overrides.enumerated() {
            let settings =
                override.optimizer == nil ? optimizerSettings.merging(override.settings) { $1 } : override.settings
            let made = try OptimizerCatalogue.make(override.optimizer ?? optimizer, settings: settings)
            var own = try split(
                override.parameters, made, try override.resolvedPenalty(over: penalty), named: override.penalty != nil,
                unpenalised
            ) { name, shape in
                override.matches(name, shape) && !overrides[..<index].contains { $0.matches(name, shape) }
            }
            let before = try (override.before ?? []).map { try TransformationCatalogue.before.make($0) }
            let after = try (override.after ?? []).map { try TransformationCatalogue.after.make($0) }
            for place in own.indices { (own[place].before, own[place].after) = (before, after) }
            groups += own
        }
        return groups
    }

    private func split(
        _ label: String, _ optimizer: any Optimizer, _ penalty: (any Penalty)?, named: Bool, _ unpenalised: Set<String>,
        _ matches: @escaping @Sendable (String, [Int]) -> Bool
    ) throws -> [ParameterGroup] {
        guard let penalty else { return [ParameterGroup(label, optimizer, matches: matches)] }
        guard optimizer is any ProximalOptimizer else {
            let able = OptimizerCatalogue.all.filter { $0 is any ProximalOptimizer.Type }.map { $0.name }
            throw SettingError(
                type(of: optimizer).name, "takes no penalty; these do: \(able.joined(separator: ", "))")
        }
        if target != nil, !(penalty is any GroupPenalty) {
            throw SettingError(type(of: penalty).name, "has no groups: a target sparsity needs a penalty that has")
        }
        let applies: @Sendable (String, [Int]) -> Bool = { name, shape in
            named || penalty.applies(to: shape) && !unpenalised.contains(name)
        }
        var penalised = ParameterGroup(label + Self.penalised, optimizer) { matches($0, $1) && applies($0, $1) }
        penalised.regularisation = Regularisation(penalty)
        penalised.target = target
        return [ParameterGroup(label, optimizer) { matches($0, $1) && !applies($0, $1) }, penalised]
    }

    static var penalised: String { " with penalty" }

    /// Throws where an override takes no parameter, or a grouping does not fit one.
    func check(_ groups: [ParameterGroup], _ names: [String], _ shapes: [[Int]], _ assignment: [[Int]]) throws {
        let taken = zip(groups, assignment).filter { !$0.1.isEmpty }.map(\.0.name)
        for override in overrides ?? []
        where !taken.contains(override.parameters) && !taken.contains(override.parameters + Self.penalised) {
            throw SettingError(
                "overrides",
                "no parameter is left for '\(override.parameters)'"
                    + NearestNames.hint(for: override.parameters, among: names + ["vectors"]))
        }
        var hasPenalty = false
        for (group, positions) in zip(groups, assignment) {
            guard let penalty = group.regularisation?.penalty else { continue }
            for position in positions {
                hasPenalty = true
                if let fault = penalty.fault(for: shapes[position]) {
                    throw SettingError(type(of: penalty).name, "\(names[position]): \(fault)")
                }
            }
        }
        if let penalty, penalty.name != "none", !hasPenalty {
            throw SettingError(penalty.name, "applies to none of the network's parameters")
        }
    }
}

extension UpdateRule {
    /// Makes one group of all weights that read a channel: several slices of a matrix that reads a flattened image, the
    /// readers on both sides of a residual connection.
    ///
    /// - Throws: `TraceError` for networks that cannot be analysed, `SettingError` for penalties without groups.
    mutating func coupleChannels(
        of network: Network, input: InputShape, _ names: [String], _ assignment: [[Int]]
    ) throws {
        let sets = try ChannelReaders.all(of: network, input: input)
        for (index, positions) in zip(groups.indices, assignment) {
            guard var regularisation = groups[index].regularisation else { continue }
            let name = type(of: regularisation.penalty).name
            guard let grouping = (regularisation.penalty as? any AxisGroupPenalty)?.grouping else {
                throw SettingError(name, "has no groups to couple")
            }
            guard grouping == Grouping(.inputs) else {
                throw SettingError(name, "couples the readers of a channel: leave its groups and width out")
            }
            let places = Dictionary(uniqueKeysWithValues: positions.enumerated().map { (names[$1], $0) })
            var taken: Set<Int> = []
            for set in sets {
                let members = set.readers.compactMap { reader in
                    places[reader.name].map { Regularisation.Member($0, reader.grouping) }
                }
                let isPlain = members.count == 1 && members[0].grouping.width == 1
                guard !members.isEmpty, !isPlain, members.allSatisfy({ !taken.contains($0.index) }) else { continue }
                taken.formUnion(members.map(\.index))
                regularisation.coupling.append(members)
            }
            groups[index].regularisation = regularisation
        }
    }

    /// One line for each penalty with the parameters that it applies to, and one for those without; none where no
    /// parameter has a penalty.
    func penaltyLines(_ names: [String], _ assignment: [[Int]]) -> [String] {
        guard groups.contains(where: { $0.regularisation != nil }) else { return [] }
        var free: [String] = []
        var lines: [String] = []
        for (group, positions) in zip(groups, assignment) where !positions.isEmpty {
            let own = positions.map { names[$0] }
            guard let regularisation = group.regularisation else {
                free += own
                continue
            }
            let penalty = regularisation.penalty
            var settings = penalty.settings
            if group.target != nil { settings["lambda"] = nil }
            let values = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }
            let goal = group.target.map {
                " for \(Int((100 * $0.share).rounded())) % zero groups\($0.perLayer ? " in each" : "")"
            }
            lines.append(
                "\(type(of: penalty).name)(\(values.joined(separator: ", ")))\(goal ?? "") on "
                    + own.joined(separator: ", "))
            for set in regularisation.coupling {
                lines.append(
                    "  coupled: "
                        + set.map { "\(own[$0.index]) by \($0.grouping.width) \($0.grouping.axis.rawValue)" }
                        .joined(separator: " + "))
            }
        }
        return lines + ["no penalty on " + (free.isEmpty ? "nothing" : free.joined(separator: ", "))]
    }
}
