import Foundation
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import Optimizers

/// Logistic regression with a group lasso, whose optimum is found by the full gradient.
struct LogisticProblem {
    static let rows = 2000
    static let batch = 32
    let x: Tensor
    let y: Tensor
    let penalty: GroupLassoPenalty
    /// The minimiser, 5 × 40, a column for each group.
    let optimum: Tensor

    init(seed: UInt64) {
        var random = RandomSource(seed)
        let features = random.tensor([Self.rows, 200])
        var truth = [Double](repeating: 0, count: 200)
        for group in [3, 8, 21, 30, 36] { for k in 0..<5 { truth[40 * k + group] = random.normal() } }
        let logits = features.times(Tensor(truth, shape: [200, 1])).reshaped(-1)
        let noise = random.tensor([Self.rows], scale: 1.5)
        (x, y) = (features, (logits + noise).isAbove(0).to(.float64))
        var penalty = GroupLassoPenalty()
        penalty.strength = 0.02
        self.penalty = penalty
        let problem = (x, y)
        // Proximal gradients with momentum and restarts; the curvature is at most a quarter of the Gram matrix's.
        let curvature = 0.25 * (Self.largestSquare(x) / Double(Self.rows))
        var (w, v, t) = (Tensor.zeros([5, 40], dtype: .float64), Tensor.zeros([5, 40], dtype: .float64), 1.0)
        for _ in 0..<3000 {
            let next = penalty.prox(v - Self.gradient(v, problem.0, problem.1) / curvature, step: 1 / curvature)
            let move = next - w
            let following = (1 + (1 + 4 * t * t).squareRoot()) / 2
            (v, t) =
                (v - next).dot(move) > 0 ? (next, 1) : (next.adding(move, scaledBy: (t - 1) / following), following)
            w = next
            if move.norm < 1e-14 { break }
        }
        optimum = w
    }

    private static func largestSquare(_ x: Tensor) -> Double {
        (try? x.transposedTimes(x).symmetricEigen().values.max().scalar) ?? .nan
    }

    static func gradient(_ w: Tensor, _ x: Tensor, _ y: Tensor) -> Tensor {
        let residual = x.times(w.reshaped(200, 1)).reshaped(-1).sigmoid() - y
        return (x.transposedTimes(residual.reshaped(-1, 1)) / Double(x.shape[0])).reshaped(5, 40)
    }

    func gradient(_ w: Tensor) -> Tensor { Self.gradient(w, x, y) }

    func objective(_ w: Tensor) -> Double {
        let z = x.times(w.reshaped(200, 1)).reshaped(-1)
        let losses = (z.absolute() * -1).exp().log1p() + z.relu() - z * y
        return losses.sumInDouble() / Double(Self.rows) + penalty.value(w)
    }

    /// Groups that are not zero.
    func support(_ w: Tensor) -> [Bool] { penalty.grouping.isActive(w) }

    /// Distance of the gradient from the point where the nearest zero group would come in: strict complementarity.
    var margin: Double {
        let norms = penalty.grouping.norms(gradient(optimum)).doubles()
        let threshold = penalty.strength * 5.0.squareRoot()
        return zip(norms, support(optimum)).filter { !$0.1 }.map { (threshold - $0.0) / threshold }.min() ?? 0
    }
}

/// What a stochastic run did.
struct IdentificationRun {
    /// Step from which on the support was that of the optimum; nil where it was not at the end.
    var lockedFrom: Int?
    /// Changes of the support in the second half.
    var changes = 0
    var last: Tensor
    var state: OptimizerState

    static let steps = 6200

