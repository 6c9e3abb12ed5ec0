/// A failure inside the engine, with the operation and operands that caused it.
public struct TorchError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Name of the operation, as in `aten::mm`.
    public var operation: String
    /// Shapes and element types of the operands, in order.
    public var operands: [String]
    /// The engine's own message.
    public var message: String

    /// Creates an error.
    public init(operation: String, operands: [String] = [], message: String) {
        self.operation = operation
        self.operands = operands
        self.message = message
    }

    /// One line: operation, operands, message.
    public var description: String {
        let subject = operands.isEmpty ? operation : "\(operation)(\(operands.joined(separator: ", ")))"
        let firstLine = message.split(separator: "\n").first.map(String.init) ?? "failed"
        return "\(subject): \(firstLine)"
    }
}
