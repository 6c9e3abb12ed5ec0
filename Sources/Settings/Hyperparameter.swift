/// Name, range and meaning of a hyperparameter; its default is that of the type's `init()`.
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
        /// Numbers in (0, 1].
        case positiveShare
        /// Whole numbers ≥ the bound, up to ``greatestCount``.
        case count(Int)
        /// Whole numbers in a range.
        case counts(ClosedRange<Int>)
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
        /// Whole numbers ≥ 1, as many as one likes.
        case sizes
        /// Whole numbers ≥ 0 in ascending order.
        case milestones
    }

    /// No size or number of anything is larger, so that products of a few do not overflow.
    static let greatestCount = 1e9

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

    /// The allowed values in words.
    public var rangeText: String {
        switch range {
        case .atLeast(let bound): "a number ≥ \(Self.text(bound))"
        case .above(let bound): "a number > \(Self.text(bound))"
        case .decay: "a number in [0, 1)"
        case .share: "a number in [0, 1]"
        case .positiveShare: "a number in (0, 1]"
        case .count(let bound): "a whole number from \(bound) to \(Self.text(Self.greatestCount))"
        case .counts(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .any: "a number"
        case .flag: "true or false"
        case .decays(let count): "\(count) numbers in [0, 1)"
        case .shrinkAndGrow: "a number in (0, 1) and a number > 1"
        case .interval: "two positive numbers, the smaller first"
        case .floors: "a number ≥ 0 or null, and a number > 0"
        case .sizes: "a list of whole numbers from 1 to \(Self.text(Self.greatestCount))"
        case .milestones: "a list of whole numbers from 0 to \(Self.text(Self.greatestCount)) in ascending order"
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
        case (.positiveShare, .number(let x)): x > 0 && x <= 1
        case (.count(let bound), .number(let x)):
            x >= Double(bound) && x == x.rounded() && x <= Self.greatestCount
        case (.counts(let range), .number(let x)):
            x == x.rounded() && x >= Double(range.lowerBound) && x <= Double(range.upperBound)
        case (.any, .number(let x)): x.isFinite
        case (.flag, .flag): true
        case (.decays(let count), .list(let list)):
            list.count == count && list.allSatisfy { $0.number.map { $0 >= 0 && $0 < 1 } ?? false }
        case (.shrinkAndGrow, .list(let list)): Self.pair(list) { $0 > 0 && $0 < 1 && $1 > 1 && $1.isFinite }
        case (.interval, .list(let list)): Self.pair(list) { $0 > 0 && $0 <= $1 && $1.isFinite }
        case (.floors, .list(let list)):
            list.count == 2 && (list[0] == .null || (list[0].number ?? -1) >= 0) && (list[1].number ?? 0) > 0
        case (.oneOf(let words), .word(let word)): words.contains(word)
        case (.sizes, .list(let list)): Self.wholes(list, from: 1) != nil
        case (.milestones, .list(let list)): Self.wholes(list, from: 0).map { $0 == $0.sorted() } ?? false
        default: false
        }
    }

    private static func pair(_ list: [SettingValue], _ holds: (Double, Double) -> Bool) -> Bool {
        guard list.count == 2, let a = list[0].number, let b = list[1].number else { return false }
        return holds(a, b)
    }

    private static func wholes(_ list: [SettingValue], from least: Double) -> [Double]? {
        let numbers = list.compactMap(\.number)
        let areWhole = numbers.allSatisfy { $0 >= least && $0 == $0.rounded() && $0 <= greatestCount }
        return numbers.count == list.count && areWhole ? numbers : nil
    }

    static func text(_ number: Double) -> String {
        // Powers of ten as one types them; the nearest numbers to them are no products of ten.
        if number >= 1e7, let exponent = (7...308).first(where: { Double("1e\($0)") == number }) {
            return "1e\(exponent)"
        }
        return number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
    }
}
