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
        var state = UpdateRule.State(assignment: try rule.assignment(["a.weight", "b.bias"], [[2], [1]]))
        for _ in 0..<steps { _ = try rule.step(&parameters, state: &state, rate: { $0 }) { Self.evaluate($0) } }
        return (parameters, rule.evaluationParameters(parameters, state: state))
    }

    private func numbers(_ tensors: [Tensor]) -> [Double] { tensors.flatMap { $0.doubles() } }

    private func descent(_ lr: Double, momentum: Double = 0) throws -> any Optimizer {
        try OptimizerCatalogue.make("sgd", settings: ["lr": .number(lr), "momentum": .number(momentum)])
    }

    @Test("Clipping by norm scales all gradients together; by value it cuts each element")
    func clipping() {
        var gradients = [Tensor([3.0, 0.0]), Tensor([4.0])]
        #expect(Clipping.norm(1).apply(&gradients) == 5)
        let expected = [3.0, 0, 4].map { $0 / (5 + 1e-6) }
        #expect(zip(numbers(gradients), expected).allSatisfy { abs($0 - $1) < 1e-15 })
        gradients = [Tensor([3.0, -0.5]), Tensor([-4.0])]
        Clipping.value(2).apply(&gradients)
        #expect(numbers(gradients) == [2, -0.5, -2])
        gradients = [Tensor([0.3])]
        Clipping.norm(1).apply(&gradients)
        #expect(numbers(gradients) == [0.3])
    }

    @Test("Lookahead follows a loop over plain numbers; with share 1 it is the optimizer itself")
    func lookahead() throws {
        var rule = UpdateRule(try descent(0.1))
        let plain = numbers(try run(rule).parameters)
        rule.lookahead = Lookahead()
        rule.lookahead?.share = 1
        #expect(zip(numbers(try run(rule).parameters), plain).allSatisfy { abs($0 - $1) < 1e-14 })
        rule.lookahead = Lookahead()
        let found = numbers(try run(rule).parameters)
        let (a, x0) = ([1.0, 4, 0.5], [3.0, -2, 5])
        for i in 0..<3 {
            var (fast, slow) = (x0[i], x0[i])
            for step in 1...12 {
                fast -= 0.1 * a[i] * (fast - 1)
                if step % 5 == 0 {
                    slow += 0.5 * (fast - slow)
                    fast = slow
                }
            }
            #expect(abs(found[i] - fast) < 1e-14)
        }
    }

    @Test("The exponential average follows a loop over plain numbers, and leaves the steps alone")
    func average() throws {
        var rule = UpdateRule(try descent(0.1))
        let plain = numbers(try run(rule).parameters)
        rule.averageDecay = 0.9
        let (parameters, evaluated) = try run(rule)
        #expect(numbers(parameters) == plain)
        var (x, mean) = (3.0, 0.0)
        for step in 0..<12 {
            x -= 0.1 * (x - 1)
            mean = step == 0 ? x : 0.9 * mean + 0.1 * x
        }
        #expect(abs(numbers(evaluated)[0] - mean) < 1e-14)
    }

    @Test("Sharpness-aware steps take the gradient at the ascended point")
    func sharpness() throws {
        var rule = UpdateRule(try descent(0.1))
        rule.sharpnessRadius = 0.5
        let found = numbers(try run(rule, steps: 1).parameters)
        let (a, x) = ([1.0, 4, 0.5], [3.0, -2, 5])
        let g = zip(a, x).map { $0 * ($1 - 1) }
        let norm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for i in 0..<3 {
            let ascended = x[i] + 0.5 * g[i] / (norm + 1e-12)
            #expect(abs(found[i] - (x[i] - 0.1 * a[i] * (ascended - 1))) < 1e-14)
        }
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
        var state = UpdateRule.State(assignment: try rule.assignment(["a", "b"], [[2], [1]]))
        let outcome = try rule.step(&parameters, state: &state, rate: { $0 }) { x in
            (.nan, x.map { Tensor.zeros(like: $0) })
        }
        #expect(outcome == nil && state.step == 0 && numbers(parameters) == [3, -2, 5])
    }

    @Test("Every optimizer of the catalogue lowers the loss under a rule")
    func catalogue() throws {
        for type in OptimizerCatalogue.all {
            var optimizer = type.init()
            if !type.hyperparameters.contains(where: { $0.name == "d0" }) { optimizer.lr = 0.05 }
            let found = try run(UpdateRule(optimizer), steps: 60).evaluated
            #expect(Self.evaluate(found).loss < Self.evaluate(Self.start).loss, "\(type.name)")
        }
    }
}
