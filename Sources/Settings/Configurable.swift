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

    /// Throws where a setting has a value that it cannot have.
    package static func require(_ holds: Bool, _ name: String, _ value: Any, _ range: String) throws(SettingError) {
        if !holds { throw SettingError(name, "is \(value), but must be \(range)") }
    }
}
