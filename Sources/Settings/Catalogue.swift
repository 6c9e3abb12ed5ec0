import Synchronization

/// Types by name, open to a user's own: what is registered is known wherever a name is taken.
///
/// `Value` is what the entries make, as `any Optimizer`.
public final class Catalogue<Value>: Sendable {
    /// What an entry is, as in `optimizer`.
    public let kind: String
    private let types: Mutex<[any Configurable.Type]>
    /// Other names of entries.
    public let synonyms: [String: String]

    /// Creates a catalogue of types whose values are `Value`s.
    ///
    /// - Parameter synonyms: other names of entries.
    public init(_ kind: String, _ types: [any Configurable.Type], synonyms: [String: String] = [:]) {
        (self.kind, self.synonyms) = (kind, synonyms)
        self.types = Mutex(types)
    }

    /// All entries, those of the package first.
    public var all: [any Configurable.Type] { types.withLock { $0 } }

    /// Makes a type known by its name.
    ///
    /// - Throws: `SettingError` for a type that makes something else, a name that is taken, two hyperparameters
    ///   of one name, and a default that is out of its range.
    public func register(_ type: any Configurable.Type) throws {
        let made = type.init()
        guard made is Value else { throw SettingError(type.name, "is no \(kind)") }
        if let fault = made.fault { throw fault }
        let names = type.hyperparameters.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw SettingError(type.name, "has two hyperparameters called '\(twice)'")
        }
        try types.withLock { types in
            guard !types.contains(where: { $0.name == type.name }) else {
                throw SettingError(type.name, "is the name of another \(kind)")
            }
            types.append(type)
        }
    }

    /// The entry of a name, in which hyphens stand for underscores; nil where there is none.
    public subscript(name: String) -> (any Configurable.Type)? {
        // Command lines like hyphens, names of values underscores.
        let spelled = String(name.map { $0 == "-" ? "_" : $0 })
        let meant = synonyms[spelled] ?? spelled
        return all.first { $0.name == name || $0.name == meant }
    }

    /// Creates the entry of a name with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` with the nearest names for an unknown entry or hyperparameter, or with the range that a
    ///   value is outside of.
    public func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> Value {
        guard let type = self[name] else {
            throw SettingError(name, "is no \(kind)" + NearestNames.hint(for: name, among: all.map { $0.name }))
        }
        let made = try type.init(settings: settings)
        guard let value = made as? Value else { fatalError("\(name) is no \(kind)") }
        return value
    }
}
