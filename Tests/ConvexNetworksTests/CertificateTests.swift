import Foundation
import Proximal
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Certificates bound the optimum")
struct CertificateTests {
    private func certificate(
        _ program: TestProgram, network: TwoLayerNetwork, eta: [Tensor], alpha: Tensor?, gates: Tensor? = nil
    ) -> Certificate {
        Certificate(
            network: network, x: program.x, y: program.y, mask: program.mask, layout: program.layout,
            loss: program.loss, penalty: program.penalty,
            multipliers: .init(data: eta, cone: alpha.map { alpha in { alpha.rows($0) } }))
    }

    @Test("The bound equals a dual value computed by plain code", arguments: GatedProgram.names)
    func plainDual(name: String) throws {
        let gated = GatedProgram(name, seed: 1)
        let program = gated.program
        let dense = DenseProgram(program.maps)
        let width = program.penalty.columnsPerGroup
        for iterations in [1, 10, 300] {
            let admm = try program.solved(.fixed(), iterations: iterations)
            let v = Matrix(admm.state.v)
            // Scaled multipliers of scaled rows: the product G'α is the same as in raw units.
            let alpha = admm.state.w.map { Matrix((-$0).relu() * admm.state.rho) }
            let y = Matrix(program.y)
            let fit = dense.dataMatrix() * Matrix(v.values.count, 1, v.values)
            let eta = Matrix(y.rows, y.columns, zip(fit.values, y.values).map { $0 - $1 })
            var gradient = dense.dataMatrix().transposed * Matrix(eta.values.count, 1, eta.values)
            if let alpha {
                gradient = gradient - dense.coneMatrix().transposed * Matrix(alpha.values.count, 1, alpha.values)
            }
            let norm = dense.groupNorms(Matrix(v.rows, v.columns, gradient.values), columnsPerGroup: width).max()!
            let slope = zip(eta.values, y.values).reduce(0) { $0 - $1.0 * $1.1 }
            let square = eta.values.reduce(0) { $0 + $1 * $1 }
            let t = min(max(slope / square, 0), program.penalty.strength / norm)
            let expected = t * slope - 0.5 * t * t * square

            let raw = alpha.map { $0.tensor * program.rowScale.unsqueezed(1) }
            let found = certificate(
                program, network: program.network(admm.state.v, gates: gated.gates), eta: [eta.tensor], alpha: raw,
                gates: gated.gates)
            #expect(abs(found.dualBound - expected) < 1e-9 * (1 + abs(expected)), "\(iterations) iterations")
            #expect(abs(found.scale - t) < 1e-4)
            let objective = found.objective
            #expect(abs((found.relativeGap ?? .nan) - (objective - expected) / objective) < 1e-8)
        }
    }

    @Test("No multipliers whatever give a bound above the optimum", arguments: Oracle.all, Formulation.allCases)
    func weakDuality(oracle: Oracle, formulation: Formulation) throws {
        let program = TestProgram(oracle, formulation)
        let optimum = oracle.total(formulation)
        var random = RandomSource(2)
        let zero = TwoLayerNetwork(
            hidden: Tensor.zeros([oracle.d, 0], dtype: .float64),
            output: Tensor.zeros([0, oracle.outputs], dtype: .float64))
        let best = try program.solved(.fixed(), iterations: 3000)
        for trial in 0..<40 {
            // Some at random, some near the optimal ones, where a wrong sign would show.
            let noise = pow(10, random.uniform(-4..<0.5))
            var eta = random.tensor([oracle.n, oracle.outputs], scale: noise)
            var alpha = random.tensor([oracle.n, program.layout.columns], scale: noise).relu()
            if trial % 2 == 0 {
                eta = eta + best.state.mu * best.state.rho
                if let w = best.state.w {
                    alpha = alpha + (-w).relu() * (program.rowScale.unsqueezed(1) * best.state.rho)
                }
            }
            let found = certificate(
                program, network: zero, eta: [eta], alpha: formulation == .relu ? alpha : nil)
            #expect(found.dualBound <= optimum * (1 + 1e-9))
            #expect(found.dualBound >= 0)
        }
    }

