/// Data that cannot be used: which, why, and what to do about it.
public struct DataError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or data set, or the option that names what is not there.
    public var subject: String
    /// What is wrong, without a final full stop.
    public var problem: String
    /// What to do about it, without a final full stop; empty where there is nothing to say.
    public var advice: String

    /// Makes an error; `problem` and `advice` carry no final full stop.
    public init(subject: String, problem: String, advice: String) {
        self.subject = subject
        self.problem = problem
        self.advice = advice
    }

    init(_ subject: String, _ problem: String, _ advice: String = "") {
        self.init(subject: subject, problem: problem, advice: advice)
    }

    /// The whole error on one line: `SUBJECT: PROBLEM. ADVICE.`
    public var description: String {
        let end = problem.hasSuffix("?") ? "" : "."
        let text = "\(subject): \(problem)\(end)" + (advice.isEmpty ? "" : " \(advice).")
        // Names from a file may hold control characters, which would break the line.
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
    }
}

/// What a network learns to predict.
public enum PredictionTask: String, Sendable, Codable, CaseIterable {
    /// One of several classes.
    case classification
    /// One or more numbers.
    case regression
}

/// The texts in quotes, separated by commas; those beyond `limit` are counted.
func listed(_ texts: [String], limit: Int = 20) -> String {
    let shown = texts.prefix(limit).map { "'\($0)'" }.joined(separator: ", ")
    return texts.count > limit ? "\(shown) and \(texts.count - limit) more" : shown
}

/// The number with its noun, which takes an `s` unless there is one.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
