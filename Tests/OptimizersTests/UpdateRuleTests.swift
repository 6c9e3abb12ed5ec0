import Settings
import Testing
import Torch

@testable import Optimizers

@Suite("What is around an optimizer")
struct UpdateRuleTests {
    /// `f = ½ Σ aᵢ (xᵢ − 1)²` over two tensors.
    private static let scales = [Tensor([1.0, 4.0]), Tensor([0.5])]
    private static let start = [Tensor([3.0, -2.0]), Tensor([5.0])]

    private static func evaluate(_ x: [Tensor]) -> (loss: Double, gradients: [Tensor]) {
        let gradients = zip(x, scales).map { ($0 - 1.0) * $1 }
        return (zip(x, gradients).reduce(0) { $0 + 0.5 * ($1.0 - 1.0).dot($1.1) }, gradients)
    }

    private func run(_ rule: UpdateRule, steps: Int = 12) throws -> (parameters: [Tensor], evaluated: [Tensor]) {
        var parameters = Self.start
        var state = rule.initialState(try rule.assignment(["a.weight", "b.bias"], [[2], [1]]))
        for _ in 0..<steps { _ = try rule.step(&parameters, state: &state, rate: { $0 }) { Self.evaluate($0) } }
        return (parameters, rule.evaluationParameters(parameters, state: state))
    }

    private func numbers(_ tensors: [Tensor]) -> [Double] { tensors.flatMap { $0.doubles() } }

    private func descent(_ lr: Double, momentum: Double = 0) throws -> any Optimizer {
        try OptimizerCatalogue.make("sgd", settings: ["lr": .number(lr), "momentum": .number(momentum)])
    }

    /// `p −= lr g / ĥ`, where `ĥ = z ⊙ Hz` for random signs z: the Hessian's diagonal where it is diagonal.
    private struct Diagonal: CurvatureOptimizer, InformedOptimizer {
        static let name = "diagonal"
        static let summary = "for a test"
        static let citation = "none"
        static let settings: [Setting<Self>] = [.lr]
        var lr = 1.0
        var names: [String] = []
        func informed(of parameters: [ParameterInfo]) -> Diagonal {
            var copy = self
            copy.names = parameters.map(\.name)
            return copy
        }

        func step(
            _ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState, products: HessianProducts
        ) throws {
            state.begin(parameters, gradients)
            let signs = state.draw { random in
                parameters.map { p in
                    Tensor((0..<p.count).map { _ in random.uniform() < 0.5 ? -1.0 : 1 }, shape: p.shape)
                }
            }
            for (index, product) in try products(signs).enumerated() {
                // A bias moves half as far.
                let share = names[index].hasSuffix("bias") ? 0.5 : 1
                parameters[index] = parameters[index] - gradients[index] / (product * signs[index]) * (lr * share)
            }
        }
    }

