/// Seconds spent in each named phase of a run.
public final class Stopwatch {
    private let now: () -> Double
    private let start: Double
    private let earlier: Double
    /// Seconds by phase.
    public private(set) var phases: [String: Double]

    /// Starts the watch; a resumed run passes the seconds and phases it had.
    ///
    /// - Parameter now: seconds of a clock; that of the machine unless given.
    public init(elapsed: Double = 0, phases: [String: Double] = [:], now: (() -> Double)? = nil) {
        let (clock, epoch) = (ContinuousClock(), ContinuousClock.now)
        self.now = now ?? { Self.seconds(clock.now - epoch) }
        start = self.now()
        earlier = elapsed
        self.phases = phases
    }

    /// Seconds since the start, including those of the run that was resumed.
    public var seconds: Double { earlier + now() - start }

    /// Runs `body` and adds its time to a phase.
    public func measure<R, E: Error>(_ phase: String, _ body: () throws(E) -> R) throws(E) -> R {
        let begin = now()
        defer { phases[phase, default: 0] += now() - begin }
        return try body()
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}
