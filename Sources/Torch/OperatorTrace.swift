/// The dispatcher calls that some code makes, in order.
public final class OperatorTrace: @unchecked Sendable {
    // Sendable because only the task that records appends to it.

    /// One call.
    public struct Call: Sendable {
        /// Name with namespace.
        public var name: String
        /// Which of the operators of that name.
        public var overload: String
        /// What it was given.
        public var arguments: [Value]
        /// What it returned.
        public var results: [Value]
    }

    /// The calls so far; they keep their tensors alive.
    public internal(set) var calls: [Call] = []

    @TaskLocal static var current: OperatorTrace?

    /// Runs `body` and returns the calls that it made in this task.
    public static func recording<R>(_ body: () throws -> R) rethrows -> (result: R, calls: [Call]) {
        let trace = OperatorTrace()
        let result = try $current.withValue(trace, operation: body)
        return (result, trace.calls)
    }
}

extension Tensor {
    /// Whether another value is the same tensor, and not only an equal one.
    public func isIdentical(to other: Tensor) -> Bool { pointer == other.pointer }

    /// Equal for the same tensor while it lives.
    public var identity: Int { Int(bitPattern: pointer) }
}
