import Proximal
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("ADMM reaches the optima of the oracles")
struct OptimumTests {
    static let formulations = Formulation.allCases

    @Test("Three splits reach every optimum, one output at a time", arguments: Oracle.all, formulations)
    func single(oracle: Oracle, formulation: Formulation) throws {
        for output in 0..<oracle.outputs {
            let program = TestProgram(oracle, formulation, output: output)
            let optimum = oracle.optima(formulation)[output]
            let admm = try program.solved(.fixed(), iterations: 5000)
            let found = program.failures(
                admm, optimum: optimum.optimalValue, fitted: Matrix(oracle.n, 1, optimum.fitted))
            #expect(found.isEmpty, "\(oracle.name), \(formulation), output \(output)")
            let certificate = program.certificate(admm)
            #expect(certificate.dualBound <= optimum.optimalValue * (1 + 1e-9))
            #expect(abs(certificate.relativeGap ?? .infinity) <= 1e-5)
        }
    }

    @Test("All outputs at once reach the sum of the optima", arguments: formulations)
    func together(formulation: Formulation) throws {
        let oracle = Oracle.wide
        let program = TestProgram(oracle, formulation)
        let admm = try program.solved(.fixed(), iterations: 5000)
        let found = program.failures(
            admm, optimum: oracle.total(formulation), fitted: oracle.fitted(formulation))
        #expect(found.isEmpty)
        #expect(abs(program.certificate(admm).relativeGap ?? .infinity) <= 1e-5)
    }

    @Test("With every pattern the optimum is the global one of the non-convex network")
    func exhaustive() throws {
        let oracle = Oracle.exhaustive
        let program = TestProgram(oracle, .relu)
        let admm = try program.solved(.fixed(), iterations: 5000)
        let global = try #require(oracle.nonConvexBest)
        #expect(abs(program.objective(admm.state.v) - global) < 1e-6 * global)
        // Plain training objective of the rebuilt network: half the squared weights.
        let network = program.network(admm.state.v)
        let fit = network.predict(program.x)
        let weights = network.hidden.squared().sumInDouble() + network.output.squared().sumInDouble()
        let objective = 0.5 * (fit - program.y).squared().sumInDouble() + 0.5 * oracle.beta * weights
        #expect(abs(objective - global) < 1e-5 * global)
    }

    @Test("Two splits reach the same optimum as three", arguments: Oracle.all)
    func splittings(oracle: Oracle) throws {
        var settings = ADMMSettings.trace(rho: oracle.rho, solver: .dualFactor)
        settings.relaxation = 1.6
        for formulation in Self.formulations {
            let program = TestProgram(oracle, formulation)
            let two = try program.solved(settings, iterations: 5000)
            let found = program.failures(
                two, optimum: oracle.total(formulation), fitted: oracle.fitted(formulation))
            #expect(found.isEmpty, "\(oracle.name), \(formulation)")
        }
    }

    @Test("Every way to solve the linear system reaches the optimum", arguments: LinearSolver.allCases)
    func solvers(solver: LinearSolver) throws {
        let oracle = Oracle.binary
        for formulation in Self.formulations {
            let program = TestProgram(oracle, formulation)
            let admm = try Engine.exclusively { try program.solved(.fixed(solver: solver), iterations: 2000) }
            let found = program.failures(
                admm, optimum: oracle.total(formulation), fitted: oracle.fitted(formulation))
            #expect(found.isEmpty, "\(solver), \(formulation)")
        }
    }

    @Test("The optimum does not depend on rho, relaxation, block weight or row scales")
    func parameters() throws {
        let oracle = Oracle.binary
        for (rho, relaxation, weight, scalesRows) in [
            (0.3, 1.0, 1.0, true), (3, 1.8, 1, true), (1, 1.6, 0.3, true), (0.3, 1.6, 2, false),
        ] {
            var settings = ADMMSettings.fixed(rho: rho)
            settings.relaxation = relaxation
            settings.blockWeight = weight
            let program = TestProgram(oracle, .relu, scalesRows: scalesRows)
            let admm = try program.solved(settings, iterations: 8000)
            let found = program.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu))
            #expect(found.isEmpty, "rho \(rho), relaxation \(relaxation), weight \(weight), rows \(scalesRows)")
            #expect(abs(program.certificate(admm).relativeGap ?? .infinity) <= 1e-5)
        }
    }

    @Test("The gated optimum never exceeds the ReLU optimum, and more patterns never raise either")
    func monotone() throws {
        for oracle in Oracle.all {
            #expect(oracle.gatedTotal <= oracle.reluTotal)
            for formulation in Self.formulations {
                var last = Double.infinity
                for count in [2, oracle.patterns / 2, oracle.patterns] {
                    var program = TestProgram(oracle, formulation)
                    program.mask = oracle.d01.columns(0..<count).contiguous()
                    program.layout = BlockLayout(patterns: count, outputs: oracle.outputs, formulation: formulation)
                    let admm = try program.solved(.fixed(), iterations: 1500)
                    let value = program.objective(admm.state.v)
                    #expect(value <= last * (1 + 1e-5), "\(oracle.name), \(formulation), \(count) patterns")
                    #expect(value >= oracle.total(formulation) * (1 - 1e-5))
                    last = value
                }
            }
        }
    }

    @Test("Single and double precision agree to 1e-3", arguments: Oracle.all, formulations)
    func precision(oracle: Oracle, formulation: Formulation) throws {
        let program = TestProgram(oracle, formulation)
        let single = program.converted(.float32)
        let admm = try single.solved(.fixed(), iterations: 1500)
        #expect(admm.state.v.dtype == .float32)
        #expect(abs(single.objective(admm.state.v) - oracle.total(formulation)) < 1e-3 * oracle.total(formulation))
        let fit = admm.maps.forward(single.layout.coupled(admm.state.v))
        #expect(distance(fit, oracle.fitted(formulation)) < 1e-3)
        let certificate = single.certificate(admm)
        #expect(certificate.dualBound <= oracle.total(formulation) * (1 + 1e-6))
        #expect(abs(certificate.relativeGap ?? .infinity) < 1e-3)
    }

    @Test("A penalty above the critical one gives the zero network, one just below does not")
    func criticalPenalty() throws {
        let oracle = Oracle.binary
        var program = TestProgram(oracle, .gated)
        // Plain code: the largest norm of X' D_i y.
        let dense = DenseProgram(program.maps)
        let critical = dense.dualNorm(Matrix(oracle.targets), nil)
        for (factor, isZero) in [(1.01, true), (0.95, false)] {
            program.penalty.strength = critical * factor
            let admm = try program.solved(.fixed(), iterations: 2000)
            #expect((admm.state.v.norm == 0) == isZero, "\(factor)")
        }
    }
}
