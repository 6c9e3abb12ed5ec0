import Foundation
import Proximal
import Settings
import Torch

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
    /// What is done to these parameters' gradients before the optimizer, behind what the rule does to all.
    public var before: [any GradientTransformation] = []
    /// What is done to these parameters behind the optimizer, before what the rule does to all.
    public var after: [any ParameterTransformation] = []

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

/// Groups that cannot be stepped: parameters that none takes, or several take, or optimizers that do not go with others.
public struct GroupError: Error, CustomStringConvertible {
    /// One line.
    public var description: String
}

/// What happens in one step: gradients, what is done to them, the groups' optimizers, and what is done to parameters.
public struct UpdateRule: Sendable {
    /// The groups, in order; every parameter belongs to exactly one.
    public var groups: [ParameterGroup]
    /// What is done to the gradients of all groups together, before the optimizers.
    public var before: [any GradientTransformation] = []
    /// What is done to the parameters of all groups together, behind the optimizers.
    public var after: [any ParameterTransformation] = []

    /// What parameters stay on, by their positions: see ``informed(of:assignment:)``.
    public internal(set) var manifolds: [Int: any Manifold] = [:]

    /// One optimizer for all parameters.
    public init(_ optimizer: any Optimizer) { groups = [ParameterGroup("all", optimizer) { _, _ in true }] }

    /// Several groups.
    public init(groups: [ParameterGroup]) { self.groups = groups }

    /// Why no step can be made by this rule, whatever the parameters; nil where one can.
    public var fault: SettingError? {
        guard let closure = groups.first(where: { $0.optimizer is any ClosureOptimizer })?.optimizer else { return nil }
        let name = type(of: closure).name
        guard before.isEmpty, groups.allSatisfy(\.before.isEmpty) else {
            return SettingError(name, "evaluates the loss itself: nothing can be done to gradients before it")
        }
        guard groups.count == 1 else {
            return SettingError(name, "takes all parameters at once: leave the overrides out")
        }
        return nil
    }

