import RunLog
import Testing

@Suite("The stopwatch")
struct StopwatchTests {
    @Test("Counts from where an earlier run was, and gives each phase its own")
    func counts() throws {
        final class Clock { var time = 100.0 }
        let clock = Clock()
        let watch = Stopwatch(elapsed: 5, phases: ["train": 4], now: { clock.time })
        #expect(watch.seconds == 5)
        watch.measure("train") { clock.time += 2 }
        clock.time += 1
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            try watch.measure("evaluate") {
                clock.time += 3
                throw Failure()
            }
        }
        #expect(watch.seconds == 11 && watch.phases == ["train": 6, "evaluate": 3])
    }

    @Test("The machine's clock goes on")
    func machine() {
        let watch = Stopwatch()
        let first = watch.seconds
        #expect(first >= 0 && watch.seconds >= first)
    }
}
