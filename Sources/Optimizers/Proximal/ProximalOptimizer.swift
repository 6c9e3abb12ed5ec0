import Proximal
import Settings
import Torch

/// An optimizer whose step is the minimiser of a quadratic model plus a penalty: weights come out exactly zero, or of
/// low rank.
///
/// A conforming type says how a gradient moves its state and which ``Proximal/Subproblem`` that state poses; the solver,
/// coupled groups, target sparsity and the averaging of iterates are the same for all.
public protocol ProximalOptimizer: Optimizer {
    /// Takes a gradient into the state.
    ///
    /// - Parameter t: number of this step since the start or the last restart, from 1.
    func advance(_ slot: inout Slot, parameter: Tensor, gradient: Tensor, t: Int)
    /// The subproblem that the state poses.
    func subproblem(_ slot: Slot, parameter: Tensor, t: Int) -> Subproblem
    /// Share c of the minimiser in the new parameters; 1 where the minimiser is the new parameter.
    var share: Double { get }
    /// How subproblems without a closed form are solved.
    var solver: SubproblemSolver { get }
    /// Whether a single number for each tensor replaces the diagonal metric.
    var hasScalarMetric: Bool { get }
    /// Does a whole step under a group lasso in one pass over memory; false where no kernel takes it.
    func fusedStep(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty)
        -> Bool
    /// Does a whole step without a penalty in one pass over memory; false where no kernel takes it.
    func fusedStep(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) -> Bool
}

extension ProximalOptimizer {
    /// The minimiser is the new parameter.
    public var share: Double { 1 }
    /// Closed forms, or Newton's method.
    public var solver: SubproblemSolver { .exact() }
    /// The metric is what the optimizer says.
    public var hasScalarMetric: Bool { false }
    /// There is no kernel.
    public func fusedStep(
        _ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int, penalty: GroupLassoPenalty
    ) -> Bool { false }
    /// There is no kernel.
    public func fusedStep(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) -> Bool { false }

    /// A step without a penalty.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        state.begin(parameters, gradients)
        let t = state.step
        for index in parameters.indices {
            if fusedStep(&parameters[index], gradient: gradients[index], slot: &state.slots[index], t: t) { continue }
            advance(&state.slots[index], parameter: parameters[index], gradient: gradients[index], t: t)
            let solution = subproblem(state.slots[index], parameter: parameters[index], t: t).unpenalised
            parameters[index] = averaged(parameters[index], solution)
        }
    }

    /// A step with a penalty.
    ///
    /// - Parameter target: share of the weights that is to be in zero groups; the strength follows from it.
    public func step(
        _ parameters: inout [Tensor], gradients: [Tensor], regularisation: Regularisation,
        target: SparsityTarget.Now? = nil, state: inout OptimizerState
    ) {
        state.begin(parameters, gradients)
        let t = state.step
        var open = Array(parameters.indices)
        if let penalty = regularisation.penalty as? GroupLassoPenalty, target == nil, solver.isExact,
            regularisation.coupling.isEmpty, !hasScalarMetric
        {
            open = open.filter { index in
                !fusedStep(
                    &parameters[index], gradient: gradients[index], slot: &state.slots[index], t: t, penalty: penalty)
            }
        }
        guard !open.isEmpty else { return }
        for index in open {
            advance(&state.slots[index], parameter: parameters[index], gradient: gradients[index], t: t)
        }
        if let target, let groups = regularisation.criticalStrengths(problems(parameters, state)) {
            let strengths = target.strengths(groups, count: parameters.count, coupling: regularisation.coupling)
            for (index, strength) in strengths.enumerated() { state.slots[index].numbers["lambda"] = strength }
        }
        // Coupled sets need all tensors; without them only the open ones are solved.
        let solutions = solutions(parameters, regularisation, state, only: Set(open))
        let keepsSolution = share < 1 && !(regularisation.penalty is any DiagonalPenalty)
        for (index, solution) in zip(open, solutions) {
            parameters[index] = averaged(parameters[index], solution)
            if keepsSolution { state.slots[index].tensors["solution"] = solution }
        }
    }

    private func averaged(_ parameter: Tensor, _ solution: Tensor) -> Tensor {
        share == 1 ? solution : parameter.moved(towards: solution, by: share)
    }

    private func problems(_ parameters: [Tensor], _ state: OptimizerState) -> [Subproblem] {
        parameters.indices.map { index in
            let problem = subproblem(state.slots[index], parameter: parameters[index], t: state.step)
            return hasScalarMetric ? problem.withScalarMetric : problem
        }
    }

    private func solutions(
        _ parameters: [Tensor], _ regularisation: Regularisation, _ state: OptimizerState, only chosen: Set<Int>
    ) -> [Tensor] {
        let indices = parameters.indices.filter { chosen.contains($0) }
        demand(
            regularisation.coupling.isEmpty || indices.count == parameters.count,
            "groups and parameters do not go together")
        var part = state
        part.slots = indices.map { state.slots[$0] }
        let own = indices.map { parameters[$0] }
        let strengths = part.slots.compactMap { $0.numbers["lambda"] }
        return regularisation.minimised(
            problems(own, part), solver: solver.tightened(at: state.step),
            strengths: strengths.count == own.count ? strengths : nil,
            from: zip(part.slots, own).map { $0.tensors["solution"] ?? $1 }
        ).map(\.point)
    }

    /// The point that carries the structure: the minimiser of the last subproblem where iterates are averages of such.
    public func structured(
        _ parameters: [Tensor], regularisation: Regularisation, state: OptimizerState
    ) -> [Tensor] {
        guard share < 1, state.step > 0 else { return parameters }
        return solutions(parameters, regularisation, state, only: Set(parameters.indices))
    }

    /// How far the structured point is from the exact minimiser: `‖v − prox(v − ∇q(v))‖` over all tensors, zero where
    /// every subproblem is solved exactly.
    public func inexactness(
        _ parameters: [Tensor], regularisation: Regularisation, state: OptimizerState
    ) -> Double? {
        guard share < 1 || self is any StagedOptimizer, state.step > 0, regularisation.coupling.isEmpty else {
            return nil
        }
        let points = structured(parameters, regularisation: regularisation, state: state)
        let squares = zip(problems(parameters, state), points).enumerated().map { index, pair in
            var penalty = regularisation.penalty
            if let strength = state.slots[index].numbers["lambda"], var scaled = penalty as? any ScaledPenalty {
                scaled.strength = strength
                penalty = scaled
            }
            let residual = pair.0.residual(at: pair.1, penalty)
            return residual * residual
        }
        return squares.reduce(0, +).squareRoot()
    }
}

