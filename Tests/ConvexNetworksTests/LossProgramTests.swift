import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Programs with every loss of the catalogue")
struct LossProgramTests {
    static let lossNames = LossCatalogue.all.map { type(of: $0).name }

    @Test("The certified gap closes", arguments: lossNames, GatedProgram.names)
    func gap(lossName: String, name: String) throws {
        let loss = try #require(LossCatalogue.named(lossName))
        let gated = GatedProgram(name, loss: loss, strength: 0.5, seed: 1)
        let admm = try gated.program.solved(.fixed(), iterations: 1200)
        let certificate = gated.program.certificate(admm, gates: gated.gates)
        #expect(abs(certificate.relativeGap ?? .infinity) < 1e-3)
        #expect(certificate.objective < loss.value(Tensor.zeros(like: gated.program.y), gated.program.y))
    }

    @Test("Bounds from unfinished solves never exceed the optimum", arguments: lossNames, ["relu", "gated, shared"])
    func weakDuality(lossName: String, name: String) throws {
        let loss = try #require(LossCatalogue.named(lossName))
        let gated = GatedProgram(name, loss: loss, strength: 0.5, seed: 2)
        let program = gated.program
        let admm = try program.solver(.fixed())
        var bounds: [Double] = []
        for iteration in 1...1000 {
            _ = admm.step()
            if [1, 2, 5, 20, 100, 500].contains(iteration) {
                bounds.append(program.certificate(admm, gates: gated.gates).dualBound)
            }
        }
        let optimum = program.objective(admm.state.v)
        for bound in bounds { #expect(bound <= optimum * (1 + 1e-4)) }
    }
}
