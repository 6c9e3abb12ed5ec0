import Foundation
import Optimizers
import Settings

/// Other hyperparameters, or another optimizer, for some of the parameters.
public struct ParameterOverride: Sendable, Codable, Equatable {
    /// Which: a name with `*` and `?` as in file names (`*.bias`), or `vectors`, all with fewer than two dimensions.
    public var parameters: String
    /// Their optimizer; nil for that of the others with `settings` over its own.
    public var optimizer: String?
    /// Hyperparameters.
    public var settings: [String: SettingValue]

    /// Creates an override.
    public init(_ parameters: String, optimizer: String? = nil, settings: [String: SettingValue]) {
        (self.parameters, self.optimizer, self.settings) = (parameters, optimizer, settings)
    }

    private enum CodingKeys: String, CodingKey { case parameters, optimizer, settings }

    /// Reads an override; what is missing has its default.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        parameters = try container.decode(String.self, forKey: .parameters)
        optimizer = try container.decodeIfPresent(String.self, forKey: .optimizer)
        settings = try container.decodeIfPresent([String: SettingValue].self, forKey: .settings) ?? [:]
    }

    func matches(_ name: String, _ shape: [Int]) -> Bool {
        parameters == "vectors" ? shape.count < 2 : fnmatch(parameters, name, 0) == 0
    }
}

extension TrainingSettings {
    /// The groups of the optimizer: the rest first, then each override with what no earlier one takes.
    func parameterGroups() throws -> [ParameterGroup] {
        let overrides = self.overrides ?? []
        let rest = ParameterGroup("rest", try OptimizerCatalogue.make(optimizer, settings: optimizerSettings)) {
            name, shape in !overrides.contains { $0.matches(name, shape) }
        }
        return try [rest]
            + overrides.enumerated().map { index, override in
                let settings =
                    override.optimizer == nil
                    ? optimizerSettings.merging(override.settings) { $1 } : override.settings
                let made = try OptimizerCatalogue.make(override.optimizer ?? optimizer, settings: settings)
                return ParameterGroup(override.parameters, made) { name, shape in
                    override.matches(name, shape) && !overrides[..<index].contains { $0.matches(name, shape) }
                }
            }
    }

    /// Throws where an override takes no parameter.
    func checkOverrides(_ groups: [ParameterGroup], _ names: [String], _ assignment: [[Int]]) throws {
        for (group, positions) in zip(groups, assignment).dropFirst() where positions.isEmpty {
            throw SettingError(
                "overrides",
                "no parameter is left for '\(group.name)'\(NearestNames.hint(for: group.name, among: names + ["vectors"]))"
            )
        }
    }
}
