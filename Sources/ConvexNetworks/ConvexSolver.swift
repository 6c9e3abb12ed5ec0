import Proximal
import RunLog
import Torch

/// What a solve reports at each check; the observer may stop the run.
public struct SolveCheck {
    /// Iteration, objective and gap.
    public var iteration: Int
    /// The network at hand.
    public var network: TwoLayerNetwork
    /// Its certificate in working precision.
    public var certificate: Certificate
    /// The full state, for a checkpoint.
    public var state: ADMMState
}

/// Solves one convex program by ADMM with certified stopping.
public struct ConvexSolver {
    /// Settings of the fit.
    public var settings: ConvexSettings

    /// Creates a solver.
    public init(settings: ConvexSettings) { self.settings = settings }

    /// A program with its scaled operator and factored system, ready for any number of penalties.
    public final class Workspace {
        let program: ConvexProgram
        /// Root-mean-square row norm τ; the solver works on `X/τ`, `τv` and `β/τ`.
        let scale: Double
        let maps: PatternOperator
        let system: CoupledSystem
        /// Penalty at which all weights vanish, or a bound on it.
        private(set) lazy var criticalPenalty = program.criticalPenalty()

        /// Scales the data and factors the system.
        ///
        /// - Throws: `TorchError` when a factorisation fails.
        public init(_ program: ConvexProgram, settings: ADMMSettings) throws(TorchError) {
            self.program = program
            scale = settings.scalesData ? max(program.x.squared().sum(1).mean(0).scalar.squareRoot(), 1e-30) : 1
            let x = scale == 1 ? program.x : program.x / scale
            let rowScale =
                settings.scalesRows
                ? x.squared().sum(1).squareRoot().clamped(min: 1e-20).reciprocal()
                : Tensor.full([x.shape[0]], 1, dtype: x.dtype, device: x.device)
            maps = PatternOperator(x: x, mask: program.patterns.mask, layout: program.layout, rowScale: rowScale)
            let dataWeight = settings.splitting == .three ? 1 : 1 / settings.rho
            system = try CoupledSystem(
                maps: maps, blockWeight: settings.blockWeight, dataWeight: dataWeight,
                method: settings.linearSolver, nystromRank: settings.nystromRank)
        }
    }

    /// Solves for one penalty.
    ///
    /// - Parameters:
    ///   - penalty: β > 0.
    ///   - warmStart: weights in the units of the program's features, `d × M`, inside their cones.
    ///   - resume: the state of an interrupted run of the same program.
    ///   - checks: whether to certify along the way; without, the solve runs to the residuals or the limit.
    ///   - deadline: answers whether the time is up.
    ///   - observe: called at each check.
    /// - Throws: `TorchError` when the engine fails. Not converging is a termination, not an error.
    public func solve(
        _ workspace: Workspace, penalty: Double, warmStart: Tensor? = nil, resume: ADMMState? = nil,
        checks: Bool = true, deadline: () -> Bool = { false }, observe: (SolveCheck) -> Directive = { _ in .proceed }
    ) throws(TorchError) -> ConvexSolution {
        let program = workspace.program
        let lasso = GroupLasso(strength: penalty, columnsPerGroup: program.columnsPerGroup)
        let scaled = GroupLasso(strength: penalty / workspace.scale, columnsPerGroup: program.columnsPerGroup)
        let admm = try started(workspace, scaled, penalty, warmStart: warmStart, resume: resume)
        var termination = Termination.iterationLimit
        var residuals: ADMMResiduals?
        // What to return where the iterates stop being finite: the last network that was looked at.
        var sound = TwoLayerNetwork(
            solution: Tensor.zeros(like: admm.state.v), layout: program.layout, gates: program.patterns.gates,
            columnsPerGroup: program.columnsPerGroup)
        while admm.state.iteration < settings.maxIterations {
            let step = admm.step()
            residuals = step
            guard step.primal.isFinite, step.dual.isFinite || admm.state.iteration < 3 else {
                termination = .nonFinite
                break
            }
            balance(admm, step)
            let timeIsUp = deadline()
            guard checks else {
                if timeIsUp || max(step.primal, step.dual) < settings.tolerance { break }
                continue
            }
            let isLast = timeIsUp || admm.state.iteration == settings.maxIterations
            guard isLast || isDue(admm.state.iteration, workspace.system.method) else { continue }
            let (network, certificate) = check(workspace, admm, lasso, precision: program.x.dtype)
            guard certificate.objective.isFinite else {
                termination = .nonFinite
                break
            }
            sound = network
            let check = SolveCheck(
                iteration: admm.state.iteration, network: network, certificate: certificate, state: admm.state)
            if observe(check) == .stop {
                termination = .cancelled
                break
            }
            if isConverged(certificate, step, isZero: network.units == 0) {
                termination = .converged
                break
            }
            if timeIsUp {
                termination = .timeLimit
                break
            }
        }
        guard termination != .nonFinite, admm.state.v.isFinite else {
            let objective = sound.objective(program.x, program.y, loss: program.loss, penalty: penalty)
            let certificate = Certificate(
                uncertified: objective,
                statement:
                    "The iterates stopped being finite, so nothing is certified: the network is the last one before.")
            return solution(workspace, admm, sound, certificate, scaled, .nonFinite, residuals)
        }
        let (network, certificate) = check(workspace, admm, lasso, precision: .float64)
        return solution(workspace, admm, network, certificate, scaled, termination, residuals)
    }

