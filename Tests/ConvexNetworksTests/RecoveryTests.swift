import Proximal
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Networks rebuilt from solutions")
struct RecoveryTests {
    @Test("Where the cones hold, the network's objective is the program's", arguments: GatedProgram.names)
    func objective(name: String) {
        let gated = GatedProgram(name, seed: 1)
        let program = gated.program
        var random = RandomSource(2)
        let v = gated.feasiblePoint(scale: 0.5, random: &random)
        let network = program.network(v, gates: gated.gates)
        let fitted = DenseProgram(program.maps).dataMatrix() * DenseProgram.flat(v)
        #expect(distance(network.predict(program.x), fitted) < 1e-12)
        let norms = DenseProgram(program.maps)
            .groupNorms(Matrix(v), columnsPerGroup: program.penalty.columnsPerGroup).reduce(0, +)
        #expect(abs(network.groupNorms().reduce(0, +) - norms) < 1e-11 * norms)
        let strength = program.penalty.strength
        let expected = program.loss.value(Tensor(fitted.values, shape: program.y.shape), program.y) + strength * norms
        let found = network.objective(program.x, program.y, loss: program.loss, penalty: strength)
        #expect(abs(found - expected) < 1e-11 * expected)
    }

    @Test("Zero blocks give no units; the others know their pattern and group", arguments: GatedProgram.names)
    func zeroUnits(name: String) {
        let gated = GatedProgram(name, seed: 3)
        let layout = gated.program.layout
        var random = RandomSource(4)
        let v = gated.feasiblePoint(scale: 1, random: &random)
        let network = gated.program.network(v, gates: gated.gates)
        let kept = (0..<layout.columns).filter { $0 % 3 != 2 }
        #expect(network.units == kept.count)
        #expect(network.outputs == layout.outputs)
        #expect(network.unitPattern == kept.map { $0 / layout.columnsPerPattern })
        #expect(network.unitGroup == kept.map { $0 / gated.program.penalty.columnsPerGroup })
        #expect((network.gates != nil) == (layout.formulation == .gated))
        // Balanced: both layers carry the same norm.
        let inner = network.hidden.squared().sum(0).doubles()
        let outer = network.output.squared().sum(1).doubles()
        #expect(distance(inner, outer) < 1e-12)
    }

    @Test("A gated network predicts Fu for any u, and new rows by their gates")
    func gatedPredictions() {
        for name in GatedProgram.names where name.hasPrefix("gated") {
            let gated = GatedProgram(name, seed: 5)
            var random = RandomSource(6)
            let v = random.tensor([4, gated.program.layout.columns])
            let network = gated.program.network(v, gates: gated.gates)
            let fitted = DenseProgram(gated.program.maps).dataMatrix() * DenseProgram.flat(v)
            #expect(distance(network.predict(gated.program.x), fitted) < 1e-12)
            let fresh = random.tensor([10, 4])
            let mask = Tensor((Matrix(fresh) * Matrix(gated.gates)).values.map { UInt8($0 >= 0 ? 1 : 0) })
                .reshaped(10, gated.program.mask.shape[1])
            let maps = PatternOperator(
                x: fresh, mask: mask, layout: gated.program.layout, rowScale: Tensor.full([10], 1, dtype: .float64))
            let expected = DenseProgram(maps).dataMatrix() * DenseProgram.flat(v)
            #expect(distance(network.predict(fresh), expected) < 1e-12)
        }
    }

    @Test("ReLU predictions equal loops, whatever the number of rows")
    func reluPredictions() {
        var random = RandomSource(7)
        // So many units that a chunk holds 256 rows.
        let network = TwoLayerNetwork(hidden: random.tensor([2, 16_000]), output: random.tensor([16_000, 2]))
        let x = random.tensor([300, 2])
        let (w1, w2, rows) = (network.hidden.doubles(), network.output.doubles(), x.doubles())
        var expected = [Double](repeating: 0, count: 600)
        for j in 0..<300 {
            for k in 0..<16_000 {
                let h = max(0, rows[2 * j] * w1[k] + rows[2 * j + 1] * w1[16_000 + k])
                expected[2 * j] += h * w2[2 * k]
                expected[2 * j + 1] += h * w2[2 * k + 1]
            }
        }
        #expect(distance(network.predict(x).doubles(), expected) < 1e-11)
    }

    @Test("The zero solution is the empty network, which predicts zero")
    func empty() {
        let gated = GatedProgram("relu, three outputs", seed: 8)
        let network = gated.program.network(Tensor.zeros([4, gated.program.layout.columns], dtype: .float64))
        #expect(network.units == 0)
        #expect(network.predict(gated.program.x).doubles() == [Double](repeating: 0, count: 72))
        #expect(network.groupNorms().isEmpty)
    }

