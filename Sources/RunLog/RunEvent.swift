/// What a run tells its observer.
///
/// - Parameter Result: what the run will return, or a network to evaluate.
public struct RunEvent<Result> {
    /// Where the run is.
    public var progress: RunProgress
    /// The evaluation, when one was just made.
    public var point: HistoryPoint?
    /// Whether this is the best evaluation so far.
    public var isBest = false
    /// What is to be said before the first step.
    public var announcement: [String] = []
    /// Whether the run has ended: what a checkpoint written now holds is where it stopped.
    public var isFinal = false
    /// Batches or checks done: grows throughout a run, resumed or not.
    public var position: Int
    /// Evaluations made so far, but for one before the first step.
    public var evaluations: Int
    /// Writes a checkpoint to a path, by way of a temporary file; nil where the run cannot go on from here.
    public var writeCheckpoint: ((String) throws -> Void)?
    /// Makes what the run would return now; nil where there is nothing yet.
    public var result: (() throws -> Result)?

    /// Creates an event.
    public init(_ progress: RunProgress, position: Int, evaluations: Int) {
        (self.progress, self.position, self.evaluations) = (progress, position, evaluations)
    }

    /// The same event of a run that returns something else.
    public func map<Other>(_ transform: @escaping (Result) throws -> Other) -> RunEvent<Other> {
        var other = RunEvent<Other>(progress, position: position, evaluations: evaluations)
        (other.point, other.isBest, other.announcement) = (point, isBest, announcement)
        (other.isFinal, other.writeCheckpoint) = (isFinal, writeCheckpoint)
        other.result = result.map { make in { try transform(make()) } }
        return other
    }
}
