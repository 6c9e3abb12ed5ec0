import Foundation
import Optimizers
import Proximal
import Settings

/// Other hyperparameters, or another optimizer, for some of the parameters.
public struct ParameterOverride: Sendable, Codable, Equatable {
    /// Which: a name with `*` and `?` as in file names (`*.bias`), or `vectors`, all with fewer than two dimensions.
    public var parameters: String
    /// Their optimizer; nil for that of the others with `settings` over its own.
    public var optimizer: String?
    /// Hyperparameters.
    public var settings: [String: SettingValue]
    /// Their penalty, or `none`; nil for that of the others with `penaltySettings` over its own.
    public var penalty: String?
    /// Hyperparameters of the penalty.
    public var penaltySettings: [String: SettingValue]?
    /// What is done to their gradients before the optimizer.
    public var before: [NamedSettings]?
    /// What is done to them behind it.
    public var after: [NamedSettings]?

    /// Creates an override.
    public init(
        _ parameters: String, optimizer: String? = nil, settings: [String: SettingValue] = [:], penalty: String? = nil
    ) {
        (self.parameters, self.optimizer, self.settings) = (parameters, optimizer, settings)
        self.penalty = penalty
    }

    private enum CodingKeys: String, CodingKey {
        case parameters, optimizer, settings, penalty, penaltySettings, before, after
    }

    /// Reads an override; what is missing has its default.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        parameters = try container.decode(String.self, forKey: .parameters)
        optimizer = try container.decodeIfPresent(String.self, forKey: .optimizer)
        settings = try container.decodeIfPresent([String: SettingValue].self, forKey: .settings) ?? [:]
        penalty = try container.decodeIfPresent(String.self, forKey: .penalty)
        penaltySettings = try container.decodeIfPresent([String: SettingValue].self, forKey: .penaltySettings)
        before = try container.decodeIfPresent([NamedSettings].self, forKey: .before)
        after = try container.decodeIfPresent([NamedSettings].self, forKey: .after)
    }

    /// The penalty of these parameters, given that of the others.
    func resolvedPenalty(over common: NamedSettings?) throws -> (any Penalty)? {
        if let penalty { return try NamedSettings(penalty, settings: penaltySettings ?? [:]).penalty() }
        guard var own = common else {
            guard penaltySettings == nil else {
                throw SettingError("overrides", "'\(parameters)' has settings of a penalty, but there is none")
            }
            return nil
        }
        own.settings.merge(penaltySettings ?? [:]) { $1 }
        return try own.penalty()
    }

    func matches(_ name: String, _ shape: [Int]) -> Bool {
        parameters == "vectors" ? shape.count < 2 : fnmatch(parameters, name, 0) == 0
    }
}