    init(_ optimizer: any ProximalOptimizer, _ problem: LogisticProblem, seed: UInt64) throws {
        var rule = UpdateRule(optimizer)
        rule.groups[0].regularisation = Regularisation(problem.penalty)
        var parameters = [Tensor.zeros([5, 40], dtype: .float64)]
        var state = rule.initialState([[0]])
        var random = RandomSource(seed)
        let starts = [Self.steps / 2, Self.steps * 3 / 4]
        let wanted = problem.support(problem.optimum)
        var before = [Bool]()
        for step in 0..<Self.steps {
            let rows = (0..<LogisticProblem.batch).map { _ in random.integer(LogisticProblem.rows) }
            let (x, y) = (problem.x.gathering(rows), problem.y.gathering(rows))
            let stage = Stage(step: step, starts: starts, total: Self.steps, gamma: 0.1)
            let position = RunPosition(stage: stage, progress: Double(step) / Double(Self.steps))
            _ = try rule.step(&parameters, state: &state, rate: { $0 * stage.decay }, position: position) { point in
                (0, [LogisticProblem.gradient(point[0], x, y)])
            }
            let support = problem.support(parameters[0])
            if support == wanted { lockedFrom = lockedFrom ?? step } else { lockedFrom = nil }
            if step >= Self.steps / 2, support != before { changes += 1 }
            before = support
        }
        (last, self.state) = (parameters[0], state.optimizers[0])
    }
}

@Suite("Which optimizers find the structure of the optimum", .serialized)
struct IdentificationTests {
    static let problem = LogisticProblem(seed: 3)

    static func made(_ name: String, _ settings: [String: SettingValue]) throws -> any ProximalOptimizer {
        let made = try OptimizerCatalogue.make(name, settings: settings)
        return try #require(made as? any ProximalOptimizer)
    }

    @Test("The problem has an optimum with a clear support")
    func optimum() {
        let problem = Self.problem
        let active = problem.support(problem.optimum).count { $0 }
        #expect(active == 5 && problem.margin > 0.2, "\(active), \(problem.margin)")
        #expect(
            problem.penalty.distanceToSubdifferential(problem.gradient(problem.optimum), at: problem.optimum) < 1e-10)
    }

    @Test("RMDA and RAMDA lock the true support and keep it", arguments: ["rmda", "ramda"], [1, 2, 3] as [UInt64])
    func locks(name: String, seed: UInt64) throws {
        let problem = Self.problem
        let optimizer = try Self.made(name, ["lr": .number(name == "rmda" ? 1 : 0.03), "momentum": .number(0.1)])
        let run = try IdentificationRun(optimizer, problem, seed: seed)
        #expect(run.lockedFrom ?? .max < 5600, "\(run.lockedFrom ?? -1)")
        #expect(problem.objective(run.last) - problem.objective(problem.optimum) < 1e-3)
        // V/α is the gradient: its error has gone far below that of a batch (variance reduction).
        let slot = try #require(run.state.slots.first)
        let estimate = try #require(slot.tensors["v"]) / (try #require(slot.numbers["alpha"]))
        let error = (estimate - problem.gradient(run.last)).norm
        #expect(error < 0.035, "\(error)")
        // And the point is nearly stationary.
        let residual = (run.last - problem.penalty.prox(run.last - problem.gradient(run.last), step: 1)).norm
        #expect(residual < 0.03, "\(residual)")
    }

    @Test("ProxSGD and ProxGen do not", arguments: ["proxsgd", "proxgen"], [1, 2] as [UInt64])
    func wanders(name: String, seed: UInt64) throws {
        let problem = Self.problem
        let optimizer = try Self.made(name, ["lr": .number(name == "proxsgd" ? 1 : 0.01)])
        let run = try IdentificationRun(optimizer, problem, seed: seed)
        #expect(run.changes > 100, "\(run.changes)")
        // The mean of gradients keeps the error of some batches, many times that of dual averaging.
        let slot = try #require(run.state.slots.first)
        let error = (try #require(slot.tensors["m"]) - problem.gradient(run.last)).norm
        #expect(error > 0.15, "\(error)")
    }

    @Test("Before its last stage RMDA's iterate has no zeros, the point that is evaluated has some")
    func broken() throws {
        let problem = Self.problem
        let optimizer = try Self.made("rmda", ["lr": .number(1), "momentum": .number(0.1)])
        var parameters = [Tensor.zeros([5, 40], dtype: .float64)]
        parameters[0] = parameters[0] + 0.1
        var state = OptimizerState()
        var random = RandomSource(1)
        for _ in 0..<400 {
            let rows = (0..<32).map { _ in random.integer(LogisticProblem.rows) }
            let gradient = LogisticProblem.gradient(
                parameters[0], problem.x.gathering(rows), problem.y.gathering(rows))
            optimizer.step(
                &parameters, gradients: [gradient], regularisation: Regularisation(problem.penalty), state: &state)
        }
        #expect(problem.support(parameters[0]).allSatisfy { $0 })
        // The structured point has zeros all the same.
        let structured = optimizer.structured(
            parameters, regularisation: Regularisation(problem.penalty), state: state)
        #expect(problem.support(structured[0]).contains(false))
    }

    @Test("An inner solver that stops early identifies all the same; its inexactness is reported")
    func inexact() throws {
        let problem = Self.problem
        let optimizer = try Self.made(
            "ramda",
            [
                "lr": .number(0.03), "solver": .word("proximal_gradient"), "max_iters": .number(20),
                "rtol": .number(1e-8),
            ])
        let run = try IdentificationRun(optimizer, problem, seed: 1)
        #expect(run.lockedFrom != nil)
        var single = try #require(optimizer as? RAMDA)
        single.maxIterations = 2
        single.momentum = 1
        let regularisation = Regularisation(problem.penalty)
        func inexactness(_ optimizer: RAMDA) throws -> Double {
            var (parameters, state) = ([Tensor.zeros([5, 40], dtype: .float64)], OptimizerState())
            for _ in 0..<3 {
                let gradient = problem.gradient(parameters[0])
                optimizer.step(
                    &parameters, gradients: [gradient], regularisation: regularisation, state: &state)
            }
            return try #require(
                optimizer.inexactness(parameters, regularisation: regularisation, state: state))
        }
        var exact = single
        exact.solverName = "exact"
        #expect(try inexactness(exact) < 1e-12)
        #expect(try inexactness(single) > 1e-6)
    }
}

