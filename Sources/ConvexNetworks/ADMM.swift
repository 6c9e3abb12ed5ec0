import Proximal
import RunLog
import Solvers
import Torch

/// Settings of the alternating direction method of multipliers.
public struct ADMMSettings: Sendable, Codable, Equatable {
    /// How the data term enters the splitting.
    public enum Splitting: String, Sendable, Codable {
        /// `u = v`, `Gu = s`; the squared loss sits in the linear system (paper eq. 8).
        case two
        /// Also `Fu = z`: any loss, and a linear system free of ρ.
        case three
    }

    /// The splitting.
    public var splitting = Splitting.three
    /// Penalty parameter ρ > 0, for unit-norm rows; a multiple of the default one when `scalesRho`.
    public var rho = 1.0
    /// Takes ρ as a multiple of `60 c β/β_max` with `c` the loss's typical curvature: at it, runs over four decades
    /// of β took equally many iterations.
    public var scalesRho = true
    /// Weight ω > 0 of the split `u = v` beside the others.
    public var blockWeight = 1.0
    /// Over-relaxation in (0, 2).
    public var relaxation = 1.6
    /// Cone rows of unit norm; off reproduces the paper.
    public var scalesRows = true
    /// Features divided by their root-mean-square row norm, so that ρ and ω are free of scale.
    public var scalesData = true
    /// Moves ρ within a decade around its start during the first iterations.
    public var adaptsRho = false
    /// How the linear system is solved.
    public var linearSolver = LinearSolver.automatic
    /// Most conjugate-gradient products in one iteration.
    public var innerIterations = 8
    /// Factor by which one iteration's solve reduces the residual it starts from.
    public var innerReduction = 0.1
    /// Rank of the Nyström sketch; 0 chooses it by the spectrum.
    public var nystromRank = 0

    /// Creates the settings that `descent fit` uses.
    public init() {}

    /// The published settings of CRONOS: two splits, ρ 0.1, no scaling or relaxation, Nyström of rank 20.
    public static var paper: ADMMSettings {
        var settings = ADMMSettings()
        settings.splitting = .two
        settings.rho = 0.1
        settings.relaxation = 1
        settings.scalesRows = false
        settings.scalesData = false
        settings.scalesRho = false
        settings.linearSolver = .nystrom
        settings.nystromRank = 20
        settings.innerIterations = 32
        return settings
    }
}

/// Everything an ADMM run needs to go on: a checkpoint writes exactly these tensors.
public struct ADMMState: Sendable {
    /// The variable of the linear system, `d × M`.
    public var u: Tensor
    /// The group-sparse copy, `d × M`.
    public var v: Tensor
    /// Scaled multiplier of `u = v`.
    public var lambda: Tensor
    /// The cone variable `w` with `s = max(w, 0)` and `ν = min(w, 0)`, `n × M`; nil without cones.
    public var w: Tensor?
    /// The copy of `Fu`, `n × C`.
    public var z: Tensor
    /// Scaled multiplier of `Fu = z`.
    public var mu: Tensor
    /// `F u`, `n × C`.
    public var fitted: Tensor
    /// Current ρ.
    public var rho: Double
    /// Iterations done.
    public var iteration: Int
    /// Conjugate-gradient products done.
    public var innerIterations: Int

    /// Creates a state from its parts.
    public init(
        u: Tensor, v: Tensor, lambda: Tensor, w: Tensor?, z: Tensor, mu: Tensor, fitted: Tensor, rho: Double,
        iteration: Int, innerIterations: Int
    ) {
        (self.u, self.v, self.lambda, self.w) = (u, v, lambda, w)
        (self.z, self.mu, self.fitted) = (z, mu, fitted)
        (self.rho, self.iteration, self.innerIterations) = (rho, iteration, innerIterations)
    }
}

/// Residuals of one iteration, relative to the sizes they are compared with.
public struct ADMMResiduals: Sendable, Codable {
    /// Disagreement of the copies: `‖u − v‖, ‖Gu − s‖, ‖Fu − z‖` against `‖u‖, ‖Gu‖, ‖Fu‖`.
    public var primal: Double
    /// Change of the copies against the size of the multipliers.
    public var dual: Double
    /// `‖min(Gu, 0)‖ / ‖Gu‖`: how far `u` is outside its cones.
    public var violation: Double
}

/// ADMM for one convex program: `min L(Fu, y) + β Σ‖u_b‖` subject to `Gu ≥ 0`.
final class ADMM {
    let maps: PatternOperator
    let targets: Tensor
    let loss: any Loss
    var penalty: GroupLasso
    let settings: ADMMSettings
    let system: CoupledSystem
    var state: ADMMState

    /// Prepares the system; `warmStart` is a `d × M` variable inside its cones.
    ///
    /// - Throws: `TorchError` when a factorisation fails.
    init(
        maps: PatternOperator, targets: Tensor, loss: any Loss, penalty: GroupLasso, settings: ADMMSettings,
        system: CoupledSystem? = nil
    ) throws(TorchError) {
        guard settings.splitting == .three || loss is SquaredLoss else {
            throw TorchError(
                operation: "ADMM", message: "the two-split method holds the squared loss only; use three splits")
        }
        self.maps = maps
        self.targets = targets
        self.loss = loss
        self.penalty = penalty
        self.settings = settings
        let dataWeight = settings.splitting == .three ? 1 : 1 / settings.rho
        if let system {
            self.system = system
        } else {
            self.system = try CoupledSystem(
                maps: maps, blockWeight: settings.blockWeight, dataWeight: dataWeight, method: settings.linearSolver,
                nystromRank: settings.nystromRank)
        }
        let zero = Tensor.zeros(like: maps.x, shape: [maps.d, maps.layout.columns])
        let outputs = Tensor.zeros(like: maps.x, shape: [maps.n, maps.layout.outputs])
        let hasCones = maps.layout.formulation == .relu
        state = ADMMState(
            u: zero, v: zero, lambda: zero,
            w: hasCones ? Tensor.zeros(like: maps.x, shape: [maps.n, maps.layout.columns]) : nil,
            z: outputs, mu: outputs, fitted: outputs, rho: settings.rho, iteration: 0, innerIterations: 0)
    }

