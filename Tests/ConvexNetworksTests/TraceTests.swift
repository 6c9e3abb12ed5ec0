import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("ADMM follows the oracles' traces")
struct TraceTests {
    static let ks = [1, 2, 3, 5, 10, 50, 100, 1000]

    /// Norms of every variable of the two-split iteration, and one entry of `u`.
    private func compare(_ admm: ADMM, _ point: Oracle.TracePoint, _ program: TestProgram) -> [String] {
        let state = admm.state
        let w = state.w!
        let s = w.relu()
        let products = admm.maps.cone(state.u)
        let block = (state.u - state.v).squared().sumInDouble()
        let pairs: [(String, Double, Double)] = [
            ("u", state.u.norm, point.normU), ("v", state.v.norm, point.normV), ("s", s.norm, point.normS),
            ("lambda", state.lambda.norm, point.normLam), ("nu", (w - s).norm, point.normNu),
            ("u000", state.u.doubles()[0], point.u000),
            ("objective", program.objective(state.v), point.objAtV),
            ("primal residual", (block + (products - s).squared().sumInDouble()).squareRoot(), point.primalRes),
        ]
        var found = pairs.filter { !(abs($0.1 - $0.2) <= 1e-9 * max(1, abs($0.2))) }
            .map { "\($0.0) is \($0.1), not \($0.2)" }
        let first = state.v.columns(0..<1).doubles()
        if !(distance(first, point.vFirstBlock) <= 1e-9) { found.append("first block \(first)") }
        return found
    }

    @Test(
        "The exact two-split iteration equals the trace of every output to 1e-9",
        arguments: Oracle.all, [LinearSolver.dualFactor, .primalFactor])
    func exact(oracle: Oracle, solver: LinearSolver) throws {
        for output in 0..<oracle.outputs {
            let program = TestProgram(oracle, .relu, output: output, scalesRows: false)
            let admm = try program.solver(.trace(rho: oracle.rho, solver: solver))
            for point in oracle.traces[output] where Self.ks.contains(point.k) {
                while admm.state.iteration < point.k { _ = admm.step() }
                let found = compare(admm, point, program)
                #expect(found.isEmpty, "\(oracle.name), output \(output), k = \(point.k)")
            }
        }
    }

    @Test("All outputs at once follow the same traces as one at a time")
    func together() throws {
        let oracle = Oracle.wide
        let program = TestProgram(oracle, .relu, scalesRows: false)
        let admm = try program.solver(.trace(rho: oracle.rho, solver: .dualFactor))
        for (position, k) in oracle.traces[0].map(\.k).enumerated() where k <= 1000 {
            while admm.state.iteration < k { _ = admm.step() }
            let points = oracle.traces.map { $0[position] }
            func root(_ value: (Oracle.TracePoint) -> Double) -> Double {
                points.reduce(0) { $0 + value($1) * value($1) }.squareRoot()
            }
            #expect(abs(admm.state.u.norm - root(\.normU)) < 1e-9)
            #expect(abs(admm.state.lambda.norm - root(\.normLam)) < 1e-9)
            #expect(abs(admm.state.w!.relu().norm - root(\.normS)) < 1e-9)
            // Columns of the first pattern's positive half are the outputs.
            #expect(distance(Array(admm.state.u.doubles()[0..<3]), points.map(\.u000)) < 1e-9)
            let total = points.reduce(0) { $0 + $1.objAtV }
            #expect(abs(program.objective(admm.state.v) - total) < 1e-9)
        }
    }

    @Test("Tight conjugate gradients follow the exact trace", arguments: [LinearSolver.gram, .nystrom, .plain])
    func iterative(solver: LinearSolver) throws {
        let oracle = Oracle.binary
        let program = TestProgram(oracle, .relu, scalesRows: false)
        var settings = ADMMSettings.trace(rho: oracle.rho, solver: solver)
        settings.innerIterations = 500
        settings.innerReduction = 0
        let admm = try Engine.exclusively { try program.solver(settings) }
        for point in oracle.traces[0] where point.k <= 100 {
            while admm.state.iteration < point.k { _ = admm.step() }
            #expect(abs(admm.state.u.norm - point.normU) < 1e-8 * point.normU)
            #expect(abs(program.objective(admm.state.v) - point.objAtV) < 1e-8 * point.objAtV)
        }
        #expect(admm.state.innerIterations > 0)
    }

    @Test("The multipliers keep their signs and bounds at every step")
    func invariants() throws {
        let oracle = Oracle.exhaustive
        let program = TestProgram(oracle, .relu, scalesRows: false)
        let admm = try program.solver(.trace(rho: oracle.rho, solver: .dualFactor))
        for _ in 0..<200 {
            let residuals = admm.step()
            let norms = admm.state.lambda.squared().sum(0).squareRoot().max().scalar
            #expect(oracle.rho * norms <= oracle.beta * (1 + 1e-12))
            #expect(residuals.primal.isFinite && residuals.dual.isFinite && residuals.violation >= 0)
        }
    }

    @Test("Reported residuals equal their definitions")
    func residuals() throws {
        let program = TestProgram(.wide, .relu)
        let admm = try program.solved(.fixed(), iterations: 30)
        let before = admm.state
        let reported = admm.step()
        let (state, maps) = (admm.state, admm.maps)
        func squares(_ t: Tensor) -> Double { t.squared().sumInDouble() }
        let products = maps.cone(state.u)
        let s = state.w!.relu()
        let fit = maps.forward(program.layout.coupled(state.u))
        let primal = squares(state.u - state.v) + squares(products - s) + squares(fit - state.z)
        let size = squares(state.u) + squares(products) + squares(fit)
        #expect(abs(reported.primal - (primal / size).squareRoot()) < 1e-10)
        let change = squares(state.v - before.v) + squares(s - before.w!.relu()) + squares(state.z - before.z)
        let multipliers = squares(state.lambda) + squares(state.mu)
        #expect(abs(reported.dual - (change / multipliers).squareRoot()) < 1e-10)
        #expect(abs(reported.violation - (-products).relu().norm / products.norm) < 1e-10)
    }

    @Test("Rescaling the penalty parameter leaves the unscaled multipliers where they are")
    func rescale() throws {
        let program = TestProgram(.binary, .relu)
        let admm = try program.solved(.fixed(), iterations: 20)
        let before = admm.state
        admm.rescale(by: 2.5)
        let after = admm.state
        #expect(after.rho == before.rho * 2.5)
        #expect(distance(after.lambda * after.rho, before.lambda * before.rho) < 1e-13)
        #expect(distance(after.mu * after.rho, before.mu * before.rho) < 1e-13)
        let (w, old) = (after.w!, before.w!)
        #expect(distance(w.relu(), old.relu()) < 1e-13)
        #expect(distance((w - w.relu()) * after.rho, (old - old.relu()) * before.rho) < 1e-13)
    }
}