/// The same with a nuclear norm and a planted rank.
@Suite("Which optimizers find the rank of the optimum")
struct RankTests {
    @Test("RMDA locks the rank that the full gradient finds")
    func rank() throws {
        var random = RandomSource(4)
        let x = random.tensor([1500, 20])
        let truth = random.tensor([12, 3]).times(random.tensor([3, 20]))
        let y = x.times(truth.transposed()) + random.tensor([1500, 12], scale: 2)
        var penalty = NuclearNormPenalty()
        penalty.strength = 0.5
        func gradient(_ w: Tensor, _ x: Tensor, _ y: Tensor) -> Tensor {
            (x.times(w.transposed()) - y).transposedTimes(x) / Double(x.shape[0])
        }
        var optimum = Tensor.zeros([12, 20], dtype: .float64)
        for _ in 0..<400 { optimum = penalty.prox(optimum - gradient(optimum, x, y) * 0.4, step: 0.4) }
        func rank(_ w: Tensor) throws -> Int { try w.svd().s.doubles().count { $0 > 1e-9 } }
        let wanted = try rank(optimum)
        #expect(wanted == 3)
        var rule = UpdateRule(try OptimizerCatalogue.make("rmda", settings: ["lr": .number(0.3)]))
        rule.groups[0].regularisation = Regularisation(penalty)
        var (parameters, state) = ([Tensor.zeros([12, 20], dtype: .float64)], rule.initialState([[0]]))
        var ranks: [Int] = []
        for step in 0..<3000 {
            let rows = (0..<32).map { _ in random.integer(1500) }
            let stage = Stage(step: step, starts: [1500, 2250], total: 3000, gamma: 0.1)
            _ = try rule.step(
                &parameters, state: &state, rate: { $0 * stage.decay },
                position: RunPosition(stage: stage, progress: Double(step) / 3000)
            ) { (0, [gradient($0[0], x.gathering(rows), y.gathering(rows))]) }
            if step >= 2800 { ranks.append(try rank(parameters[0])) }
        }
        #expect(Set(ranks) == [wanted], "\(Set(ranks))")
    }
}