    /// The method at its start, or where another run of it was.
    private func started(
        _ workspace: Workspace, _ scaled: GroupLasso, _ penalty: Double, warmStart: Tensor?, resume: ADMMState?
    ) throws(TorchError) -> ADMM {
        let program = workspace.program
        let admm = try ADMM(
            maps: workspace.maps, targets: program.y, loss: program.loss, penalty: scaled,
            settings: admmSettings(workspace, penalty), system: workspace.system)
        if let resume {
            let rho = admm.state.rho
            admm.state = resume
            // The state of another penalty on a path: same point, new ρ.
            if resume.iteration == 0, rho != resume.rho { admm.rescale(by: rho / resume.rho) }
        } else if let warmStart {
            admm.start(at: warmStart * workspace.scale)
        }
        return admm
    }

    /// The settings with ρ in absolute terms.
    private func admmSettings(_ workspace: Workspace, _ penalty: Double) -> ADMMSettings {
        var resolved = settings.admm
        guard resolved.scalesRho, resolved.splitting == .three else { return resolved }
        let share = penalty / max(workspace.criticalPenalty, 1e-300)
        resolved.rho *= min(max(60 * type(of: workspace.program.loss).typicalCurvature * share, 1e-4), 10)
        return resolved
    }

    /// Whether to certify after this iteration. The schedule depends on nothing but the count, so that a run and its
    /// resumption stop at the same iterate. A check costs about as much as one iteration with a direct solve.
    private func isDue(_ iteration: Int, _ method: LinearSolver) -> Bool {
        let isDirect = method == .dualFactor || method == .primalFactor
        return iteration <= 3 || iteration % (isDirect ? 10 : 5) == 0
    }

    private func isConverged(_ certificate: Certificate, _ step: ADMMResiduals, isZero: Bool) -> Bool {
        guard let gap = certificate.relativeGap else { return false }
        // Zero lies in every cone, and residuals relative to it mean nothing.
        if isZero { return abs(gap) <= settings.tolerance }
        // A gap that is small only because v is outside its cones is not convergence.
        return abs(gap) <= settings.tolerance && step.primal <= max(settings.tolerance, 1e-7).squareRoot() * 0.1
    }

    /// Keeps the primal residual near four times the dual one: the gap depends most on the multipliers.
    ///
    /// ρ stays within a decade of its start and rests after 50 iterations, which keeps the method's guarantee
    /// (unbounded balancing diverged).
    private func balance(_ admm: ADMM, _ step: ADMMResiduals) {
        guard settings.admm.adaptsRho, settings.admm.splitting == .three else { return }
        let k = admm.state.iteration
        guard k <= 50, k % 5 == 0, step.primal > 0, step.dual > 0 else { return }
        let ratio = step.primal / step.dual
        let start = admm.settings.rho
        if ratio > 16, admm.state.rho * 2 <= start * 10 {
            admm.rescale(by: 2)
        } else if ratio < 1, admm.state.rho / 2 >= start / 10 {
            admm.rescale(by: 0.5)
        }
    }

    /// The network at hand and its certificate, both in the units of the raw features.
    private func check(
        _ workspace: Workspace, _ admm: ADMM, _ lasso: GroupLasso, precision: DType
    ) -> (TwoLayerNetwork, Certificate) {
        let program = workspace.program
        let network = TwoLayerNetwork(
            solution: admm.state.v / workspace.scale, layout: program.layout, gates: program.patterns.gates,
            columnsPerGroup: program.columnsPerGroup)
        let rho = admm.state.rho
        let rowScale = workspace.maps.rowScale
        // −ρν = ρ max(−w, 0), times the row scale, is the multiplier of the raw cone constraint.
        let cone = admm.state.w.map { w in
            { (range: Range<Int>) in (-w.rows(range)).relu() * (rowScale.rows(range).unsqueezed(1) * rho) }
        }
        let data =
            settings.admm.splitting == .three
            ? admm.state.mu * rho : program.loss.gradient(admm.state.fitted, program.y)
        var candidates = [data]
        // Exact where the penalty is so large that zero is optimal.
        if network.units == 0 { candidates.append(program.loss.gradient(Tensor.zeros(like: program.y), program.y)) }
        let certificate = Certificate(
            network: network, x: program.x, y: program.y, mask: program.patterns.mask, layout: program.layout,
            loss: program.loss, penalty: lasso, multipliers: .init(data: candidates, cone: cone), precision: precision)
        return (network, certificate)
    }

    private func solution(
        _ workspace: Workspace, _ admm: ADMM, _ network: TwoLayerNetwork, _ certificate: Certificate,
        _ scaled: GroupLasso, _ termination: Termination, _ residuals: ADMMResiduals?
    ) -> ConvexSolution {
        let program = workspace.program
        let fit = workspace.maps.forward(program.layout.coupled(admm.state.v))
        return ConvexSolution(
            network: network, certificate: certificate,
            convexObjective: program.loss.value(fit, program.y) + scaled.value(admm.state.v),
            violation: residuals?.violation, termination: termination, iterations: admm.state.iteration,
            innerIterations: admm.state.innerIterations, linearSolver: workspace.system.method,
            flops: workspace.maps.flops, residuals: residuals, state: admm.state)
    }
}
