import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

/// Tensor operators on the accelerator against the kernels on the CPU.
@Suite("CUDA agrees with the CPU", .enabled(if: Device.cuda.isAvailable))
struct CUDATests {
    private func moved(_ maps: PatternOperator) -> PatternOperator {
        let layout = maps.layout
        let coupling = layout.directions.map { OutputCoupling.directions($0.to(device: .cuda)) } ?? .perOutput
        return PatternOperator(
            x: maps.x.to(device: .cuda), mask: maps.mask.to(device: .cuda),
            layout: BlockLayout(
                patterns: layout.patterns, outputs: layout.outputs, formulation: layout.formulation,
                coupling: coupling),
            rowScale: maps.rowScale.to(device: .cuda))
    }

    @Test("Every pass gives the same numbers", arguments: Layouts.names, OperatorTests.floats)
    func passes(name: String, kind: (dtype: DType, tolerance: Double)) {
        let host = Layouts.maps(name, n: 200, dtype: kind.dtype, seed: 1)
        expectSamePasses(moved(host), host, tolerance: 10 * kind.tolerance)
    }

    @Test("A short run gives the same iterate", arguments: Formulation.allCases, [LinearSolver.automatic, .gram])
    func run(formulation: Formulation, solver: LinearSolver) throws {
        for oracle in Oracle.all {
            let program = TestProgram(oracle, formulation)
            let host = try program.solved(.fixed(solver: solver), iterations: 100)
            let device = try program.converted(.float64, device: .cuda)
                .solved(.fixed(solver: solver), iterations: 100)
            #expect(device.state.v.device.kind == .cuda)
            #expect(distance(device.state.v, host.state.v) < 1e-8)
            #expect(distance(device.state.fitted, host.state.fitted) < 1e-8)
        }
    }

    @Test("Every loss and the penalty give the same numbers there")
    func losses() {
        var random = RandomSource(3)
        for loss in LossCatalogue.all {
            let y = targets(for: type(of: loss).encoding, rows: 50, outputs: 3, random: &random)
            let z = random.tensor([50, 3], scale: 3)
            let (yThere, zThere) = (y.to(device: .cuda), z.to(device: .cuda))
            #expect(abs(loss.value(zThere, yThere) - loss.value(z, y)) < 1e-10)
            #expect(distance(loss.gradient(zThere, yThere), loss.gradient(z, y)) < 1e-12)
            #expect(distance(loss.prox(zThere, yThere, step: 0.7), loss.prox(z, y, step: 0.7)) < 1e-10)
        }
        let u = random.tensor([5, 8])
        let penalty = GroupLasso(strength: 0.4, columnsPerGroup: 2)
        #expect(distance(penalty.prox(u.to(device: .cuda), step: 1), penalty.prox(u, step: 1)) < 1e-13)
    }
}
