/// Seconds spent in each named phase of a run.
public final class Stopwatch {
    private let now: () -> Double
    private let start: Double
    private let earlier: Double
    private var closed: [String: Double]
    /// Phases that run, each with its begin.
    private var open: [(phase: String, begin: Double)] = []

    /// Seconds by phase, those that still run included.
    public var phases: [String: Double] {
        let time = now()
        return open.reduce(into: closed) { $0[$1.phase, default: 0] += time - $1.begin }
    }

    /// Starts the watch; a resumed run passes the seconds and phases it had.
    ///
    /// - Parameter now: seconds of a clock; that of the machine unless given.
    public init(elapsed: Double = 0, phases: [String: Double] = [:], now: (() -> Double)? = nil) {
        let (clock, epoch) = (ContinuousClock(), ContinuousClock.now)
        self.now = now ?? { Self.seconds(clock.now - epoch) }
        start = self.now()
        earlier = elapsed
        closed = phases
    }

    /// Seconds since the start, including those of the run that was resumed.
    public var seconds: Double { earlier + now() - start }

    /// Runs `body` and adds its time to a phase.
    public func measure<R, E: Error>(_ phase: String, _ body: () throws(E) -> R) throws(E) -> R {
        open.append((phase, now()))
        defer { if let ended = open.popLast() { closed[ended.phase, default: 0] += now() - ended.begin } }
        return try body()
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}
