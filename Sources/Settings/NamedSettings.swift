/// An entry of a catalogue by its name, with settings: what a file or a command line holds of it.
///
/// Written as `{"name": "ema", "settings": {"decay": 0.99}}`, or as text: `ema(decay=0.99)`.
public struct NamedSettings: Sendable, Codable, Equatable {
    /// Name in the catalogue.
    public var name: String
    /// Hyperparameters; the others have their defaults.
    public var settings: [String: SettingValue]

    /// Creates settings of an entry.
    public init(_ name: String, settings: [String: SettingValue] = [:]) {
        (self.name, self.settings) = (name, settings)
    }

    /// Reads `name`, `name(value)`, `name(setting=value, setting=value)`.
    ///
    /// - Parameter types: where the names of hyperparameters come from for values without one, in their order.
    /// - Throws: `SettingError` for text of another form, a setting that is given twice, and a name that none of the
    ///   types has.
    public init(
        text: String, among types: [any Configurable.Type] = [], synonyms: [String: String] = [:]
    ) throws {
        let start = text.firstIndex(of: "(") ?? text.endIndex
        let spelled = Self.trimmed(text[..<start]).replacing("-", with: "_")
        let meant = synonyms[spelled] ?? spelled
        let type = types.first { $0.name.replacing("-", with: "_") == meant }
        let name = type?.name ?? meant
        guard !name.isEmpty, start == text.endIndex || text.last == ")" else {
            throw SettingError(text, "must be of the form name, name(value) or name(setting=value, …)")
        }
        if !types.isEmpty, type == nil {
            throw SettingError(name, "is not known" + NearestNames.hint(for: name, among: types.map { $0.name }))
        }
        var settings: [String: SettingValue] = [:]
        let names = type?.hyperparameters.map(\.name) ?? []
        let inner = start == text.endIndex ? "" : text[text.index(after: start)...].dropLast()
        for (index, part) in Self.parts(inner).enumerated() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
            let setting = pair.count == 2 ? pair[0] : names.indices.contains(index) ? names[index] : ""
            guard !setting.isEmpty else {
                throw SettingError(name, "cannot take '\(Self.trimmed(part))': write setting=value")
            }
            guard settings.updateValue(SettingValue(text: pair[pair.count - 1]), forKey: setting) == nil else {
                throw SettingError(name, "is given \(setting) twice")
            }
        }
        self.init(name, settings: settings)
    }

    private enum CodingKeys: String, CodingKey { case name, settings }

    /// Reads the object, in which the settings may be missing, or the text.
    public init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            do {
                self = try NamedSettings(text: text)
            } catch {
                throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\(error)"))
            }
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        settings = try container.decodeIfPresent([String: SettingValue].self, forKey: .settings) ?? [:]
    }

    /// The text, as `ema(decay=0.99)`.
    public var text: String {
        let inner = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }
        return inner.isEmpty ? name : "\(name)(\(inner.joined(separator: ", ")))"
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    /// The pieces between commas that stand in no list.
    private static func parts(_ text: Substring) -> [Substring] {
        guard !text.allSatisfy({ $0 == " " }) else { return [] }
        var (parts, depth, start) = ([Substring](), 0, text.startIndex)
        for index in text.indices {
            switch text[index] {
            case "[": depth += 1
            case "]": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        return parts + [text[start...]]
    }
}

extension Catalogue {
    /// Creates what some settings name.
    ///
    /// - Throws: as `make(_:settings:)`.
    public func make(_ named: NamedSettings) throws -> Value { try make(named.name, settings: named.settings) }
}
