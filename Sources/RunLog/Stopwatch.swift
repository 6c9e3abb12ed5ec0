/// Seconds spent in each named phase of a run.
public final class Stopwatch {
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private let earlier: Double
    /// Seconds by phase.
    public private(set) var phases: [String: Double]

    /// Starts the watch; a resumed run passes the seconds and phases it had.
    public init(elapsed: Double = 0, phases: [String: Double] = [:]) {
        start = clock.now
        earlier = elapsed
        self.phases = phases
    }

    /// Seconds since the start, including those of the run that was resumed.
    public var seconds: Double { earlier + Self.seconds(clock.now - start) }

    /// Runs `body` and adds its time to a phase.
    public func measure<R, E: Error>(_ phase: String, _ body: () throws(E) -> R) throws(E) -> R {
        let begin = clock.now
        defer { phases[phase, default: 0] += Self.seconds(clock.now - begin) }
        return try body()
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}
