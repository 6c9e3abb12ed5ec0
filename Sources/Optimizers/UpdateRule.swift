import Foundation
import Proximal
import Settings
import Torch

/// A bound on gradients.
public enum Clipping: Sendable, Codable, Equatable {
    /// Scales all gradients together when the norm of all of them exceeds the bound.
    case norm(Double)
    /// Cuts every element to `±bound`.
    case value(Double)

    private enum CodingKeys: String, CodingKey { case norm, value }

    /// Reads `{"norm": bound}` or `{"value": bound}`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let bound = try container.decodeIfPresent(Double.self, forKey: .norm) {
            self = .norm(bound)
        } else {
            self = .value(try container.decode(Double.self, forKey: .value))
        }
    }

    /// Writes `{"norm": bound}` or `{"value": bound}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .norm(let bound): try container.encode(bound, forKey: .norm)
        case .value(let bound): try container.encode(bound, forKey: .value)
        }
    }

    /// Applies the bound; returns the norm of all gradients before.
    @discardableResult
    public func apply(_ gradients: inout [Tensor]) -> Double {
        let norm = gradients.jointNorm
        switch self {
        case .norm(let bound):
            // PyTorch adds 1e-6 to the norm.
            let factor = bound / (norm + 1e-6)
            if factor < 1 { for index in gradients.indices { gradients[index].scale(by: factor) } }
        case .value(let bound):
            gradients = gradients.map { $0.clamped(to: -bound...bound) }
        }
        return norm
    }
}

/// Every k steps the slow weights move by a share towards the fast ones, which start again there (Zhang et al. 2019,
/// arXiv:1907.08610, Algorithm 1).
public struct Lookahead: Sendable, Codable, Equatable {
    /// Steps between moves, k.
    public var interval = 5
    /// Share of the way, α.
    public var share = 0.5

    /// Creates the paper's setting.
    public init() {}
}

/// An optimizer for some parameters.
public struct ParameterGroup: Sendable {
    /// Name in reports.
    public var name: String
    /// Whether a parameter belongs here, by its name and shape.
    public var matches: @Sendable (_ name: String, _ shape: [Int]) -> Bool
    /// Its optimizer.
    public var optimizer: any Optimizer
    /// Penalty of these parameters, for optimizers that take one.
    public var regularisation: Regularisation?
    /// Sparsity that the penalty's strength follows.
    public var target: SparsityTarget?

    /// Creates a group.
    public init(
        _ name: String, _ optimizer: any Optimizer, matches: @escaping @Sendable (String, [Int]) -> Bool
    ) {
        (self.name, self.optimizer, self.matches) = (name, optimizer, matches)
    }
}

/// Where in a run a step is.
public struct RunPosition: Sendable {
    /// The stage of the learning rate.
    public var stage: Stage
    /// Part of the run that is over, in [0, 1].
    public var progress: Double

    /// Creates a position.
    public init(stage: Stage, progress: Double) { (self.stage, self.progress) = (stage, progress) }
}

/// Parameters that no group takes, or that several take.
public struct GroupError: Error, CustomStringConvertible {
    /// One line.
    public var description: String
}

/// What happens in one step: gradients, clipping, the groups' optimizers, and what averages around them.
public struct UpdateRule: Sendable {
    /// The groups, in order; every parameter belongs to exactly one.
    public var groups: [ParameterGroup]
    /// Bound on the gradients of all groups together.
    public var clipping: Clipping?
    /// Slow weights.
    public var lookahead: Lookahead?
    /// Decay of an exponential average of the parameters, which is evaluated.
    public var averageDecay: Double?
    /// Radius ρ of sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412, equation 2).
    public var sharpnessRadius: Double?

    /// One optimizer for all parameters.
    public init(_ optimizer: any Optimizer) { groups = [ParameterGroup("all", optimizer) { _, _ in true }] }

    /// Several groups.
    public init(groups: [ParameterGroup]) { self.groups = groups }