    @Test("Balancing keeps the function and equates the layers' norms")
    func balanced() {
        var random = RandomSource(9)
        let network = TwoLayerNetwork(hidden: random.tensor([5, 7], scale: 4), output: random.tensor([7, 3]))
        let balanced = network.balanced()
        let x = random.tensor([20, 5])
        #expect(distance(balanced.predict(x), network.predict(x)) < 1e-13)
        let (inner, outer) = (balanced.hidden.squared().sum(0).doubles(), balanced.output.squared().sum(1).doubles())
        #expect(distance(inner, outer) < 1e-13)
        let half = 0.5 * (inner.reduce(0, +) + outer.reduce(0, +))
        #expect(abs(half - network.groupNorms().reduce(0, +)) < 1e-11 * half)
    }

    @Test("A converged solution's network has the optimum as its objective", arguments: Oracle.all)
    func converged(oracle: Oracle) throws {
        let program = TestProgram(oracle, .relu)
        let admm = try program.solved(.fixed(), iterations: 4000)
        let found = program.network(admm.state.v)
            .objective(program.x, program.y, loss: program.loss, penalty: program.penalty.strength)
        #expect(abs(found - oracle.reluTotal) < 1e-5 * oracle.reluTotal)
    }
}

@Suite("Starting at a network")
struct StartTests {
    /// A random network with its own patterns: the shared-neuron program that it is feasible for.
    private func program(units: Int, outputs: Int, seed: UInt64) -> (TestProgram, TwoLayerNetwork, Tensor) {
        var random = RandomSource(seed)
        let x = random.tensor([30, 4])
        let y = random.tensor([30, outputs])
        let network = TwoLayerNetwork(hidden: random.tensor([4, units]), output: random.tensor([units, outputs]))
        let patterns = ActivationPatterns(x: x, gates: network.hidden)
        let output = network.output.gathering(patterns.kept)
        let norms = output.squared().sum(1).squareRoot()
        let kept = TwoLayerNetwork(hidden: patterns.gates, output: output)
        let program = TestProgram(
            x: x, y: y, mask: patterns.mask, formulation: .relu,
            coupling: .directions(output / norms.unsqueezed(1)), strength: 0.2)
        return (program, kept, patterns.gates * norms)
    }

    @Test("A network's own patterns make its weights feasible, with the same objective", arguments: [1, 3])
    func feasible(outputs: Int) throws {
        let (program, network, v) = program(units: 6, outputs: outputs, seed: 1)
        let admm = try program.solver(.fixed())
        admm.start(at: v)
        #expect(admm.state.w!.min().scalar >= -1e-12)
        #expect(distance(admm.state.fitted, network.predict(program.x)) < 1e-12)
        #expect(distance(admm.state.z, admm.state.fitted) == 0)
        let own = network.objective(program.x, program.y, loss: program.loss, penalty: program.penalty.strength)
        #expect(abs(program.objective(v) - own) < 1e-11 * own)
        let rebuilt = program.network(v).predict(program.x)
        #expect(distance(rebuilt, network.predict(program.x)) < 1e-12)
    }

    @Test("Solving from a network ends no worse than the network", arguments: [1, 3])
    func improves(outputs: Int) throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let (program, network, v) = program(units: 6, outputs: outputs, seed: seed)
            let own = network.objective(program.x, program.y, loss: program.loss, penalty: program.penalty.strength)
            let admm = try program.solver(.fixed())
            admm.start(at: v)
            for _ in 0..<1000 { _ = admm.step() }
            let rebuilt = program.network(admm.state.v)
                .objective(program.x, program.y, loss: program.loss, penalty: program.penalty.strength)
            #expect(program.objective(admm.state.v) <= own)
            #expect(rebuilt <= own)
        }
    }

    @Test("A start changes the way, not the optimum")
    func sameOptimum() throws {
        let oracle = Oracle.binary
        let gated = GatedProgram(oracle, .relu)
        var random = RandomSource(2)
        let admm = try gated.program.solver(.fixed())
        admm.start(at: gated.feasiblePoint(scale: 1, random: &random))
        for _ in 0..<5000 { _ = admm.step() }
        let found = gated.program.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu))
        #expect(found.isEmpty)
    }

    @Test("The multipliers of a start are those of an optimal point", arguments: GatedProgram.names)
    func multipliers(name: String) throws {
        let gated = GatedProgram(name, seed: 3)
        let program = gated.program
        var random = RandomSource(4)
        var settings = ADMMSettings.fixed(rho: 0.7)
        settings.blockWeight = 1.3
        let admm = try program.solver(settings)
        let v = gated.feasiblePoint(scale: 1, random: &random)
        admm.start(at: v)
        // Both proximal steps must leave the start where it is: groups with a norm and the fitted values.
        let block = program.penalty.prox(v + admm.state.lambda, step: 1 / (0.7 * 1.3))
        #expect(distance(block, v) < 1e-12)
        let fit = program.loss.prox(admm.state.z + admm.state.mu, program.y, step: 1 / 0.7)
        #expect(distance(fit, admm.state.z) < 1e-12)
    }
}
