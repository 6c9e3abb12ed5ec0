/// Name, range and meaning of a hyperparameter; its default is that of the type's `init()`.
public struct Hyperparameter: Sendable, Equatable {
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
    public var rangeText: String { range.text }

    /// Whether a value is allowed.
    public func allows(_ value: SettingValue) -> Bool { range.allows(value) }

    static func text(_ number: Double) -> String {
        // Powers of ten as one types them; the nearest numbers to them are no products of ten.
        if number >= 1e7, let exponent = (7...308).first(where: { Double("1e\($0)") == number }) {
            return "1e\(exponent)"
        }
        return number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
    }
}
