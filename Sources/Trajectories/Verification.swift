import Foundation
import Optimizers
import Proximal
import Settings
import Torch

/// A function whose value and gradient the package knows, for optimizers that evaluate it themselves.
public struct TestFunction: Sendable {
    /// Name in trajectory files.
    public let name: String
    /// What it is.
    public let summary: String
    /// Shapes of its parameters.
    let shapes: [[Int]]
    /// Loss and gradients at parameters ordered by name.
    public let evaluate: @Sendable ([Tensor]) -> (loss: Double, gradients: [Tensor])

    /// The functions by name.
    public static let all: [TestFunction] = [rosenbrock, softmax, softmaxWithoutBias]

    /// `(1 − x₀)² + 100 (x₁ − x₀²)²`
    public static let rosenbrock = TestFunction(
        name: "rosenbrock", summary: "(1 - x0)^2 + 100 (x1 - x0^2)^2", shapes: [[2]]
    ) { parameters in
        let x = parameters[0].doubles()
        let residual = x[1] - x[0] * x[0]
        let gradient = [-2 * (1 - x[0]) - 400 * x[0] * residual, 200 * residual]
        return ((1 - x[0]) * (1 - x[0]) + 100 * residual * residual, [Tensor(gradient)])
    }

    /// Mean cross-entropy of a linear model on fixed data, with an L2 term.
    public static let softmax = TestFunction(
        name: "softmax", summary: "mean cross-entropy of X W' + b on 12 fixed rows, plus 0.025 (|W|^2 + |b|^2)",
        shapes: [[3, 4], [3]]
    ) { crossEntropy(weights: $0[0], bias: $0[1]) }

    /// The same without the bias.
    public static let softmaxWithoutBias = TestFunction(
        name: "softmax_w", summary: "mean cross-entropy of X W' on 12 fixed rows, plus 0.025 |W|^2", shapes: [[3, 4]]
    ) { crossEntropy(weights: $0[0], bias: nil) }

    /// The function of a problem; nil where there is none of its name and shapes.
    static func of(_ problem: TrajectoryFile.Problem) -> TestFunction? {
        let shapes = problem.initial.sorted { $0.key < $1.key }.map { $0.value.tensor?.shape ?? [] }
        return all.first { $0.name == problem.name && $0.shapes == shapes }
    }

    private static func crossEntropy(weights: Tensor, bias: Tensor?) -> (loss: Double, gradients: [Tensor]) {
        var rows: [Double] = []
        for i in 1...12 {
            for j in 0..<4 { rows.append(sin(0.7 * Double(i * (j + 1))) + 0.1 * Double(j)) }
        }
        let x = Tensor(rows, shape: [12, 4])
        let labels: [Int64] = [0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1]
        let y = Tensor(labels).oneHot(3).to(.float64)
        var logits = x.times(weights.transposed())
        if let bias { logits = logits + bias }
        let loss = (logits.logSumExp(1).sumInDouble() - (logits * y).sumInDouble()) / 12
        let difference = (logits.softmax(1) - y) * (1.0 / 12)
        var gradients = [difference.transposedTimes(x).adding(weights, scaledBy: 0.05)]
        var penalty = weights.squareSum
        if let bias {
            gradients.append(difference.sum(0).adding(bias, scaledBy: 0.05))
            penalty += bias.squareSum
        }
        return (loss + 0.025 * penalty, gradients)
    }
}

/// How far an optimizer's run is from a reference trajectory.
public struct Deviation: Sendable, Codable {
    /// Name of the setting.
    public var configuration: String
    /// Name of the problem.
    public var problem: String
    /// Steps that were compared.
    public var steps: Int
    /// Largest `|ours − theirs| / max(1, |theirs|)` over steps and parameters, averages included.
    public var largest: Double
    /// Step of the largest deviation, from 1.
    public var step: Int
    /// How near a right implementation comes, where the file says so.
    public var tolerance: Double?
}

/// Replays reference trajectories.
public enum Verification {
    /// Replays every run of a file in double precision.
    ///
    /// - Parameter optimizer: name to use instead of the file's.
    /// - Throws: `SettingError` for an optimizer, a setting or a problem that is not known here, or a broken run.
    public static func replay(_ file: TrajectoryFile, optimizer: String? = nil) throws -> [Deviation] {
        try file.configs.flatMap { configuration in
            let name = optimizer ?? file.optimizer
            let made = try OptimizerCatalogue.make(name, settings: configuration.settings)
            if let rule = try configuration.rule(made) {
                return try configuration.trajectories.map { try replay(rule, $0, configuration) }
            }
            return try configuration.trajectories.map { try replay(made, $0, configuration) }
        }
    }