    @Test("An optimizer may ask for products of the Hessian, know its parameters, and draw from its state's generator")
    func curvature() throws {
        let shapes = [[2], [1]]
        var weights = ParameterGroup("weights", try descent(0)) { name, _ in name == "a.weight" }
        let own = ParameterGroup("own", Diagonal()) { name, _ in name != "a.weight" }
        let infos = [ParameterInfo(name: "a.weight", shape: [2]), ParameterInfo(name: "b.bias", shape: [1])]
        let products = { (_: [Tensor], vectors: [Tensor]) in zip(vectors, Self.scales).map { $0 * $1 } }
        func stepped(_ rule: UpdateRule) throws -> ([Tensor], UpdateRule.State) {
            let assignment = try rule.assignment(infos.map(\.name), shapes)
            var (parameters, state) = (Self.start, rule.initialState(assignment, seed: 4))
            _ = try rule.informed(of: infos, assignment: assignment).step(
                &parameters, state: &state, rate: { $0 }, products: products
            ) { Self.evaluate($0) }
            return (parameters, state)
        }
        // Newton's step of a quadratic ends in its minimum, half of it half way; the other group stays.
        let (parameters, state) = try stepped(UpdateRule(Diagonal()))
        #expect(numbers(parameters) == [1, 1, 3])
        #expect(numbers(try stepped(UpdateRule(groups: [weights, own])).0) == [3, -2, 3])
        weights.optimizer = Diagonal()
        #expect(numbers(try stepped(UpdateRule(groups: [weights, own])).0) == [1, 1, 3])
        // Every group's products are taken where the step started.
        var places: [[Double]] = []
        let rule2 = UpdateRule(groups: [weights, own])
        let assignment = try rule2.assignment(infos.map(\.name), shapes)
        var (moved, state2) = (Self.start, rule2.initialState(assignment))
        _ = try rule2.informed(of: infos, assignment: assignment).step(
            &moved, state: &state2, rate: { $0 },
            products: { at, vectors in
                places.append(at.flatMap { $0.doubles() })
                return zip(vectors, Self.scales).map { $0 * $1 }
            }
        ) { Self.evaluate($0) }
        #expect(places == [numbers(Self.start), numbers(Self.start)])
        // The generator goes on where it was, and is none of the engine's.
        var (copy, other) = (state.optimizers[0], OptimizerState())
        let drawn = copy.draw { [$0.next(), $0.next()] }
        var again = state.optimizers[0]
        #expect(again.draw { $0.next() } == drawn[0] && again.draw { $0.next() } == drawn[1])
        other.seed = 5
        #expect(other.draw { $0.next() } != OptimizerState().seed)
        let rule = UpdateRule(Diagonal())
        var (point, fresh) = (Self.start, rule.initialState([[0, 1]]))
        #expect(throws: GroupError.self) {
            try rule.informed(of: infos, assignment: [[0, 1]]).step(&point, state: &fresh, rate: { $0 }) {
                Self.evaluate($0)
            }
        }
    }

    @Test("Lookahead with share 1 is the optimizer itself")
    func wholeWay() throws {
        var rule = UpdateRule(try descent(0.1))
        let plain = numbers(try run(rule).parameters)
        var lookahead = Lookahead()
        lookahead.alpha = 1
        rule.after = [lookahead]
        #expect(zip(numbers(try run(rule).parameters), plain).allSatisfy { abs($0 - $1) < 1e-14 })
    }

    @Test("An average leaves the steps alone, and the last one of a chain is evaluated")
    func average() throws {
        var rule = UpdateRule(try descent(0.1))
        let plain = numbers(try run(rule).parameters)
        var (slow, quick) = (ExponentialAverage(), ExponentialAverage())
        (slow.decay, quick.decay) = (0.9, 0.5)
        rule.after = [slow]
        let (parameters, first) = try run(rule)
        #expect(numbers(parameters) == plain && numbers(first) != plain)
        rule.after = [quick, slow]
        #expect(numbers(try run(rule).evaluated) == numbers(first))
        rule.after = [slow, quick]
        #expect(numbers(try run(rule).evaluated) != numbers(first))
    }

    @Test("What is around a group leaves the others alone; around all groups it sees all")
    func aroundGroups() throws {
        func rule(_ change: (inout ParameterGroup) -> Void) throws -> UpdateRule {
            var weights = ParameterGroup("weights", try descent(0.1)) { name, _ in name.hasSuffix("weight") }
            change(&weights)
            let biases = ParameterGroup("biases", try descent(0.1)) { name, _ in name.hasSuffix("bias") }
            return UpdateRule(groups: [weights, biases])
        }
        let plain = numbers(try run(try rule { _ in }).evaluated)
        let cut = numbers(try run(try rule { $0.before = [ClipNorm()] }).evaluated)
        #expect(cut[0] != plain[0] && cut[2] == plain[2])
        let averaged = try run(try rule { $0.after = [ExponentialAverage()] })
        #expect(numbers(averaged.parameters) == plain)
        #expect(numbers(averaged.evaluated)[0] != plain[0] && numbers(averaged.evaluated)[2] == plain[2])
        // The ball of a group's own sharpness lies in its own coordinates.
        var sharp = SharpnessAware()
        sharp.rho = 0.5
        let found = numbers(try run(try rule { $0.before = [sharp] }, steps: 1).parameters)
        let norm = (4.0 + 144).squareRoot()
        #expect(abs(found[0] - (3 - 0.1 * (2 + 0.5 * 2 / norm))) < 1e-12 && found[2] == 5 - 0.1 * 0.5 * 4)
    }

    @Test("A gradient from elsewhere that is no number changes nothing")
    func nonFiniteElsewhere() throws {
        var rule = UpdateRule(try descent(0.1, momentum: 0.9))
        rule.before = [WeightDecay(), SharpnessAware()]
        rule.after = [Lookahead()]
        var parameters = Self.start
        var state = rule.initialState(try rule.assignment(["a", "b"], [[2], [1]]))
        var calls = 0
        let outcome = try rule.step(&parameters, state: &state, rate: { $0 }) { x in
            calls += 1
            return calls == 1 ? Self.evaluate(x) : (.nan, x.map { $0 * .nan })
        }
        #expect(outcome == nil && calls == 2 && numbers(parameters) == [3, -2, 5])
        #expect(state.parts.allSatisfy { $0.step == 0 })
    }

    @Test("An error of the function reaches the caller, also from within a line search")
    func errors() throws {
        struct Stopped: Error {}
        for name in ["sgd", "lbfgs"] {
            let rule = UpdateRule(try OptimizerCatalogue.make(name))
            var (parameters, calls) = (Self.start, 0)
            var state = rule.initialState(try rule.assignment(["a", "b"], [[2], [1]]))
            #expect(throws: Stopped.self, "\(name)") {
                for _ in 0..<3 {
                    _ = try rule.step(&parameters, state: &state, rate: { $0 }) { x in
                        calls += 1
                        if calls > 2 { throw Stopped() }
                        return Self.evaluate(x)
                    }
                }
            }
        }
    }

    @Test("Nothing stands before an optimizer that evaluates the loss itself, and nothing beside it")
    func alone() throws {
        let closure = ParameterGroup("all", LBFGS()) { _, _ in true }
        var bounded = closure
        bounded.before = [ClipNorm()]
        var rule = UpdateRule(LBFGS())
        rule.before = [ClipNorm()]
        for broken in [rule, UpdateRule(groups: [bounded]), UpdateRule(groups: [closure, closure])] {
            #expect(broken.fault?.subject == "lbfgs")
            #expect(throws: GroupError.self) { try broken.assignment(["a"], [[2]]) }
        }
    }

    @Test("L-BFGS evaluates its start once")
    func once() throws {
        var optimizer = LBFGS()
        (optimizer.maxIter, optimizer.lineSearchFn) = (1, "none")
        let rule = UpdateRule(optimizer)
        var (parameters, calls) = (Self.start, 0)
        var state = rule.initialState(try rule.assignment(["a", "b"], [[2], [1]]))
        _ = try rule.step(&parameters, state: &state, rate: { $0 }) { x in
            calls += 1
            return Self.evaluate(x)
        }
        #expect(calls == 1)
    }

    @Test("Groups step with their own optimizers; every parameter belongs to exactly one")
    func groups() throws {
        let weights = ParameterGroup("weights", try descent(0.1)) { name, _ in name.hasSuffix("weight") }
        let biases = ParameterGroup("biases", try descent(0)) { name, _ in name.hasSuffix("bias") }
        let found = numbers(try run(UpdateRule(groups: [weights, biases]), steps: 1).parameters)
        #expect(found[0] == 3 - 0.1 * 2 && found[2] == 5)
        let every = ParameterGroup("every", try descent(1)) { _, _ in true }
        #expect(throws: GroupError.self) { try UpdateRule(groups: [weights, every]).assignment(["a.weight"], [[2]]) }
        let text = #expect(throws: GroupError.self) { try UpdateRule(groups: [weights]).assignment(["b.bias"], [[1]]) }
        #expect(text?.description.contains("'b.bias' belongs to no group") == true)
    }

    @Test("A loss that is no number changes nothing")
    func nonFinite() throws {
        let rule = UpdateRule(try descent(0.1, momentum: 0.9))
        var parameters = Self.start
        var state = rule.initialState(try rule.assignment(["a", "b"], [[2], [1]]))
        let outcome = try rule.step(&parameters, state: &state, rate: { $0 }) { x in
            (.nan, x.map { Tensor.zeros(like: $0) })
        }
        #expect(outcome == nil && state.step == 0 && numbers(parameters) == [3, -2, 5])
    }

    @Test("Every optimizer of the catalogue lowers the loss under a rule")
    func catalogue() throws {
        for type in OptimizerCatalogue.all {
            var optimizer = type.init()
            if !(type is any RateFindingOptimizer.Type) { optimizer.lr = 0.05 }
            let found = try run(UpdateRule(optimizer), steps: 60).evaluated
            #expect(Self.evaluate(found).loss < Self.evaluate(Self.start).loss, "\(type.name)")
        }
    }
}
