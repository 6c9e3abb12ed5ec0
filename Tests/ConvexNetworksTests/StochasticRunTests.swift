import Proximal
import Settings
import RunLog
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Stochastic runs that propose patterns")
struct StochasticRunTests {
    private func data(_ loss: any Loss) -> (x: Tensor, y: Tensor) {
        var random = RandomSource(1)
        let y = targets(for: type(of: loss).encoding, rows: 300, outputs: 3, random: &random)
        // The targets show in the features, so that there is something to learn.
        let noisy = y + random.tensor([300, 3], scale: 0.4)
        return (Tensor.concatenate([noisy, random.tensor([300, 2])], dimension: 1), y)
    }

    private func train(
        _ run: StochasticRun, _ loss: any Loss, observe: (Int, Int) -> Directive = { _, _ in .proceed }
    ) -> TwoLayerNetwork {
        let (x, y) = data(loss)
        return Engine.exclusively { run.train(x: x, y: y, loss: loss, penalty: 0.1, observe: observe) }
    }

    @Test("Training lowers the objective far below the start", arguments: LossCatalogue.all.map { type(of: $0).name })
    func reduces(name: String) throws {
        let loss = try #require(LossCatalogue.named(name))
        let (x, y) = data(loss)
        var run = StochasticRun(units: 16, epochs: 0, seed: 1)
        run.batch = 32
        run.peakStep = 0.02
        let start = train(run, loss).objective(x, y, loss: loss, penalty: 0.1)
        run.epochs = 40
        let network = train(run, loss)
        let end = network.objective(x, y, loss: loss, penalty: 0.1)
        #expect(network.units == 16)
        #expect(network.outputs == 3)
        #expect(network.hidden.isFinite && network.output.isFinite)
        #expect(end < 0.5 * start, "from \(start) to \(end)")
        #expect(end < 0.6 * loss.value(Tensor.zeros(like: y), y))
    }

    @Test("The same seed gives the same network, another seed another")
    func seeds() {
        var run = StochasticRun(units: 8, epochs: 3, seed: 5)
        run.batch = 64
        let (one, two) = (train(run, SquaredLoss()), train(run, SquaredLoss()))
        #expect(one.hidden.doubles() == two.hidden.doubles())
        #expect(one.output.doubles() == two.output.doubles())
        run.seed = 6
        #expect(train(run, SquaredLoss()).hidden.doubles() != one.hidden.doubles())
    }

    @Test("An observer can stop the run, and a stopped run returns what it has")
    func stops() {
        var run = StochasticRun(units: 8, epochs: 100, seed: 1)
        run.batch = 30
        var calls: [Int] = []
        let network = train(run, SquaredLoss()) { step, limit in
            calls.append(step)
            #expect(limit == 1000)
            return step < 100 ? .proceed : .stop
        }
        #expect(calls == [50, 100])
        #expect(network.hidden.isFinite)
    }

    @Test("Batches larger than the data are cut to it")
    func largeBatch() {
        let run = StochasticRun(units: 4, epochs: 2, seed: 1)
        var wide = run
        wide.batch = 10_000
        #expect(train(wide, SquaredLoss()).hidden.isFinite)
    }
}
