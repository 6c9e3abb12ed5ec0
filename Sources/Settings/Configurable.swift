import Foundation

/// A value of named hyperparameters: an optimizer, a schedule, a network.
///
/// Its `CodingKeys` are the names of ``hyperparameters``; the defaults are those of `init()`.
public protocol Configurable: Sendable, Codable, Equatable {
    /// Name on the command line.
    static var name: String { get }
    /// One line of help.
    static var summary: String { get }
    /// Where the method was published.
    static var citation: String { get }
    /// The hyperparameters with their ranges.
    static var hyperparameters: [Hyperparameter] { get }

    /// The default hyperparameters.
    init()
}

extension Configurable {
    /// Creates the value with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` for a name that it does not have or a value out of range.
    public init(settings: [String: SettingValue]) throws {
        var merged = try Self().settings
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            guard let hyperparameter = Self.hyperparameters.first(where: { $0.name == name }) else {
                let known = Self.hyperparameters.map(\.name)
                throw SettingError(
                    Self.name, "has no hyperparameter '\(name)'\(NearestNames.hint(for: name, among: known))")
            }
            guard hyperparameter.allows(value) else {
                throw SettingError(Self.name, "\(name) is \(value.text), but must be \(hyperparameter.rangeText)")
            }
            merged[name] = value
        }
        self = try JSONDecoder().decode(Self.self, from: JSONEncoder().encode(merged))
    }

    /// All hyperparameters by name.
    public var settings: [String: SettingValue] {
        get throws { try JSONDecoder().decode([String: SettingValue].self, from: JSONEncoder().encode(self)) }
    }
}

/// Things by name, with the nearest names for what is not there.
public enum Catalogue {
    /// Creates the entry of a name with some settings.
    ///
    /// - Parameters:
    ///   - types: the entries.
    ///   - kind: what they are, as in `optimizer`.
    /// - Throws: `SettingError` for an unknown name, and as `init(settings:)`.
    public static func make(
        _ name: String, settings: [String: SettingValue] = [:], among types: [any Configurable.Type], kind: String
    ) throws -> any Configurable {
        // Command lines like hyphens, names of values underscores.
        let spelled = String(name.map { $0 == "-" ? "_" : $0 })
        guard let type = types.first(where: { $0.name == name || $0.name == spelled }) else {
            throw SettingError(name, "is no \(kind)" + NearestNames.hint(for: name, among: types.map { $0.name }))
        }
        return try type.init(settings: settings)
    }
}

/// Settings that cannot be taken.
public struct SettingError: Error, Equatable, CustomStringConvertible {
    /// Name of the optimizer, schedule or network.
    public var subject: String
    /// What is wrong, with the value and what would be allowed.
    public var problem: String

    /// Creates an error.
    public init(_ subject: String, _ problem: String) {
        self.subject = subject
        self.problem = problem
    }

    /// One line.
    public var description: String { "\(subject): \(problem)" }
}
