/// A file could not be read or written: which one, why, and what to do about it.
public struct InterchangeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path as the caller gave it.
    public var path: String
    /// What is wrong, without a final full stop.
    public var problem: String
    /// What to do about it, without a final full stop; empty where there is nothing to say.
    public var advice: String

    /// Makes an error for `path`; `problem` and `advice` carry no final full stop.
    public init(path: String, problem: String, advice: String) {
        self.path = path
        self.problem = problem
        self.advice = advice
    }

    /// The whole error on one line: `PATH: PROBLEM. ADVICE.`
    public var description: String {
        let text = advice.isEmpty ? "\(path): \(problem)." : "\(path): \(problem). \(advice)."
        // Names found inside a damaged file may hold control characters, which would break the line.
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
    }
}

extension InterchangeError {
    init(_ path: String, _ problem: String, _ advice: String = "") {
        self.init(path: path, problem: problem, advice: advice)
    }

    /// A shape for a message, which a damaged file must not fill with its dimensions.
    static func text(_ shape: [Int]) -> String {
        shape.count <= 8 ? "\(shape)" : "\(shape.prefix(8)) and \(shape.count - 8) more dimensions"
    }

    /// The error for content that ends before it should.
    static func truncated(_ path: String, _ part: String) -> InterchangeError {
        InterchangeError(path, "the file ends inside \(part)", "It was cut short; copy or download it again")
    }

    /// The error for a file that holds no bytes at all.
    static func empty(_ path: String) -> InterchangeError {
        InterchangeError(path, "the file is empty", "Copy or download it again")
    }
}