    private static func replay(
        _ optimizer: any Optimizer, _ run: TrajectoryFile.Trajectory, _ configuration: TrajectoryFile.Configuration
    ) throws -> Deviation {
        let names = run.problem.initial.keys.sorted()
        let label = "\(type(of: optimizer).name), \(configuration.name), \(run.problem.name)"
        func tensors(_ point: TrajectoryFile.Point, _ what: String) throws -> [Tensor] {
            try Self.tensors(point, like: run.problem.initial, what, label)
        }
        let function = TestFunction.of(run.problem)
        var parameters = try tensors(run.problem.initial, "the start")
        var state = OptimizerState()
        var penalised = try PenalisedPart(configuration.penalty, names, optimizer)
        var result = Deviation(
            configuration: configuration.name, problem: run.problem.name, steps: run.steps.count, largest: 0, step: 0,
            tolerance: configuration.tolerance)
        for (index, step) in run.steps.enumerated() {
            let optimizer =
                try step.settings.map {
                    try OptimizerCatalogue.make(
                        type(of: optimizer).name, settings: configuration.settings.merging($0) { $1 })
                } ?? optimizer
            if step.restart == true {
                state = OptimizerState()
                penalised?.state = OptimizerState()
            }
            if let closure = optimizer as? any ClosureOptimizer {
                guard let function else { throw unknownFunction(label) }
                try closure.step(
                    &parameters, start: function.evaluate(parameters), state: &state, evaluate: function.evaluate)
            } else {
                guard
                    let gradients = try step.grad.map({ try tensors($0, "'grad' of step \(index + 1)") })
                        ?? function?.evaluate(parameters).gradients
                else {
                    throw SettingError(label, "step \(index + 1) has no 'grad'")
                }
                if let part = penalised {
                    penalised = try part.stepped(&parameters, gradients, optimizer, &state)
                } else {
                    optimizer.step(&parameters, gradients: gradients, state: &state)
                }
            }
            let after = try tensors(step.after, "'params_after' of step \(index + 1)")
            var pairs = zip(parameters, after).map { ($0, $1) }
            if let evaluated = step.evaluated {
                let ours = optimizer.evaluationParameters(parameters, state: state)
                pairs += zip(ours, try tensors(evaluated, "the averages of step \(index + 1)")).map { ($0, $1) }
            }
            if let d = step.d { pairs.append((Tensor([state.shared.numbers["d"] ?? .nan]), Tensor([d]))) }
            let deviation = pairs.map { distance($0.0, $0.1) }.max() ?? 0
            if deviation > result.largest || deviation.isNaN { (result.largest, result.step) = (deviation, index + 1) }
        }
        return result
    }

    /// The tensors of a point in the order of their names, of the shapes that those of the start have.
    private static func tensors(
        _ point: TrajectoryFile.Point, like start: TrajectoryFile.Point, _ what: String, _ label: String
    ) throws -> [Tensor] {
        try start.keys.sorted().map { name in
            guard let tensor = point[name]?.tensor else {
                throw SettingError(label, "\(what) has no rectangular array '\(name)'")
            }
            guard tensor.shape == start[name]?.tensor?.shape, tensor.count > 0 else {
                throw SettingError(
                    label, "\(what) has '\(name)' of shape \(tensor.shape), needed \(start[name]?.tensor?.shape ?? [])")
            }
            return tensor
        }
    }

    private static func unknownFunction(_ label: String) -> SettingError {
        let known = TestFunction.all.map(\.name).joined(separator: ", ")
        return SettingError(
            label, "evaluates the function itself; the known ones, with parameters of their shapes, are \(known)")
    }

