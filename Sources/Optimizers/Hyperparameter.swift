import Foundation

/// Name, range and meaning of a hyperparameter; its default is that of the optimizer's `init()`.
public struct Hyperparameter: Sendable, Equatable {
    /// Which values are allowed.
    public enum Range: Sendable, Equatable {
        /// Numbers ≥ the bound.
        case atLeast(Double)
        /// Numbers > the bound.
        case above(Double)
        /// Numbers in [0, 1).
        case decay
        /// Numbers in [0, 1].
        case share
        /// Whole numbers ≥ the bound.
        case count(Int)
        /// Any finite number.
        case any
        /// true or false.
        case flag
        /// As many decay rates in [0, 1).
        case decays(Int)
        /// A number in (0, 1) and one above 1.
        case shrinkAndGrow
        /// Two positive numbers, the smaller first.
        case interval
        /// A number ≥ 0 or null, then a number > 0.
        case floors
        /// One of these words.
        case oneOf([String])
    }

    /// Name, as in `torch.optim`.
    public var name: String
    /// Allowed values.
    public var range: Range
    /// One line of help.
    public var summary: String

    /// Creates a hyperparameter.
    public init(_ name: String, _ range: Range, _ summary: String) {
        (self.name, self.range, self.summary) = (name, range, summary)
    }

    static let lr = Hyperparameter("lr", .atLeast(0), "learning rate")
    static let eps = Hyperparameter("eps", .atLeast(0), "added to the denominator")
    static let betas = Hyperparameter("betas", .decays(2), "decay rates of the first and second moment")
    static let weightDecay = Hyperparameter("weight_decay", .atLeast(0), "L2 penalty, added to the gradient")
    static let decoupledWeightDecay = Hyperparameter(
        "weight_decay", .atLeast(0), "decoupled weight decay, times the learning rate")
    static let momentum = Hyperparameter("momentum", .decay, "decay rate of the momentum")

    /// The allowed values in words.
    public var rangeText: String {
        switch range {
        case .atLeast(let bound): "a number ≥ \(Self.text(bound))"
        case .above(let bound): "a number > \(Self.text(bound))"
        case .decay: "a number in [0, 1)"
        case .share: "a number in [0, 1]"
        case .count(let bound): "a whole number ≥ \(bound)"
        case .any: "a number"
        case .flag: "true or false"
        case .decays(let count): "\(count) numbers in [0, 1)"
        case .shrinkAndGrow: "a number in (0, 1) and a number > 1"
        case .interval: "two positive numbers, the smaller first"
        case .floors: "a number ≥ 0 or null, and a number > 0"
        case .oneOf(let words): words.map { "'\($0)'" }.joined(separator: " or ")
        }
    }

    /// Whether a value is allowed.
    public func allows(_ value: SettingValue) -> Bool {
        switch (range, value) {
        case (.atLeast(let bound), .number(let x)): x >= bound && x.isFinite
        case (.above(let bound), .number(let x)): x > bound && x.isFinite
        case (.decay, .number(let x)): x >= 0 && x < 1
        case (.share, .number(let x)): x >= 0 && x <= 1
        case (.count(let bound), .number(let x)): x >= Double(bound) && x == x.rounded() && x < 9e15
        case (.any, .number(let x)): x.isFinite
        case (.flag, .flag): true
        case (.decays(let count), .list(let list)):
            list.count == count && list.allSatisfy { $0.number.map { $0 >= 0 && $0 < 1 } ?? false }
        case (.shrinkAndGrow, .list(let list)): Self.pair(list) { $0 > 0 && $0 < 1 && $1 > 1 && $1.isFinite }
        case (.interval, .list(let list)): Self.pair(list) { $0 > 0 && $0 <= $1 && $1.isFinite }
        case (.floors, .list(let list)):
            list.count == 2 && (list[0] == .null || (list[0].number ?? -1) >= 0) && (list[1].number ?? 0) > 0
        case (.oneOf(let words), .word(let word)): words.contains(word)
        default: false
        }
    }

    private static func pair(_ list: [SettingValue], _ holds: (Double, Double) -> Bool) -> Bool {
        guard list.count == 2, let a = list[0].number, let b = list[1].number else { return false }
        return holds(a, b)
    }

    static func text(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
    }
}

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
}

/// Settings that an optimizer cannot take.
public struct SettingError: Error, Equatable, CustomStringConvertible {
    /// Name of the optimizer.
    public var optimizer: String
    /// What is wrong, with the value and what would be allowed.
    public var problem: String

    /// Creates an error.
    public init(optimizer: String, problem: String) {
        self.optimizer = optimizer
        self.problem = problem
    }

    /// One line.
    public var description: String { "\(optimizer): \(problem)" }
}

extension Optimizer {
    /// Creates the optimizer with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` for a name that it does not have or a value out of range.
    public init(settings: [String: SettingValue]) throws {
        var merged = try Self().settings
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            guard let hyperparameter = Self.hyperparameters.first(where: { $0.name == name }) else {
                let known = Self.hyperparameters.map(\.name)
                throw SettingError(
                    optimizer: Self.name,
                    problem: "has no hyperparameter '\(name)'\(NearestNames.hint(for: name, among: known))")
            }
            guard hyperparameter.allows(value) else {
                throw SettingError(
                    optimizer: Self.name,
                    problem: "\(name) is \(value.text), but must be \(hyperparameter.rangeText)")
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

/// Suggestions for a mistyped name.
public enum NearestNames {
    /// `"; did you mean …?"` with the closest names, or the list of all.
    public static func hint(for name: String, among known: [String]) -> String {
        let ranked = known.map { ($0, distance(name.lowercased(), $0.lowercased())) }.sorted { $0.1 < $1.1 }
        let close = ranked.filter { $0.1 <= max(2, name.count / 3) }.prefix(3).map { "'\($0.0)'" }
        if close.isEmpty { return "; it knows \(known.joined(separator: ", "))" }
        return "; did you mean \(close.joined(separator: " or "))?"
    }

    /// Levenshtein's edit distance.
    static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let substitution = diagonal + (x == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
