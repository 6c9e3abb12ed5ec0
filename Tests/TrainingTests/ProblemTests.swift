import Datasets
import Foundation
import Interchange
import Networks
import Optimizers
import RunLog
import Settings
import TestSupport
import Testing
import Torch

@testable import Training

/// Pairs of arrays whose batches are made by their numbers, and a loss that calls the network twice: rows that are near
/// shall have near outputs, the mean output shall be one.
private struct Pairs: Problem {
    var rows: Int? { nil }
    var batchesPerEpoch = 5
    var fingerprint = "pairs"
    var scored = false
    var failsAt = Int.max

    struct Batch {
        var near: Tensor
        var far: Tensor
        var number: Int
    }

    func batch(_ number: Int) throws -> Batch {
        var random = RandomSource(UInt64(number))
        return Batch(
            near: random.tensor([6, 3], dtype: .float32), far: random.tensor([6, 3], dtype: .float32), number: number)
    }

    struct Failure: Error, CustomStringConvertible { var description = "this problem has no loss" }

    func loss(_ batch: Batch, _ forward: (Tensor) -> Tensor) throws -> Tensor {
        guard batch.number < failsAt else { throw Failure() }
        let (a, b) = (forward(batch.near), forward(batch.far))
        let distance = (batch.near - batch.far).squared().sum(1, keepingRank: true)
        return ((a - b).squared().sum(1, keepingRank: true) - distance).squared().sum() * (1 / 6)
    }

    func scores(_ network: Network) -> Scores {
        guard scored else { return Scores() }
        return Scores(validation: -network(Tensor.full([1, 3], 1, dtype: .float32)).squareSum)
    }
}

/// A layer of our own, which no catalogue knows.
private struct Scaled: Module {
    let linear = Linear(3, 4)

    func declare(_ declaration: inout Declaration) {
        declaration.part("linear", linear)
        declaration.parameter("scale", [4], .constant(1))
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        linear(x, scope.part("linear")) * scope["scale"]
    }
}

/// AdaHessian's idea (Yao et al. 2021): a gradient divided by an average of the Hessian's diagonal.
private struct Hutchinson: CurvatureOptimizer {
    static let name = "hutchinson"
    static let summary = "for a test"
    static let citation = "Yao et al., AAAI 2021"
    static let settings: [Setting<Self>] = [.lr]
    var lr = 0.01

    func step(
        _ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState, products: HessianProducts
    ) throws {
        state.begin(parameters, gradients)
        // Anew from its fifth step on: a state may draw later than the first steps show.
        let isLate = state.step >= 5
        let signs = parameters.map { Tensor.full($0.shape, 1) }
        let drawn =
            isLate
            ? state.draw { random in
                parameters.map { p in
                    Tensor((0..<p.count).map { _ in random.uniform() < 0.5 ? Float(-1) : 1 }, shape: p.shape)
                }
            } : signs
        for (index, product) in try products(drawn).enumerated() {
            let last = state.slots[index].take("diagonal", Tensor.zeros(like: parameters[index]))
            let diagonal = last * 0.9 + (product * drawn[index]).absolute() * 0.1
            parameters[index] = parameters[index] - gradients[index] / (diagonal + 10) * lr
            state.slots[index].tensors["diagonal"] = diagonal
        }
    }
}

@Suite("A module and a problem of one's own")
struct ProblemTests {
    private func trainer(_ problem: Pairs = Pairs(), epochs: Double = 4) -> Trainer<Pairs> {
        var optimizer = AdamW()
        optimizer.lr = 0.01
        var rule = UpdateRule(optimizer)
        rule.before = [ClipNorm()]
        rule.after = [ExponentialAverage()]
        var trainer = Trainer(
            module: Sequential(Scaled(), Dropout(0.2), Linear(4, 2)), problem: problem, rule: rule,
            schedule: CosineSchedule())
        trainer.epochs = epochs
        trainer.seed = 3
        return trainer
    }

