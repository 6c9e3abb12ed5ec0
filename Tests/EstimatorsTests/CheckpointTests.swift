import ConvexNetworks
import Datasets
import Interchange
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
            var last: ConvexRunCheckpoint?
            let cut = try trained(options, data) { event in
                guard let checkpoint = event.checkpoint else { return .proceed }
                last = checkpoint
                events += 1
                return events == stop ? .stop : .proceed
            }
            #expect(cut.report.termination == Termination.cancelled.rawValue)
            let path = scratch.path("state")
            try CheckpointFile.write(try #require(last), arguments: ["fit", "é"], dataHash: data.train.hash, to: path)
            let contents = try CheckpointFile.read(path, device: .cpu)
            #expect(contents.arguments == ["fit", "é"] && contents.dataHash == data.train.hash)
            let resumed = try trained(options, data, resume: contents.checkpoint)
            #expect(resumed.report.objective == whole.report.objective)
            #expect(resumed.report.iterations == whole.report.iterations)
            #expect(resumed.report.dualBound == whole.report.dualBound)
            #expect(resumed.report.history.map(\.objective) == whole.report.history.map(\.objective))
            let (a, b) = (resumed.model.network, whole.model.network)
            #expect(a.hidden.doubles() == b.hidden.doubles() && a.output.doubles() == b.output.doubles())
            #expect(a.unitPattern == b.unitPattern && a.unitGroup == b.unitGroup)
        }
    }

    @Test("A run that goes on with nothing left to do says nothing of cones that it did not look at")
    func nothingLeft() throws {
        let data = Problem(rows: 60, seed: 34).data(.classification)
        var (options, last) = (FitOptions.small(.sampled(12)), ConvexRunCheckpoint?.none)
        let cut = try trained(options, data) { event in
            last = event.checkpoint ?? last
            return last == nil ? .proceed : .stop
        }
        #expect(cut.report.coneViolation != nil)
        options.convex.maxIterations = 1
        let resumed = try trained(options, data, resume: last).report
        #expect(resumed.coneViolation == nil && resumed.termination == Termination.iterationLimit.rawValue)
    }

    @Test("A run stopped in the search or in the stochastic run offers nothing to go on from")
    func early() throws {
        let data = Problem(rows: 60, seed: 31).data(.classification)
        for (phase, penalty) in [("penalty", nil), ("patterns", 0.5)] {
            var options = FitOptions.small(.network, penalty: penalty)
            options.neurons = 12
            var offers = 0
            let cut = try trained(options, data) { event in
                offers += event.checkpoint == nil ? 0 : 1
                return event.progress.phase == phase || offers > 0 ? .stop : .proceed
            }
            #expect(cut.report.iterations <= options.convex.maxIterations)
            #expect(offers == 0, "\(phase)")
        }
    }

    @Test("Files that are no checkpoint, or lack a part, are refused")
    func damaged() throws {
        let data = Problem(rows: 60, seed: 32).data(.classification)
        var last: ConvexRunCheckpoint?
        let model = try trained(.small(), data) { event in
            last = event.checkpoint ?? last
            return .proceed
        }.model
        let path = scratch.path("state")
        try model.save(to: path)
        #expect(fault { _ = try CheckpointFile.read(path, device: .cpu) }.contains("is not a checkpoint"))
        try CheckpointFile.write(try #require(last), arguments: [], dataHash: "", to: path)
        let file = try SafeTensors.read(path)
        for name in ["u", "gates", "z"] {
            let rest = SafeTensorsFile(tensors: file.tensors.filter { $0.name != name }, metadata: file.metadata)
            try SafeTensors.write(rest, to: path)
            #expect(fault { _ = try CheckpointFile.read(path, device: .cpu) }.contains("checksum"))
            try SafeTensors.write(rest.sealed(), to: path)
            #expect(fault { _ = try CheckpointFile.read(path, device: .cpu) }.contains("lacks '\(name)'"))
        }
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