    /// Positions of each group's parameters.
    ///
    /// - Throws: `GroupError` naming a parameter that no group takes, or that several take.
    public func assignment(_ names: [String], _ shapes: [[Int]]) throws(GroupError) -> [[Int]] {
        var positions = [[Int]](repeating: [], count: groups.count)
        for (index, name) in names.enumerated() {
            let takers = groups.indices.filter { groups[$0].matches(name, shapes[index]) }
            guard takers.count == 1 else {
                let takerNames = takers.map { "'\(groups[$0].name)'" }.joined(separator: " and ")
                let problem = takers.isEmpty ? "belongs to no group" : "belongs to the groups \(takerNames)"
                throw GroupError(description: "the parameter '\(name)' \(problem): give each exactly one")
            }
            positions[takers[0]].append(index)
        }
        return positions
    }

    /// State of a rule: one for each group's optimizer, and the averages.
    public struct State: Sendable {
        /// Positions of each group's parameters.
        public var assignment: [[Int]]
        /// States of the optimizers.
        public var optimizers: [OptimizerState]
        /// Slow weights of Lookahead.
        public var slow: [Tensor] = []
        /// Exponential average.
        public var average: [Tensor] = []
        /// Steps done.
        public var step = 0
        /// Where the last step was.
        public var position: RunPosition?

        /// Creates the state before the first step.
        public init(assignment: [[Int]]) {
            self.assignment = assignment
            optimizers = assignment.map { _ in OptimizerState() }
        }
    }

    /// What a step saw.
    public struct Outcome: Sendable {
        /// Loss before the step.
        public var loss: Double
        /// Norm of all gradients before clipping.
        public var gradientNorm: Double
    }

    /// Does one step.
    ///
    /// - Parameters:
    ///   - rate: the rate in force, from an optimizer's own one: the schedule.
    ///   - position: where in the run the step is, for optimizers with stages and for sparsity targets.
    ///   - evaluate: loss and gradients at given parameters.
    /// - Returns: nil when loss or gradients are not finite: the parameters and the state then stay as they were.
    /// - Throws: what `evaluate` throws.
    public func step(
        _ parameters: inout [Tensor], state: inout State, rate: (_ base: Double) -> Double,
        position: RunPosition? = nil,
        evaluate: ([Tensor]) throws -> (loss: Double, gradients: [Tensor])
    ) throws -> Outcome? {
        var (loss, gradients) = try evaluate(parameters)
        if let radius = sharpnessRadius {
            guard loss.isFinite else { return nil }
            gradients = try evaluate(Self.ascended(parameters, gradients, radius)).gradients
        }
        let norm = clipping?.apply(&gradients) ?? gradients.jointNorm
        guard loss.isFinite, norm.isFinite else { return nil }
        if lookahead != nil, state.slow.isEmpty { state.slow = parameters.map { $0 + 0 } }
        state.position = position
        for (index, group) in groups.enumerated() {
            let positions = state.assignment[index]
            var optimizer = staged(group.optimizer, position)
            optimizer.lr = rate(optimizer.lr)
            if let stage = position?.stage, stage.step == 1, stage.index > 0, optimizer is any StagedOptimizer {
                state.optimizers[index] = OptimizerState()
            }
            var own = Self.taken(&parameters, positions)
            let ownGradients = positions.map { gradients[$0] }
            if let closure = optimizer as? any ClosureOptimizer {
                let (others, snapshot) = (positions, parameters)
                closure.step(&own, state: &state.optimizers[index]) { trial in
                    var all = snapshot
                    for (place, tensor) in zip(others, trial) { all[place] = tensor }
                    // Non-finite trials are what line searches step back from.
                    guard let found = try? evaluate(all) else { return (.infinity, ownGradients) }
                    return (found.loss, others.map { found.gradients[$0] })
                }
            } else if let regularisation = group.regularisation, let proximal = optimizer as? any ProximalOptimizer {
                proximal.step(
                    &own, gradients: ownGradients, regularisation: regularisation,
                    target: group.target?.now(at: position?.progress ?? 1), state: &state.optimizers[index])
            } else {
                optimizer.step(&own, gradients: ownGradients, state: &state.optimizers[index])
            }
            state.optimizers[index].makeContiguous()
            for (place, tensor) in zip(positions, own) { parameters[place] = tensor.contiguous() }
        }
        state.step += 1
        finish(&parameters, &state)
        return Outcome(loss: loss, gradientNorm: norm)
    }

