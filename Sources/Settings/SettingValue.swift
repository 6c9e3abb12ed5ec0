import Foundation

/// A value of a hyperparameter as it stands in a file or on a command line.
public enum SettingValue: Sendable, Equatable, Codable {
    case null
    case flag(Bool)
    case number(Double)
    case word(String)
    case list([SettingValue])

    /// The number, if it is one.
    public var number: Double? { if case .number(let x) = self { x } else { nil } }

    /// Reads a JSON value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let word = try? container.decode(String.self) {
            self = .word(word)
        } else {
            self = .list(try container.decode([SettingValue].self))
        }
    }

    /// Writes a JSON value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let flag): try container.encode(flag)
        case .number(let number):
            // A whole number must come out without a point, for those that decode as integers.
            if let whole = Int(exactly: number) { try container.encode(whole) } else { try container.encode(number) }
        case .word(let word): try container.encode(word)
        case .list(let list): try container.encode(list)
        }
    }

    /// The value as one would type it.
    public var text: String {
        switch self {
        case .null: "null"
        case .flag(let flag): "\(flag)"
        case .number(let number): Hyperparameter.text(number)
        case .word(let word): word
        case .list(let list): "[" + list.map(\.text).joined(separator: ", ") + "]"
        }
    }

    /// Reads what one types: JSON, or a word without quotation marks.
    public init(text: String) {
        let parsed = try? JSONDecoder().decode(SettingValue.self, from: Data(text.utf8))
        self = parsed ?? .word(text)
    }
}
