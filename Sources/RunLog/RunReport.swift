/// The numbers of a run, whatever its method.
public protocol RunReport: Codable, Sendable {
    /// Why the run ended, as ``Termination`` has it.
    var termination: String { get }
}

extension RunReport {
    /// Whether the run can go on from its checkpoint.
    public var isCut: Bool { Termination(rawValue: termination)?.isCut ?? false }
}