    /// The optimizer with the constants of the stage.
    private func staged(_ optimizer: any Optimizer, _ position: RunPosition?) -> any Optimizer {
        guard let position, let staged = optimizer as? any StagedOptimizer else { return optimizer }
        return staged.inStage(position.stage)
    }

    /// Moves tensors out, so that the optimizer can change them in place.
    private static func taken(_ parameters: inout [Tensor], _ positions: [Int]) -> [Tensor] {
        let nothing = Tensor([Float](), shape: [0])
        return positions.map { position in
            defer { parameters[position] = nothing }
            return parameters[position]
        }
    }

    /// `w + ρ ∇f / ‖∇f‖`.
    private static func ascended(_ parameters: [Tensor], _ gradients: [Tensor], _ radius: Double) -> [Tensor] {
        let scale = radius / (gradients.jointNorm + 1e-12)
        return zip(parameters, gradients).map { $0.adding($1, scaledBy: scale) }
    }

    /// Lookahead and the exponential average, behind the optimizers' step.
    private func finish(_ parameters: inout [Tensor], _ state: inout State) {
        if let lookahead, state.step % lookahead.interval == 0 {
            for index in parameters.indices {
                state.slow[index].add(parameters[index] - state.slow[index], scaledBy: lookahead.share)
                parameters[index] = state.slow[index] + 0
            }
        }
        guard let decay = averageDecay else { return }
        if state.average.isEmpty {
            state.average = parameters.map { $0 + 0 }
        } else {
            for index in parameters.indices {
                state.average[index].add(parameters[index] - state.average[index], scaledBy: 1 - decay)
            }
        }
    }

    /// The parameters to evaluate and deploy: averages where something averages, the point with the structure where a
    /// penalty makes one.
    public func evaluationParameters(_ parameters: [Tensor], state: State) -> [Tensor] {
        if averageDecay != nil, !state.average.isEmpty { return state.average }
        var result = parameters
        for (index, group) in groups.enumerated() {
            let positions = state.assignment[index]
            var own = positions.map { parameters[$0] }
            let optimizer = staged(group.optimizer, state.position)
            if let regularisation = group.regularisation, let proximal = optimizer as? any ProximalOptimizer {
                own = proximal.structured(own, regularisation: regularisation, state: state.optimizers[index])
            } else {
                own = optimizer.evaluationParameters(own, state: state.optimizers[index])
            }
            for (place, tensor) in zip(positions, own) { result[place] = tensor }
        }
        return result
    }
}

extension UpdateRule {
    /// `λψ` of all groups with a penalty, at the strengths in force; nil without one.
    ///
    /// - Parameter parameters: as ``evaluationParameters(_:state:)`` gives them.
    public func penalty(_ parameters: [Tensor], state: State) -> Double? {
        guard groups.contains(where: { $0.regularisation != nil }) else { return nil }
        return zip(groups, state.assignment).reduce(0) { sum, pair in
            sum + (pair.0.regularisation?.value(pair.1.map { parameters[$0] }) ?? 0)
        }
    }

    /// How far the steps' subproblems are from solved: `‖v − prox(v − ∇q(v))‖` over all groups; nil where none is solved.
    public func inexactness(_ parameters: [Tensor], state: State) -> Double? {
        let squares = groups.indices.compactMap { index -> Double? in
            guard let regularisation = groups[index].regularisation,
                let proximal = staged(groups[index].optimizer, state.position) as? any ProximalOptimizer
            else { return nil }
            let own = state.assignment[index].map { parameters[$0] }
            return proximal.inexactness(own, regularisation: regularisation, state: state.optimizers[index])
        }
        return squares.isEmpty ? nil : squares.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
}

extension [Tensor] {
    /// Euclidean norm of all elements of all tensors.
    var jointNorm: Double { reduce(0) { $0 + $1.squareSum }.squareRoot() }
}