    private func run(
        _ trainer: Trainer<Pairs>, from checkpoint: String? = nil,
        observe: (RunEvent<Network>) -> Directive = { _ in .proceed }
    ) throws -> (network: Network, report: TrainingReport) {
        try Engine.exclusively { try trainer.run(resumingFrom: checkpoint, observe: observe) }
    }

    @Test("Are trained as those of the catalogues are: epochs, evaluations, history, a falling loss")
    func trains() throws {
        let (network, report) = try run(trainer(epochs: 40))
        #expect(report.steps == 200 && report.history.count == 41 && report.termination == "completed")
        #expect(report.method == "adamw" && report.settings == nil && report.dataHash == "pairs")
        let losses = report.history.compactMap(\.trainLoss)
        #expect(losses[39] < 0.3 * losses[0])
        // The loss at the end is that of the network that came out, without dropout.
        var sum = 0.0
        for number in 0..<5 {
            let batch = try Pairs().batch(number)
            sum += try Pairs().loss(batch) { network($0) }.scalar / 5
        }
        #expect(abs(sum - report.trainLoss!) < 1e-6 * sum)
    }

    @Test("A run that is resumed from any step has the same bits")
    func resumes() throws {
        let whole = try run(trainer())
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        for stop in [1, 7, 19] {
            let cut = try run(trainer()) { event in
                guard event.position >= stop else { return .proceed }
                try? event.writeCheckpoint?(path)
                return .stop
            }
            #expect(cut.report.termination == "cancelled" && cut.report.steps == stop)
            let resumed = try run(trainer(), from: path)
            #expect(resumed.network.parameters.bits == whole.network.parameters.bits, "\(stop)")
            #expect(resumed.report.history.map(\.trainLoss) == whole.report.history.map(\.trainLoss))
        }
        // A checkpoint of another problem, module, rule, schedule or seed is another run's.
        var others = [trainer(), trainer(), trainer(), trainer(), trainer()]
        others[0].problem.fingerprint = "other pairs"
        others[1].rule.before = []
        others[2].schedule = ConstantSchedule()
        others[3].seed = 4
        others[4].epochs = 5
        for other in others { #expect(fault { _ = try run(other, from: path) }.contains("is a checkpoint of")) }
        var longer = trainer()
        longer.timeLimit = 1e6
        #expect(throws: Never.self) { try run(longer, from: path) }
    }

    @Test("Scores decide on patience, the time limit ends a run, and a frozen parameter stays")
    func limits() throws {
        var patient = trainer(Pairs(scored: true), epochs: 100)
        patient.patience = 2
        let report = try run(patient).report
        #expect(report.termination == "validationStalled" && report.validationScore != nil)
        var short = trainer(epochs: 1e6)
        short.timeLimit = 0.05
        #expect(try run(short).report.termination == "timeLimit")
        var partial = trainer()
        partial.trained = ["0.scale"]
        let start = Network(partial.module, seed: 3)
        let network = try run(partial).network
        #expect(network.parameters["0.scale"]!.doubles() != start.parameters["0.scale"]!.doubles())
        #expect(network.parameters["2.weight"]!.doubles() == start.parameters["2.weight"]!.doubles())
    }

    @Test("What a module declares frozen keeps its value, with every kind of optimizer", arguments: ["adamw", "lbfgs"])
    func frozen(name: String) throws {
        struct Offset: Module {
            func declare(_ declaration: inout Declaration) {
                declaration.parameter("center", [3], .constant(0.5), isFrozen: true)
            }
            func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { x - scope["center"] }
        }
        var trainer = Trainer(
            module: Sequential(Offset(), Linear(3, 2)), problem: Pairs(),
            rule: UpdateRule(try OptimizerCatalogue.make(name)))
        trainer.epochs = 1
        let network = try run(trainer).network
        #expect(network.parameters["0.center"]!.doubles() == [0.5, 0.5, 0.5])
        #expect(network.parameters["1.weight"]!.doubles() != Network(trainer.module).parameters["1.weight"]!.doubles())
    }

    /// A linear map whose rows are orthonormal.
    private struct Rotation: Module {
        func declare(_ declaration: inout Declaration) {
            declaration.parameter(
                "weight", [2, 3], .normal(standardDeviation: 1),
                ParameterAttributes(manifold: NamedSettings("stiefel")))
        }
        func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor { x.times(scope["weight"].transposed()) }
    }

    @Test("What a module declares to be on a manifold is there at the start, stays, and resumes to the same bits")
    func manifold() throws {
        var trainer = Trainer(
            module: Sequential(Linear(3, 3), Rotation()), problem: Pairs(),
            rule: UpdateRule(try OptimizerCatalogue.make("adamw")))
        trainer.rule.after = [ExponentialAverage()]
        trainer.epochs = 4
        func isOrthonormal(_ network: Network) -> Bool {
            let w = network.parameters["1.weight"]!
            return (w.times(w.transposed()) - Tensor.identity(2)).absolute().max().scalar < 1e-5
        }
        let scratch = try Scratch()
        var points = 0
        let whole = try run(trainer) { event in
            if let network = try? event.result?() {
                points += 1
                #expect(isOrthonormal(network))
            }
            if event.position == 3 { try? event.writeCheckpoint?(scratch.path("c")) }
            return .proceed
        }.network
        #expect(points > 10 && isOrthonormal(whole))
        let first = try trainer.network()
        #expect(
            isOrthonormal(first) && first.parameters["1.weight"]!.doubles() != whole.parameters["1.weight"]!.doubles())
        #expect(try run(trainer, from: scratch.path("c")).network.parameters.bits == whole.parameters.bits)
    }