/// A part of a run with a learning rate of its own.
public struct Stage: Sendable, Equatable {
    /// Number of the stage, from 0.
    public var index: Int
    /// Factor of the rate: γ for each stage before.
    public var decay: Double
    /// Steps done in the stage, this one included.
    public var step: Int
    /// Steps of the whole stage.
    public var length: Int
    /// Whether no stage follows.
    public var isLast: Bool

    /// Creates a stage.
    public init(index: Int, decay: Double, step: Int, length: Int, isLast: Bool) {
        (self.index, self.decay, self.step, self.length, self.isLast) = (index, decay, step, length, isLast)
    }
}

/// A proximal optimizer that starts afresh at every stage, and whose iterates lose their memory in the last one.
///
/// Only when the share c has grown to 1 do the parameters themselves carry the structure: before, they are averages of
/// points that do.
public protocol StagedOptimizer: ProximalOptimizer {
    /// Share c₀ of the minimiser in all stages but the last.
    var momentum: Double { get set }
    /// The optimizer with the constants of a stage.
    func inStage(_ stage: Stage) -> Self
}

extension StagedOptimizer {
    /// c, which is c₀.
    public var share: Double { momentum }

    /// Grows c as `c₀ √k` with the steps k of the last stage, as the paper's experiments did; faster where c would need
    /// more than half of the stage to reach 1.
    func ramped(_ stage: Stage) -> Double {
        guard stage.isLast, momentum < 1 else { return momentum }
        let needed = 1 / (momentum * momentum)
        let stretch = max(1, 2 * needed / Double(max(1, stage.length)))
        return min(1, momentum * (1 + Double(stage.step - 1) * stretch).squareRoot())
    }
}

extension SubproblemSolver {
    var isExact: Bool { if case .exact = self { true } else { false } }

    /// The same with a tolerance that goes to zero, as identification needs (RAMDA, arXiv:2403.14398, section 3).
    func tightened(at step: Int) -> SubproblemSolver {
        guard case .exact(let iterations, let tolerance) = self else { return self }
        return .exact(iterations: iterations, tolerance: tolerance / Double(max(1, step)).squareRoot())
    }
}

/// A proximal optimizer whose subproblems may take iterations, with hyperparameters that say how.
protocol IterativeProximalOptimizer: ProximalOptimizer {
    /// `exact` or `proximal_gradient`.
    var solverName: String { get set }
    /// `diagonal` or `scalar`.
    var metric: String { get set }
    /// Most iterations of a subproblem without closed form.
    var maxIterations: Int { get set }
    /// Relative tolerance of such a subproblem.
    var tolerance: Double { get set }
}

extension IterativeProximalOptimizer {
    /// How subproblems without a closed form are solved.
    public var solver: SubproblemSolver {
        solverName == "proximal_gradient"
            ? .proximalGradient(iterations: maxIterations, tolerance: tolerance)
            : .exact(iterations: maxIterations, tolerance: tolerance)
    }

    /// Whether the metric is one number for each tensor.
    public var hasScalarMetric: Bool { metric == "scalar" }
}

extension Setting where Root: StagedOptimizer {
    static var share: Setting {
        Setting("momentum", \.momentum, .positiveShare, "share of the new point in the average, before the last stage")
    }
}

extension Setting where Root: IterativeProximalOptimizer {
    static var solvers: [Setting] {
        [
            Setting(
                "solver", \.solverName, .oneOf(["exact", "proximal_gradient"]), "how the step's subproblem is solved"),
            Setting("metric", \.metric, .oneOf(["diagonal", "scalar"]), "scalar: one number for each tensor"),
            Setting("max_iters", \.maxIterations, .count(1), "most iterations of a subproblem without closed form"),
            Setting("rtol", \.tolerance, .atLeast(0), "relative tolerance of such a subproblem"),
        ]
    }
}
