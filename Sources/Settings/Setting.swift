/// A hyperparameter of a type with the property that holds it.
public struct Setting<Root>: Sendable {
    /// Name, range and meaning.
    public let hyperparameter: Hyperparameter
    private let read: @Sendable (Root) -> SettingValue
    private let assign: @Sendable (inout Root, SettingValue) -> Bool

    /// Creates a setting.
    ///
    /// - Parameters:
    ///   - name: as it stands on a command line and in files.
    ///   - property: where its value is.
    ///   - range: which values are allowed.
    ///   - summary: one line of help.
    public init<Value: SettingConvertible>(
        _ name: String, _ property: WritableKeyPath<Root, Value> & Sendable, _ range: Hyperparameter.Range,
        _ summary: String
    ) {
        hyperparameter = Hyperparameter(name, range, summary)
        read = { $0[keyPath: property].settingValue }
        assign = { root, value in
            guard let converted = Value(settingValue: value) else { return false }
            root[keyPath: property] = converted
            return true
        }
    }

    /// The value that a root has.
    public func value(of root: Root) -> SettingValue { read(root) }

    /// Writes a value; false, with nothing written, where it is out of range or of another kind.
    func write(_ value: SettingValue, to root: inout Root) -> Bool {
        hyperparameter.allows(value) && assign(&root, value)
    }
}

/// A type that a property of a hyperparameter can have.
public protocol SettingConvertible: SendableMetatype {
    /// Reads a value; nil for one of another kind.
    init?(settingValue: SettingValue)
    /// The value as it stands in a file.
    var settingValue: SettingValue { get }
}

extension Double: SettingConvertible {
    /// Reads a number.
    public init?(settingValue: SettingValue) {
        guard case .number(let number) = settingValue else { return nil }
        self = number
    }
    /// The number.
    public var settingValue: SettingValue { .number(self) }
}

extension Int: SettingConvertible {
    /// Reads a whole number.
    public init?(settingValue: SettingValue) {
        guard case .number(let number) = settingValue, let whole = Int(exactly: number) else { return nil }
        self = whole
    }
    /// The number.
    public var settingValue: SettingValue { .number(Double(self)) }
}

extension Bool: SettingConvertible {
    /// Reads true or false.
    public init?(settingValue: SettingValue) {
        guard case .flag(let flag) = settingValue else { return nil }
        self = flag
    }
    /// True or false.
    public var settingValue: SettingValue { .flag(self) }
}

extension String: SettingConvertible {
    /// Reads a word.
    public init?(settingValue: SettingValue) {
        guard case .word(let word) = settingValue else { return nil }
        self = word
    }
    /// The word.
    public var settingValue: SettingValue { .word(self) }
}

extension Optional: SettingConvertible where Wrapped: SettingConvertible {
    /// Reads null or a value.
    public init?(settingValue: SettingValue) {
        guard settingValue != .null else {
            self = Self.none
            return
        }
        guard let wrapped = Wrapped(settingValue: settingValue) else { return nil }
        self = wrapped
    }
    /// The value, or null.
    public var settingValue: SettingValue { self?.settingValue ?? .null }
}

extension Array: SettingConvertible where Element: SettingConvertible {
    /// Reads a list.
    public init?(settingValue: SettingValue) {
        guard case .list(let list) = settingValue else { return nil }
        self = []
        for value in list {
            guard let element = Element(settingValue: value) else { return nil }
            append(element)
        }
    }
    /// The list.
    public var settingValue: SettingValue { .list(map(\.settingValue)) }
}

extension SettingConvertible where Self: RawRepresentable<String> {
    /// Reads a word of the enumeration.
    public init?(settingValue: SettingValue) {
        guard case .word(let word) = settingValue else { return nil }
        self.init(rawValue: word)
    }
    /// The word.
    public var settingValue: SettingValue { .word(rawValue) }
}