    @Test("An optimizer of one's own asks for curvature and draws, and resumes to the same bits")
    func curvature() throws {
        func made() -> Trainer<Pairs> {
            var trainer = trainer()
            trainer.rule = UpdateRule(Hutchinson())
            trainer.accumulation = 2
            return trainer
        }
        let whole = try run(made())
        let start = try Pairs().trainingScores(Network(made().module, seed: 3)).loss
        #expect(whole.report.trainLoss! < start)
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        _ = try run(made()) { event in
            guard event.position >= 14 else { return .proceed }
            try? event.writeCheckpoint?(path)
            return .stop
        }
        #expect(try run(made(), from: path).network.parameters.bits == whole.network.parameters.bits)
        var mixed = made()
        mixed.precision = .mixed
        #expect(fault { _ = try run(mixed) }.contains("asks for products of the Hessian"))
    }

    @Test("Products of the Hessian are the differences of gradients")
    func products() throws {
        let network = Network(Sequential(Linear(3, 4), Activation.tanh, Linear(4, 2)), seed: 2, dtype: .float64)
        var random = RandomSource(3)
        let x = random.tensor([5, 3], dtype: .float64)
        let vectors = network.parameters.values.map { random.tensor($0.shape, dtype: .float64) }
        let loss = { (forward: (Tensor) -> Tensor) in forward(x).squared().squared().sum() }
        let found = try network.hessianVectorProducts(vectors, loss: loss)
        func gradients(_ step: Double) throws -> [Tensor] {
            var moved = network
            moved.parameters.values = zip(network.parameters.values, vectors).map { $0.adding($1, scaledBy: step) }
            return try moved.lossAndGradients(loss: loss).gradients
        }
        for (product, pair) in zip(found, zip(try gradients(1e-6), try gradients(-1e-6))) {
            let difference = (pair.0 - pair.1) * 5e5
            #expect((product - difference).norm < 1e-6 * max(1, product.norm))
        }
    }