    /// Starts at `v`, with the multipliers that would hold if `v` were optimal.
    func start(at v: Tensor) {
        state.u = v
        state.v = v
        if state.w != nil { state.w = maps.cone(v) }
        state.fitted = maps.forward(maps.layout.coupled(v))
        state.z = state.fitted
        state.mu = loss.gradient(state.z, targets) * (1 / state.rho)
        // Active groups have λ = β v/(ρ ω ‖v‖); for the others zero is the neutral choice.
        state.lambda = penalty.directions(v) * (penalty.strength / (state.rho * settings.blockWeight))
    }

    /// One iteration. Returns the residuals.
    func step() -> ADMMResiduals {
        let rho = state.rho
        let (u, cgReport) = updateU()
        state.innerIterations += cgReport.iterations
        state.u = u

        // v and λ, over-relaxed.
        let alpha = settings.relaxation
        let relaxed = (u * alpha).adding(state.v, scaledBy: 1 - alpha)
        let point = relaxed + state.lambda
        let v = penalty.prox(point, step: 1 / (rho * settings.blockWeight))
        var change = (v - state.v).squareSum * settings.blockWeight
        let blockDifference = (u - v).squareSum
        state.lambda = point - v
        state.v = v

        // s and ν in one array; F u comes with the same pass.
        var sums = ConeSums()
        if state.w != nil {
            (state.fitted, sums) = maps.updateCone(u, &state.w!, relaxation: alpha)
        } else {
            state.fitted = maps.forward(maps.layout.coupled(u))
        }
        change += sums.change

        var dataDifference = 0.0
        if settings.splitting == .three {
            let relaxedFit = (state.fitted * alpha).adding(state.z, scaledBy: 1 - alpha)
            let fitPoint = relaxedFit + state.mu
            let z = loss.prox(fitPoint, targets, step: 1 / rho)
            change += (z - state.z).squareSum
            dataDifference = (state.fitted - z).squareSum
            state.mu = fitPoint - z
            state.z = z
        }
        state.iteration += 1

        let size = u.squareSum + sums.size + state.fitted.squareSum
        let multipliers =
            state.lambda.squareSum * settings.blockWeight
            + state.mu.squareSum + 1e-300
        return ADMMResiduals(
            primal: ((blockDifference + sums.primal + dataDifference) / max(size, 1e-300)).squareRoot(),
            dual: (change / multipliers).squareRoot(),
            violation: (sums.violation / max(sums.size, 1e-300)).squareRoot())
    }

    /// Solves `(ωI + G'G + F'F) u = F'(z − μ) + G'(s − ν) + ω(v − λ)`.
    ///
    /// An iterative method starts at the last `u`: taking `F u` off the data term first gives its residual in the same
    /// pass over the rows. The two halves of a signed variable separate by sum and difference.
    private func updateU() -> (Tensor, LinearSolveReport) {
        let isDirect = system.isDirect
        var data = settings.splitting == .three ? state.z - state.mu : targets * (1 / state.rho)
        let dataWeight = settings.splitting == .three ? 1 : 1 / state.rho
        if !isDirect { data.add(state.fitted, scaledBy: -dataWeight) }
        var b = maps.rightHandSide(data: data, cone: state.w)
        b.add(state.v - state.lambda, scaledBy: settings.blockWeight)
        let layout = maps.layout
        guard layout.isSigned else { return solveCoupled(b, start: state.u) }
        let (positive, negative) = layout.halves(b)
        let p = system.solveBlock(positive + negative)
        let (q, report) = solveCoupled(positive - negative, start: layout.coupled(state.u))
        return (layout.joined((p + q) * 0.5, (p - q) * 0.5), report)
    }

    private func solveCoupled(_ b: Tensor, start: Tensor) -> (Tensor, LinearSolveReport) {
        if system.isDirect {
            let exact = LinearSolveReport(iterations: 0, relativeResidual: 0, converged: true)
            return (system.solveDirectly(b), exact)
        }
        // Relative error control: each solve removes a share of what the last update left over.
        let conjugateGradient = ConjugateGradient(
            tolerance: 4 * b.dtype.epsilon, reduction: settings.innerReduction,
            maxIterations: settings.innerIterations)
        let block = system.applyBlock(start)
        return system.improve(
            start, residual: b - block, scale: max(block.norm, b.norm), conjugateGradient: conjugateGradient)
    }

    /// Multiplies ρ by `factor`; the scaled multipliers shrink by it, so that the iterate stays the same point.
    func rescale(by factor: Double) {
        demand(settings.splitting == .three, "with two splits the factored system depends on ρ")
        state.rho *= factor
        state.lambda = state.lambda * (1 / factor)
        state.mu = state.mu * (1 / factor)
        if let w = state.w {
            let s = w.relu()
            state.w = s + (w - s) * (1 / factor)
        }
    }
}
