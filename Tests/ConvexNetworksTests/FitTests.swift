import Proximal
import RunLog
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Whole fits")
struct FitTests {
    private static func data(columns: Int = 6, rows: Int = 120) -> (x: Tensor, y: Tensor) {
        var random = RandomSource(3)
        let y = targets(for: .simplex, rows: rows, outputs: 3, random: &random)
        let noisy = y + random.tensor([rows, 3], scale: 0.8)
        return (Tensor.concatenate([noisy, random.tensor([rows, columns - 3])], dimension: 1), y)
    }

    private static func settings(_ penalty: Double, iterations: Int) -> ConvexSettings {
        var settings = ConvexSettings()
        settings.patterns = .network(units: 12)
        settings.penalty = penalty
        settings.maxIterations = iterations
        return settings
    }

    private static func run(_ settings: ConvexSettings, checks: Bool = true) throws -> FitResult {
        let (x, y) = data()
        return try Engine.exclusively {
            try ConvexFit(settings: settings, loss: SoftmaxLoss()).run(x: x, y: y, watch: Stopwatch(), checks: checks)
        }
    }

    @Test("However early it stops, the result is no worse than the network that it started from", arguments: 1...4)
    func neverWorse(iterations: Int) throws {
        let (x, y) = Self.data()
        let result = try Self.run(Self.settings(0.05, iterations: iterations))
        let initial = try #require(result.initialNetwork).objective(x, y, loss: SoftmaxLoss(), penalty: 0.05)
        let found = result.solution.network.objective(x, y, loss: SoftmaxLoss(), penalty: 0.05)
        #expect(found <= initial * (1 + 1e-9))
        #expect(abs(found - result.solution.certificate.objective) < 1e-9 * found)
        // Its program's own predictions must exist, whichever network came out.
        #expect(result.programNetwork.predict(x).isFinite)
    }

    @Test("Neither is a refreshed one, whose program has lost units of the first")
    func neverWorseRefreshed() throws {
        var settings = Self.settings(3, iterations: 3)
        settings.refreshes = 3
        let (x, y) = Self.data()
        let result = try Self.run(settings)
        let initial = try #require(result.initialNetwork).objective(x, y, loss: SoftmaxLoss(), penalty: 3)
        let found = result.solution.network.objective(x, y, loss: SoftmaxLoss(), penalty: 3)
        #expect(found <= initial * (1 + 1e-6))
        #expect(result.programNetwork.predict(x).isFinite)
    }

    @Test("The early iterates are worse than their start, so that the rule is needed")
    func earlyIterates() throws {
        var settings = Self.settings(0.05, iterations: 1)
        let (x, y) = Self.data()
        var first: Double?
        try Engine.exclusively {
            settings.maxIterations = 3
            _ = try ConvexFit(settings: settings, loss: SoftmaxLoss()).run(x: x, y: y, watch: Stopwatch()) { event in
                if event.progress.phase == "solve", first == nil { first = event.progress.objective }
                return .proceed
            }
        }
        let result = try Self.run(settings)
        #expect(try #require(first) > (try #require(result.initialObjective)))
    }

    @Test("A converged solve lowers the objective of its start")
    func lowers() throws {
        let result = try Self.run(Self.settings(0.5, iterations: 2000))
        #expect(result.solution.termination == .converged)
        #expect(result.solution.certificate.objective < (try #require(result.initialObjective)))
    }

    @Test("Each point of a path is the solution for its penalty", arguments: [3, 40])
    func path(columns: Int) throws {
        // More columns than rows go through the row space.
        let (x, y) = Self.data(columns: columns, rows: columns > 10 ? 30 : 120)
        var settings = Self.settings(1, iterations: 1500)
        settings.patternPenalty = 1
        settings.tolerance = 1e-6
        let penalties = [4.0, 1, 0.25]
        var onPath: [Double] = []
        try Engine.exclusively {
            let fit = ConvexFit(settings: settings, loss: SoftmaxLoss())
            try fit.path(x: x, y: y, penalties: penalties) { index, network in
                onPath.append(network.objective(x, y, loss: SoftmaxLoss(), penalty: penalties[index]))
                return .proceed
            }
        }
        #expect(onPath.count == penalties.count)
        for (penalty, value) in zip(penalties, onPath) {
            var alone = settings
            alone.penalty = penalty
            let result = try Engine.exclusively {
                try ConvexFit(settings: alone, loss: SoftmaxLoss()).run(x: x, y: y, watch: Stopwatch(), checks: false)
            }
            let objective = result.solution.certificate.objective
            #expect(abs(value - objective) < 2e-2 * objective, "β \(penalty): \(value) and \(objective)")
        }
    }

    @Test("An observer ends a path early")
    func pathStops() throws {
        let (x, y) = Self.data()
        var visits = 0
        try Engine.exclusively {
            try ConvexFit(settings: Self.settings(1, iterations: 5), loss: SoftmaxLoss())
                .path(x: x, y: y, penalties: [3, 2, 1]) { _, _ in
                    visits += 1
                    return .stop
                }
        }
        #expect(visits == 1)
    }

    @Test("An exact solve is there for shared neurons too, and refuses a factor that no memory holds")
    func exact() throws {
        var settings = Self.settings(0.5, iterations: 50)
        settings.admm.linearSolver = .dualFactor
        #expect(try Self.run(settings).solution.linearSolver == .primalFactor)
        let large = Layouts.maps("gated, shared", n: 20, d: 900, patterns: 50, seed: 1)
        #expect(throws: TorchError.self) {
            try CoupledSystem(maps: large, blockWeight: 1, dataWeight: 1, method: .dualFactor, nystromRank: 0)
        }
    }
}