    /// Positions of each group's parameters.
    ///
    /// - Throws: `GroupError` for a rule with a ``fault``, or naming a parameter that no group takes, or that several
    ///   take.
    public func assignment(_ names: [String], _ shapes: [[Int]]) throws(GroupError) -> [[Int]] {
        if let fault { throw GroupError(description: fault.description) }
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

    /// State of a rule: one for each group's optimizer and for each transformation.
    public struct State: Sendable {
        /// Positions of each group's parameters.
        public var assignment: [[Int]]
        /// States of the optimizers.
        public var optimizers: [OptimizerState]
        /// States of what is done to all parameters, and behind it of what is done to each group's.
        public var chains: [Chain]
        /// Steps done.
        public var step = 0
        /// Where the last step was.
        public var position: RunPosition?

        /// States of the transformations before and behind an optimizer.
        public struct Chain: Sendable {
            /// Of gradients.
            public var before: [OptimizerState]
            /// Of parameters.
            public var after: [OptimizerState]
        }

        /// Every state, the optimizers' first: what a checkpoint holds.
        public var parts: [OptimizerState] {
            get { optimizers + chains.flatMap { $0.before + $0.after } }
            set {
                var rest = newValue[...]
                func take(_ states: inout [OptimizerState]) {
                    for index in states.indices { states[index] = rest.removeFirst() }
                }
                take(&optimizers)
                for index in chains.indices {
                    take(&chains[index].before)
                    take(&chains[index].after)
                }
            }
        }
    }

    /// The state before the first step.
    ///
    /// - Parameter seed: of the generators of optimizers that draw.
    public func initialState(_ assignment: [[Int]], seed: UInt64 = 0) -> State {
        func chain(_ before: [any GradientTransformation], _ after: [any ParameterTransformation]) -> State.Chain {
            .init(before: before.map { _ in .init() }, after: after.map { _ in .init() })
        }
        return State(
            assignment: assignment,
            optimizers: assignment.indices.map { index in
                var state = OptimizerState()
                state.seed = seed &+ UInt64(index) << 32
                return state
            },
            chains: [chain(before, after)] + groups.map { chain($0.before, $0.after) })
    }

    /// What a step saw.
    public struct Outcome: Sendable {
        /// Loss before the step.
        public var loss: Double
        /// Norm of all gradients as they were evaluated.
        public var gradientNorm: Double
    }

    /// Does one step.
    ///
    /// - Parameters:
    ///   - rate: the rate in force, from an optimizer's own one: the schedule.
    ///   - position: where in the run the step is, for optimizers with stages and for sparsity targets.
    ///   - products: products of the Hessian at given parameters with given vectors, for a ``CurvatureOptimizer``.
    ///   - evaluate: loss and gradients at given parameters.
    /// - Returns: nil when loss or gradients are not finite: the parameters and the state then stay as they were.
    /// - Throws: what `evaluate` and `products` throw; `GroupError` where an optimizer asks for products that there are
    ///   none of. Parameters and state are then of no use.
    public func step(
        _ parameters: inout [Tensor], state: inout State, rate: (_ base: Double) -> Double,
        position: RunPosition? = nil,
        products: ((_ parameters: [Tensor], _ vectors: [Tensor]) throws -> [Tensor])? = nil,
        evaluate: Evaluation
    ) throws -> Outcome? {
        let (loss, found) = try evaluate(parameters)
        var gradients = Gradients(manifolds.isEmpty ? found : tangential(found, at: parameters))
        let norm = gradients.norm()
        /// Points that are tried lie on the manifolds, too.
        func evaluateTrial(_ trial: [Tensor]) throws -> (loss: Double, gradients: [Tensor]) {
            guard !manifolds.isEmpty else { return try evaluate(trial) }
            let point = onManifolds(trial)
            let found = try evaluate(point)
            return (found.loss, tangential(found.gradients, at: point))
        }
        guard loss.isFinite, norm.isFinite else { return nil }
        // Only gradients from elsewhere can be other than finite now.
        let saved = before.contains { type(of: $0).evaluatesAgain } ? state.chains[0].before : nil
        for (index, transformation) in before.enumerated() {
            try transformation.transform(
                &gradients, parameters: parameters, state: &state.chains[0].before[index], evaluate: evaluateTrial)
        }
        if !manifolds.isEmpty, !before.isEmpty {
            gradients.tensors = tangential(gradients.tensors, at: parameters)
        }
        if let saved, !gradients.norm().isFinite {
            state.chains[0].before = saved
            return nil
        }
        for (index, transformation) in after.enumerated() {
            transformation.begin(parameters, state: &state.chains[0].after[index])
        }
        state.position = position
        // Groups that stepped before must not move the point whose Hessian is asked for.
        let start = groups.contains { $0.optimizer is any CurvatureOptimizer } ? parameters : []
        for index in groups.indices {
            try step(
                group: index, &parameters, loss, gradients.tensors, &state, rate: rate,
                products: products.map { products in { try products(start, $0) } },
                evaluate: evaluateTrial)
        }
        state.step += 1
        for (index, transformation) in after.enumerated() {
            transformation.transform(&parameters, state: &state.chains[0].after[index])
        }
        if !manifolds.isEmpty { parameters = onManifolds(parameters) }
        return Outcome(loss: loss, gradientNorm: norm)
    }

    /// Steps one group's parameters.
    private func step(
        group index: Int, _ parameters: inout [Tensor], _ loss: Double, _ gradients: [Tensor], _ state: inout State,
        rate: (_ base: Double) -> Double, products: HessianProducts?, evaluate: Evaluation
    ) throws {
        let (group, positions, position) = (groups[index], state.assignment[index], state.position)
        var optimizer = staged(group.optimizer, position)
        optimizer.lr = rate(optimizer.lr)
        if let stage = position?.stage, stage.step == 1, stage.index > 0, optimizer is any StagedOptimizer {
            let seed = state.optimizers[index].seed
            state.optimizers[index] = OptimizerState()
            state.optimizers[index].seed = seed
        }
        // Held only where it is read: what is held twice is copied when it is changed.
        let isReadAgain =
            optimizer is any ClosureOptimizer || group.before.contains { type(of: $0).evaluatesAgain }
        let others = isReadAgain ? parameters : []
        /// Loss and gradients where this group's parameters are others.
        func evaluateOwn(_ trial: [Tensor]) throws -> (loss: Double, gradients: [Tensor]) {
            var all = others
            for (place, tensor) in zip(positions, trial) { all[place] = tensor }
            let found = try evaluate(all)
            return (found.loss, positions.map { found.gradients[$0] })
        }
        var own = Self.taken(&parameters, positions)
        var ownGradients = Gradients(positions.map { gradients[$0] })
        for (place, transformation) in group.before.enumerated() {
            try transformation.transform(
                &ownGradients, parameters: own, state: &state.chains[index + 1].before[place], evaluate: evaluateOwn)
        }
        for (place, transformation) in group.after.enumerated() {
            transformation.begin(own, state: &state.chains[index + 1].after[place])
        }
        try move(
            &own, optimizer, group, (loss, ownGradients.tensors), &state.optimizers[index],
            progress: position?.progress ?? 1, evaluate: evaluateOwn
        ) { vectors in
            guard let products else {
                throw GroupError(
                    description:
                        "\(type(of: optimizer).name) asks for products of the Hessian, which this run does not give")
            }
            var all = gradients.map { Tensor.zeros(like: $0) }
            for (place, vector) in zip(positions, vectors) { all[place] = vector }
            let found = try products(all)
            return positions.map { found[$0] }
        }
        for (place, transformation) in group.after.enumerated() {
            transformation.transform(&own, state: &state.chains[index + 1].after[place])
        }
        state.optimizers[index].makeContiguous()
        for (place, tensor) in zip(positions, own) { parameters[place] = tensor.contiguous() }
    }

    /// Lets the optimizer of a group move its parameters, with all that its kind asks for.
    private func move(
        _ own: inout [Tensor], _ optimizer: any Optimizer, _ group: ParameterGroup,
        _ start: (loss: Double, gradients: [Tensor]), _ state: inout OptimizerState, progress: Double,
        evaluate: Evaluation, products: HessianProducts
    ) throws {
        if let closure = optimizer as? any ClosureOptimizer {
            try closure.step(&own, start: start, state: &state, evaluate: evaluate)
        } else if let curvature = optimizer as? any CurvatureOptimizer {
            try curvature.step(&own, gradients: start.gradients, state: &state, products: products)
        } else if let regularisation = group.regularisation, let proximal = optimizer as? any ProximalOptimizer {
            proximal.step(
                &own, gradients: start.gradients, regularisation: regularisation,
                target: group.target?.now(at: progress), state: &state)
        } else {
            optimizer.step(&own, gradients: start.gradients, state: &state)
        }
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

    /// The parameters to evaluate and deploy: averages where something averages, the point with the structure where a
    /// penalty makes one.
    public func evaluationParameters(_ parameters: [Tensor], state: State) -> [Tensor] {
        if let found = Self.evaluated(parameters, after, state.chains[0].after) { return onManifolds(found) }
        var result = parameters
        for (index, group) in groups.enumerated() {
            let positions = state.assignment[index]
            var own = positions.map { parameters[$0] }
            let optimizer = staged(group.optimizer, state.position)
            if let found = Self.evaluated(own, group.after, state.chains[index + 1].after) {
                own = found
            } else if let regularisation = group.regularisation, let proximal = optimizer as? any ProximalOptimizer {
                own = proximal.structured(own, regularisation: regularisation, state: state.optimizers[index])
            } else {
                own = optimizer.evaluationParameters(own, state: state.optimizers[index])
            }
            for (place, tensor) in zip(positions, own) { result[place] = tensor }
        }
        return onManifolds(result)
    }

    /// What the last transformation that evaluates something of its own evaluates.
    private static func evaluated(
        _ parameters: [Tensor], _ chain: [any ParameterTransformation], _ states: [OptimizerState]
    ) -> [Tensor]? {
        zip(chain, states).reversed().lazy.compactMap { $0.evaluated(parameters, state: $1) }.first
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