    @Test("Errors of the problem reach the caller, and settings out of range are refused by their names")
    func errors() throws {
        #expect(fault { _ = try run(trainer(Pairs(failsAt: 3))) } == "this problem has no loss")
        var wrong = trainer()
        wrong.epochs = .nan
        #expect(fault { _ = try run(wrong) }.hasPrefix("epochs: is nan"))
        var optimizer = AdamW()
        optimizer.lr = -1
        wrong = trainer()
        wrong.rule = UpdateRule(optimizer)
        #expect(fault { _ = try run(wrong) }.hasPrefix("adamw: lr is -1"))
        wrong = trainer()
        wrong.trained = ["0.scal"]
        #expect(fault { _ = try run(wrong) }.contains("did you mean '0.scale'?"))
        wrong = trainer(Pairs(batchesPerEpoch: 0))
        #expect(fault { _ = try run(wrong) }.hasPrefix("batchesPerEpoch: is 0"))
        wrong = trainer()
        optimizer.lr = 1e30
        wrong.rule = UpdateRule(optimizer)
        #expect(fault { _ = try run(wrong) }.contains("no number"))
    }

    @Test("Features that stay in a mapped file give the same bits as those in memory", arguments: ["none", "convex"])
    func mapped(head: String) throws {
        let data = try made("spirals")
        let scratch = try Scratch()
        func inFile(_ set: Dataset, _ name: String) throws -> Dataset {
            let path = scratch.path(name)
            try set.features.to(.float32).withBytes { Data($0) }.write(to: URL(filePath: path))
            var copy = set
            copy.features = try Tensor(mapping: path, offset: 0, shape: set.features.shape, dtype: .float32)
            return copy
        }
        var held = data
        held.train.features = data.train.features.to(.float32)
        held.test?.features = data.test!.features.to(.float32)
        var lying = data
        lying.train = try inFile(data.train, "train")
        lying.test = try inFile(data.test!, "test")
        #expect(lying.train.features.isMapped)
        var settings = TrainingSettings.small(epochs: 2)
        if head == "convex" {
            settings.head = ConvexHead()
            settings.head?.units = 8
            settings.head?.iterations = 20
        }
        let (a, b) = (try trained(settings, held), try trained(settings, lying))
        #expect(a.model.network.parameters.bits == b.model.network.parameters.bits)
        #expect(a.report.testScore == b.report.testScore && a.report.trainLoss == b.report.trainLoss)
    }

    @Test("Objects train as their names do, bit for bit")
    func names() throws {
        let data = try made("spirals")
        var settings = TrainingSettings.small(epochs: 2)
        settings.schedule = "cosine"
        settings.validation = 0.1
        let named = try trained(settings, data)
        let problem = try SupervisedProblem(data, batch: 64, validation: 0.1, seed: 5)
        var layers = MLP()
        layers.hidden = [16, 16]
        let module = try layers.network(input: problem.input, outputs: problem.outputs)
        let rule = UpdateRule(try OptimizerCatalogue.make("adamw", settings: settings.optimizerSettings))
        var trainer = Trainer(module: module, problem: problem, rule: rule, schedule: CosineSchedule())
        (trainer.epochs, trainer.seed) = (2, 5)
        let (network, report) = try Engine.exclusively { try trainer.run() }
        // What makes batches and rows is part of the run.
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        _ = try Engine.exclusively {
            try trainer.run { event in
                try? event.writeCheckpoint?(path)
                return event.position < 3 ? .proceed : .stop
            }
        }
        for other in [
            try SupervisedProblem(data, batch: 32, validation: 0.1, seed: 5),
            try SupervisedProblem(data, batch: 64, seed: 5),
            try SupervisedProblem(data, batch: 64, validation: 0.1, seed: 6),
        ] {
            var changed = trainer
            changed.problem = other
            #expect(
                fault { _ = try Engine.exclusively { try changed.run(resumingFrom: path) } }.contains("other settings"))
        }
        trainer.precision = .float64
        #expect(fault { _ = try trainer.run() }.contains("is made for float32"))
        for (size, share) in [(0, 0.1), (64, 1.5), (.max, 0), (64, -.infinity)] {
            #expect(throws: SettingError.self) { try SupervisedProblem(data, batch: size, validation: share) }
        }
        #expect(network.parameters.bits == named.model.network.parameters.bits)
        #expect(report.testScore == named.report.testScore && report.trainLoss == named.report.trainLoss)
        #expect(report.rows == named.report.rows && report.bestScore == named.report.bestScore)
    }
}
