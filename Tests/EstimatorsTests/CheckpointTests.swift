import ConvexNetworks
import Datasets
import Interchange
import Proximal
import RunLog
import TestSupport
import Testing
import Torch

@testable import Estimators

@Suite("Checkpoints")
struct CheckpointTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Where a run can be stopped and what it was asked for.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var change: @Sendable (inout FitOptions) -> Void
    }

    static let cases = [
        Case(testDescription: "sampled") { _ in },
        Case(testDescription: "gated") { $0.convex.formulation = .gated },
        Case(testDescription: "float64, joint") { ($0.precision, $0.convex.sharing) = (.float64, .joint) },
        Case(testDescription: "gram") { $0.convex.admm.linearSolver = .gram },
        Case(testDescription: "nystrom") { $0.convex.admm.linearSolver = .nystrom },
        Case(testDescription: "paper") { $0.convex.admm = .paper },
        Case(testDescription: "network, refreshed") {
            ($0.patterns, $0.neurons, $0.convex.refreshes) = (.network, 12, 1)
        },
        Case(testDescription: "grown") { ($0.patterns, $0.neurons) = (.grow, 12) },
    ]

    @Test("A run stopped anywhere goes on through its file to the same result, bit for bit", arguments: cases)
    func resumed(_ one: Case) throws {
        var options = FitOptions.small(.sampled(12))
        options.convex.maxIterations = 40
        options.convex.tolerance = 1e-9
        one.change(&options)
        let data = Problem(rows: 60, seed: 30).data(.classification)
        let whole = try trained(options, data)
        for stop in [1, 6] {
            var events = 0
            let path = scratch.path("state")
            let cut = try trained(options, data) { event in
                guard let write = event.writeCheckpoint, !event.isFinal else { return .proceed }
                events += 1
                if events == stop { do { try write(path) } catch { Issue.record("\(error)") } }
                return events == stop ? .stop : .proceed
            }
            #expect(cut.report.termination == Termination.cancelled.rawValue)
            // A longer run, or one in more time, is the same run.
            var longer = options
            longer.convex.timeLimit = 1e6
            let resumed = try trained(longer, data, from: path)
            #expect(resumed.report.objective == whole.report.objective)
            #expect(resumed.report.iterations == whole.report.iterations)
            #expect(resumed.report.dualBound == whole.report.dualBound)
            #expect(resumed.report.history.map(\.objective) == whole.report.history.map(\.objective))
            let (a, b) = (resumed.model.network, whole.model.network)
            #expect(a.hidden.doubles() == b.hidden.doubles() && a.output.doubles() == b.output.doubles())
            #expect(a.unitPattern == b.unitPattern && a.unitGroup == b.unitGroup)
            #expect(resumed.report.secondsByPhase.keys == whole.report.secondsByPhase.keys)
        }
    }

    /// A run that is stopped at its first checkpoint, which it writes.
    private func stopped(
        _ options: FitOptions, _ data: LoadedData, _ path: String
    ) throws -> (model: ConvexModel, report: FitReport) {
        try trained(options, data) { event in
            guard let write = event.writeCheckpoint else { return .proceed }
            do { try write(path) } catch { Issue.record("\(error)") }
            return .stop
        }
    }

    @Test("A checkpoint of another run or of other data is refused, whatever differs")
    func others() throws {
        let data = Problem(rows: 60, seed: 35).data(.classification)
        let path = scratch.path("state")
        let options = FitOptions.small(.sampled(12))
        _ = try stopped(options, data, path)
        _ = try trained(options, data, from: path)
        let changes: [(inout FitOptions) -> Void] = [
            { $0.convex.formulation = .gated }, { $0.convex.sharing = .joint }, { $0.convex.tolerance = 1e-5 },
            { $0.convex.seed = 1 }, { $0.convex.refreshes = 1 }, { $0.convex.admm.rho = 2 }, { $0.penalty = .fixed(1) },
            { $0.penalty = .search }, { $0.patterns = .sampled(13) }, { $0.hasBias = false }, { $0.loss = HingeLoss() },
            { $0.standardisation = .global }, { $0.validation = 0.1 }, { $0.precision = .float64 }, { $0.folds = 3 },
            { $0.patterns = .source(.gates(Tensor.full([4, 3], 1))) }, { $0.neurons = 7 },
        ]
        for (index, change) in changes.enumerated() {
            var other = options
            change(&other)
            #expect(fault { _ = try trained(other, data, from: path) }.contains("other settings"), "\(index)")
        }
        let tested = Problem(rows: 60, seed: 35).data(.classification, test: Problem(rows: 20, seed: 37))
        #expect(fault { _ = try trained(options, tested, from: path) }.contains("test rows"))
        let more = Problem(rows: 60, seed: 36).data(.classification)
        #expect(fault { _ = try trained(options, more, from: path) }.contains("other data"))
        var free = options
        (free.convex.maxIterations, free.convex.timeLimit) = (160, 100)
        _ = try trained(free, data, from: path)
    }

    @Test("A run that goes on with nothing left to do says nothing of cones that it did not look at")
    func nothingLeft() throws {
        let data = Problem(rows: 60, seed: 34).data(.classification)
        var options = FitOptions.small(.sampled(12))
        let path = scratch.path("state")
        let cut = try stopped(options, data, path)
        #expect(cut.report.coneViolation != nil)
        options.convex.maxIterations = 1
        let resumed = try trained(options, data, from: path).report
        #expect(resumed.coneViolation == nil && resumed.termination == Termination.iterationLimit.rawValue)
    }

    @Test("A run stopped in the search or in the stochastic run offers nothing to go on from")
    func early() throws {
        let data = Problem(rows: 60, seed: 31).data(.classification)
        // Gates that were not drawn for lack of time would be missing in all that follows.
        var late = FitOptions.small(.sampled(4000))
        late.convex.timeLimit = 1e-9
        _ = try trained(late, data) { event in
            #expect(event.writeCheckpoint == nil)
            return .proceed
        }
        for (phase, penalty) in [("penalty", nil), ("patterns", 0.5)] {
            var options = FitOptions.small(.network, penalty: penalty)
            options.neurons = 12
            var offers = 0
            let cut = try trained(options, data) { event in
                offers += event.writeCheckpoint == nil ? 0 : 1
                return event.progress.phase == phase || offers > 0 ? .stop : .proceed
            }
            #expect(cut.report.iterations <= options.convex.maxIterations)
            #expect(offers == 0, "\(phase)")
        }
    }

    @Test("Files that are no checkpoint, or lack a part, are refused")
    func damaged() throws {
        let data = Problem(rows: 60, seed: 32).data(.classification)
        let path = scratch.path("state")
        let model = try stopped(.small(), data, path).model
        let file = try SafeTensors.read(path)
        for name in ["u", "gates", "z"] {
            let rest = SafeTensorsFile(tensors: file.tensors.filter { $0.name != name }, metadata: file.metadata)
            try SafeTensors.write(rest, to: path)
            #expect(fault { _ = try trained(.small(), data, from: path) }.contains("checksum"))
            try SafeTensors.write(rest.sealed(), to: path)
            #expect(fault { _ = try trained(.small(), data, from: path) }.contains("lacks '\(name)'"))
        }
        try model.save(to: path)
        #expect(fault { _ = try trained(.small(), data, from: path) }.contains("is no checkpoint"))
    }

    @Test("A time limit ends the run with what was reached and says so")
    func timeLimit() throws {
        var options = FitOptions.small()
        options.convex.timeLimit = 1e-6
        let report = try trained(options, Problem(seed: 33).data(.classification)).report
        #expect(report.termination == Termination.timeLimit.rawValue)
        #expect(report.iterations == 1)
        #expect(report.objective.isFinite)
    }
}