    /// Replays a run with transformations around its optimizer.
    ///
    /// - Parameter mistake: changes the state behind each step, for tests of what a reference notices.
    static func replay(
        _ rule: UpdateRule, _ run: TrajectoryFile.Trajectory, _ configuration: TrajectoryFile.Configuration,
        mistake: (_ before: UpdateRule.State, _ after: inout UpdateRule.State) -> Void = { _, _ in }
    ) throws -> Deviation {
        let names = run.problem.initial.keys.sorted()
        let chain = (rule.before.map { type(of: $0).name } + rule.after.map { type(of: $0).name }).joined(
            separator: ", ")
        let label = "\(chain), \(configuration.name), \(run.problem.name)"
        func tensors(_ point: TrajectoryFile.Point) throws -> [Tensor] {
            try Self.tensors(point, like: run.problem.initial, "a step", label)
        }
        let function = TestFunction.of(run.problem)
        var parameters = try tensors(run.problem.initial)
        var state = rule.initialState([Array(names.indices)])
        var result = Deviation(
            configuration: configuration.name, problem: run.problem.name, steps: run.steps.count, largest: 0, step: 0,
            tolerance: configuration.tolerance)
        for (index, step) in run.steps.enumerated() {
            let (given, before) = (try step.grad.map(tensors), state)
            let outcome = try rule.step(&parameters, state: &state, rate: { $0 }) { point in
                if let given { return (0, given) }
                guard let function else { throw unknownFunction(label) }
                return function.evaluate(point)
            }
            if outcome == nil { throw SettingError(label, "step \(index + 1) has gradients that are no numbers") }
            mistake(before, &state)
            var pairs = zip(parameters, try tensors(step.after)).map { ($0, $1) }
            if let evaluated = step.evaluated {
                pairs += zip(rule.evaluationParameters(parameters, state: state), try tensors(evaluated)).map {
                    ($0, $1)
                }
            }
            let deviation = pairs.map { distance($0.0, $0.1) }.max() ?? 0
            if deviation > result.largest || deviation.isNaN { (result.largest, result.step) = (deviation, index + 1) }
        }
        return result
    }

    /// Parameters with a penalty and their state.
    private struct PenalisedPart {
        let positions: [Int]
        let rest: [Int]
        let regularisation: Regularisation
        var state = OptimizerState()

        init?(_ penalty: TrajectoryFile.Penalised?, _ names: [String], _ optimizer: any Optimizer) throws {
            guard let penalty else { return nil }
            guard optimizer is any ProximalOptimizer else {
                throw SettingError(type(of: optimizer).name, "takes no penalty, but the file has '\(penalty.name)'")
            }
            if let stray = penalty.parameters.first(where: { !names.contains($0) }) {
                throw SettingError(penalty.name, "the start has no parameter '\(stray)'")
            }
            positions = names.indices.filter { penalty.parameters.contains(names[$0]) }
            rest = names.indices.filter { !penalty.parameters.contains(names[$0]) }
            regularisation = Regularisation(try PenaltyCatalogue.make(penalty.name, settings: penalty.settings))
        }

        /// Steps all parameters, those without the penalty by `state`.
        func stepped(
            _ parameters: inout [Tensor], _ gradients: [Tensor], _ optimizer: any Optimizer,
            _ state: inout OptimizerState
        ) throws -> PenalisedPart {
            guard let proximal = optimizer as? any ProximalOptimizer else { return self }
            var copy = self
            var own = positions.map { parameters[$0] }
            proximal.step(
                &own, gradients: positions.map { gradients[$0] }, regularisation: regularisation, state: &copy.state)
            var others = rest.map { parameters[$0] }
            proximal.step(&others, gradients: rest.map { gradients[$0] }, state: &state)
            for (position, tensor) in zip(positions + rest, own + others) { parameters[position] = tensor }
            return copy
        }
    }

    private static func distance(_ ours: Tensor, _ theirs: Tensor) -> Double {
        guard ours.shape == theirs.shape else { return .infinity }
        return zip(ours.doubles(), theirs.doubles()).reduce(0) { largest, pair in
            let difference = abs(pair.0 - pair.1) / max(1, abs(pair.1))
            return difference.isNaN ? .infinity : max(largest, difference)
        }
    }
}

extension TrajectoryFile.Configuration {
    /// An optimizer with the transformations of this configuration; nil where it has none.
    func rule(_ optimizer: any Optimizer) throws -> UpdateRule? {
        guard before != nil || after != nil else { return nil }
        var rule = UpdateRule(optimizer)
        rule.before = try (before ?? []).map { try TransformationCatalogue.before.make($0) }
        rule.after = try (after ?? []).map { try TransformationCatalogue.after.make($0) }
        return rule
    }
}
