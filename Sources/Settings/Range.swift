extension Hyperparameter {
    /// Which values are allowed: a predicate with its words. A hyperparameter of a new kind brings its own.
    public struct Range: Sendable, Equatable {
        /// The allowed values in words.
        public let text: String
        private let predicate: @Sendable (SettingValue) -> Bool

        /// Creates a range.
        ///
        /// - Parameter text: what is allowed, as in "a number ≥ 0": equal texts mean equal ranges.
        public init(_ text: String, allows predicate: @escaping @Sendable (SettingValue) -> Bool) {
            (self.text, self.predicate) = (text, predicate)
        }

        /// Whether a value is allowed.
        public func allows(_ value: SettingValue) -> Bool { predicate(value) }

        /// Whether two ranges say the same.
        public static func == (a: Range, b: Range) -> Bool { a.text == b.text }

        /// Numbers with a property.
        public static func number(_ text: String, _ holds: @escaping @Sendable (Double) -> Bool) -> Range {
            Range(text) { value in value.number.map { $0.isFinite && holds($0) } ?? false }
        }

        /// Lists of two numbers with a property.
        public static func pair(_ text: String, _ holds: @escaping @Sendable (Double, Double) -> Bool) -> Range {
            Range(text) { value in
                guard case .list(let list) = value, list.count == 2, let a = list[0].number, let b = list[1].number
                else { return false }
                return a.isFinite && b.isFinite && holds(a, b)
            }
        }
    }
}

extension Hyperparameter.Range {
    /// Numbers ≥ the bound.
    public static func atLeast(_ bound: Double) -> Self {
        number("a number ≥ \(Hyperparameter.text(bound))") { $0 >= bound }
    }

    /// Numbers > the bound.
    public static func above(_ bound: Double) -> Self {
        number("a number > \(Hyperparameter.text(bound))") { $0 > bound }
    }

    /// Numbers in [0, 1).
    public static let decay = number("a number in [0, 1)") { $0 >= 0 && $0 < 1 }
    /// Numbers in [0, 1].
    public static let share = number("a number in [0, 1]") { $0 >= 0 && $0 <= 1 }
    /// Numbers in (0, 1].
    public static let positiveShare = number("a number in (0, 1]") { $0 > 0 && $0 <= 1 }
    /// Any finite number.
    public static let any = number("a number") { _ in true }

    /// Whole numbers ≥ the bound, up to a billion.
    public static func count(_ bound: Int) -> Self {
        number("a whole number from \(bound) to \(greatestText)") {
            $0 >= Double(bound) && $0 == $0.rounded() && $0 <= Hyperparameter.greatestCount
        }
    }

    /// Whole numbers in a range.
    public static func counts(_ range: ClosedRange<Int>) -> Self {
        number("a whole number from \(range.lowerBound) to \(Hyperparameter.text(Double(range.upperBound)))") {
            $0 == $0.rounded() && $0 >= Double(range.lowerBound) && $0 <= Double(range.upperBound)
        }
    }

    /// true or false.
    public static let flag = Self("true or false") { if case .flag = $0 { true } else { false } }

    /// One of these words.
    public static func oneOf(_ words: [String]) -> Self {
        Self(words.map { "'\($0)'" }.joined(separator: " or ")) { value in
            if case .word(let word) = value { words.contains(word) } else { false }
        }
    }

    /// As many decay rates in [0, 1).
    public static func decays(_ count: Int) -> Self {
        Self("\(count) numbers in [0, 1)") { value in
            guard case .list(let list) = value else { return false }
            return list.count == count && list.allSatisfy(decay.allows)
        }
    }

    /// Whole numbers ≥ 1, as many as one likes.
    public static let sizes = Self("a list of whole numbers from 1 to \(greatestText)") { wholes($0, from: 1) != nil }

    /// Whole numbers ≥ 0 in ascending order.
    public static let milestones = Self("a list of whole numbers from 0 to \(greatestText) in ascending order") {
        wholes($0, from: 0).map { $0 == $0.sorted() } ?? false
    }

    private static var greatestText: String { Hyperparameter.text(Hyperparameter.greatestCount) }

    private static func wholes(_ value: SettingValue, from least: Int) -> [Double]? {
        guard case .list(let list) = value, list.allSatisfy(count(least).allows) else { return nil }
        return list.compactMap(\.number)
    }
}
