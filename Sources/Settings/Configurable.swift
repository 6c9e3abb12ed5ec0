/// A value of named hyperparameters: an optimizer, a schedule, a network.
///
/// ```swift
/// public static let settings: [Setting<Self>] = [
///     Setting("weight_decay", \.weightDecay, .atLeast(0), "L2 penalty, added to the gradient")
/// ]
/// public var weightDecay = 0.0
/// ```
public protocol Configurable: Sendable, Equatable {
    /// Name on the command line.
    static var name: String { get }
    /// One line of help.
    static var summary: String { get }
    /// Where the method was published.
    static var citation: String { get }
    /// The hyperparameters: name, property, range and meaning of each.
    static var settings: [Setting<Self>] { get }

    /// The default hyperparameters.
    init()
}

extension Configurable {
    /// Names, ranges and meanings of the hyperparameters.
    public static var hyperparameters: [Hyperparameter] { settings.map(\.hyperparameter) }

    /// Creates the value with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` for a name that it does not have or a value out of range.
    public init(settings: [String: SettingValue]) throws {
        self.init()
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            guard let setting = Self.settings.first(where: { $0.hyperparameter.name == name }) else {
                let known = Self.hyperparameters.map(\.name)
                throw SettingError(
                    Self.name, "has no hyperparameter '\(name)'\(NearestNames.hint(for: name, among: known))")
            }
            guard setting.write(value, to: &self) else {
                let range = setting.hyperparameter.rangeText
                throw SettingError(Self.name, "\(name) is \(value.text), but must be \(range)")
            }
        }
    }

    /// All hyperparameters by name.
    public var settings: [String: SettingValue] {
        Dictionary(Self.settings.map { ($0.hyperparameter.name, $0.value(of: self)) }) { first, _ in first }
    }

    /// Name and all hyperparameters, as `ema(decay=0.99)`.
    public var named: NamedSettings { NamedSettings(Self.name, settings: settings) }

    /// Name and what differs from the defaults, as `huber(delta=0.5)`.
    public var text: String {
        let usual = Self().settings
        return NamedSettings(Self.name, settings: settings.filter { usual[$0.key] != $0.value }).text
    }

    /// The first hyperparameter that is out of its range; nil where all are in it.
    public var fault: SettingError? {
        for setting in Self.settings {
            let (hyperparameter, value) = (setting.hyperparameter, setting.value(of: self))
            guard !hyperparameter.allows(value) else { continue }
            return SettingError(
                Self.name, "\(hyperparameter.name) is \(value.text), but must be \(hyperparameter.rangeText)")
        }
        return nil
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