    @Test("Feasible points have a non-negative gap", arguments: GatedProgram.names)
    func feasiblePoints(name: String) throws {
        let gated = GatedProgram(name, seed: 3)
        let program = gated.program
        let admm = try program.solved(.fixed(), iterations: 2000)
        let alpha = admm.state.w.map { (-$0).relu() * (program.rowScale.unsqueezed(1) * admm.state.rho) }
        var random = RandomSource(4)
        for scale in [0.01, 0.1, 1] {
            let v = gated.feasiblePoint(scale: scale, random: &random)
            let found = certificate(
                program, network: program.network(v, gates: gated.gates), eta: [admm.state.mu * admm.state.rho],
                alpha: alpha)
            #expect(abs(found.objective - program.objective(v)) < 1e-10 * found.objective)
            #expect((found.relativeGap ?? -1) >= -1e-9)
            #expect(!found.networkBeatsProgram)
        }
    }

    @Test("Convergence closes the gap for every layout", arguments: GatedProgram.names)
    func convergence(name: String) throws {
        let gated = GatedProgram(name, seed: 5)
        let admm = try gated.program.solved(.fixed(), iterations: 4000)
        let found = gated.program.certificate(admm, gates: gated.gates)
        #expect(abs(found.relativeGap ?? .infinity) <= 1e-5)
        #expect(abs(found.scale - 1) < 1e-3)
        #expect(found.statement.contains("%"))
    }

    @Test("Multipliers without information give no gap, or the trivial bound, and say so")
    func noInformation() throws {
        let gated = GatedProgram("gated", seed: 6)
        let program = gated.program
        var random = RandomSource(7)
        let network = program.network(gated.feasiblePoint(scale: 1, random: &random), gates: gated.gates)
        let broken = certificate(
            program, network: network, eta: [Tensor.full([24, 1], .nan, dtype: .float64)], alpha: nil)
        #expect(broken.relativeGap == nil)
        #expect(broken.statement.contains("No finite bound"))
        let none = certificate(program, network: network, eta: [], alpha: nil)
        #expect(none.relativeGap == nil)
        let zero = certificate(program, network: network, eta: [Tensor.zeros(like: program.y)], alpha: nil)
        #expect(zero.dualBound == 0)
        #expect(zero.relativeGap == 1)
    }

    @Test("Of several candidates the best bound is taken")
    func candidates() throws {
        let program = TestProgram(.binary, .gated)
        let admm = try program.solved(.fixed(), iterations: 500)
        let gates = Matrix(Oracle.binary.gates).tensor
        let network = program.network(admm.state.v, gates: gates)
        let good = admm.state.mu * admm.state.rho
        var random = RandomSource(8)
        let bad = random.tensor(good.shape)
        let alone = certificate(program, network: network, eta: [good], alpha: nil).dualBound
        #expect(certificate(program, network: network, eta: [bad, good], alpha: nil).dualBound == alone)
        #expect(certificate(program, network: network, eta: [good, bad], alpha: nil).dualBound == alone)
    }

    @Test("A network with better patterns than the program is named as such")
    func betterNetwork() throws {
        let oracle = Oracle.exhaustive
        let full = TestProgram(oracle, .relu)
        let network = full.network(try full.solved(.fixed(), iterations: 3000).state.v)
        var poor = full
        poor.mask = oracle.d01.columns(0..<1).contiguous()
        poor.layout = BlockLayout(patterns: 1, outputs: 1, formulation: .relu)
        let admm = try poor.solved(.fixed(), iterations: 3000)
        let alpha = (-admm.state.w!).relu() * (poor.rowScale.unsqueezed(1) * admm.state.rho)
        let found = certificate(poor, network: network, eta: [admm.state.mu * admm.state.rho], alpha: alpha)
        #expect(found.networkBeatsProgram)
        #expect((found.relativeGap ?? 1) < 0)
        #expect(found.statement.contains("below the optimum"))
    }
}
