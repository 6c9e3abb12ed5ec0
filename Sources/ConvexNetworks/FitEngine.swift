import Proximal
import RunLog
import Torch

/// One fit in progress, in the coordinates it is solved in.
struct FitEngine {
    var settings: ConvexSettings
    let loss: any Loss
    let x: Tensor
    let y: Tensor
    let watch: Stopwatch
    let space: RowSpace?
    let rawFeatures: Tensor
    let checks: Bool
    var initial: TwoLayerNetwork?
    var notices: [String] = []
    /// Whether the patterns are those of the settings, so that a resumed run ends like an uninterrupted one.
    var isResumable = true

    private var deadline: Bool { settings.timeLimit.map { watch.seconds >= $0 } ?? false }

    mutating func run(resume: FitCheckpoint?, observe: (FitEvent) -> Directive) throws(TorchError) -> FitResult {
        var (program, start): (ConvexProgram, Tensor?)
        if let resume {
            if let fault = resume.fault(x: x, outputs: y.shape[1], settings: settings) {
                throw TorchError(operation: "checkpoint", message: "it is damaged, or of another run: \(fault)")
            }
            initial = resume.initial
            (program, start) = (self.program(patterns: resume.patterns, directions: resume.directions), nil)
        } else {
            (program, start) = watch.measure("patterns") { firstProgram(observe) }
        }
        var state = resume?.state
        var round = resume?.round ?? 0
        var pricing: Double?
        var solution: ConvexSolution
        while true {
            solution = try solve(program, start: start, resume: state, round: round, observe: observe)
            state = nil
            let mayGoOn = solution.termination == .converged || solution.termination == .iterationLimit
            guard mayGoOn, !deadline, let next = grown(program, solution, round: round, pricing: &pricing) else {
                break
            }
            (program, start) = next
            round += 1
        }
        let objective = initial?.objective(x, y, loss: loss, penalty: settings.penalty)
        keepStart(round == 0 ? initial : start.map { Self.network($0, program) }, &solution)
        keepStart(given, &solution)
        solution.network = lifted(solution.network)
        return FitResult(
            solution: solution, patternCount: program.patterns.count,
            gates: space?.lift(program.patterns.gates, x: rawFeatures) ?? program.patterns.gates,
            penalty: settings.penalty,
            initialNetwork: initial.map(lifted), initialObjective: objective, pricing: pricing, rowSpaceRank: nil,
            notices: notices)
    }

    /// Returns to the feasible network that the last program started from, where a run cut short is still above it.
    private mutating func keepStart(_ start: TwoLayerNetwork?, _ solution: inout ConvexSolution) {
        guard let start, sharesUnits else { return }
        let objective = start.objective(x, y, loss: loss, penalty: settings.penalty)
        guard objective < solution.certificate.objective else { return }
        solution.network = start
        solution.certificate = solution.certificate.restated(objective: objective)
        notices.append("the network that the solve started from has the lower objective, so it is the result")
    }

    /// The network of a program's feasible start.
    private static func network(_ start: Tensor, _ program: ConvexProgram) -> TwoLayerNetwork {
        TwoLayerNetwork(solution: start, layout: program.layout, gates: nil, columnsPerGroup: 1)
    }

    mutating func path(_ penalties: [Double], visit: (Int, TwoLayerNetwork) -> Directive) throws(TorchError) {
        var (program, start): (ConvexProgram, Tensor?)
        if case .grow = settings.patterns {
            var growing = self
            growing.settings.penalty = settings.patternPenalty ?? settings.penalty
            let found = try growing.run(resume: nil) { _ in .proceed }
            guard found.solution.network.units > 0 else { return }
            (program, start) = self.program(of: growing.unlifted(found.solution.network))
        } else {
            (program, start) = firstProgram { _ in .proceed }
        }
        let solver = ConvexSolver(settings: settings)
        let workspace = try ConvexSolver.Workspace(program, settings: settings.admm)
        var state: ADMMState?
        for (index, penalty) in penalties.enumerated() {
            let solution = try solver.solve(
                workspace, penalty: penalty, warmStart: start, resume: state, checks: false,
                deadline: { deadline })
            state = solution.state
            state?.iteration = 0
            start = nil
            if visit(index, lifted(solution.network)) == .stop { return }
        }
    }

    /// The network that the settings bring, as the solve sees it.
    private var given: TwoLayerNetwork? {
        guard case .network(let units) = settings.patterns, let network = settings.initialNetwork else { return nil }
        demand(network.units <= units, "a start of \(network.units) units for a run of \(units)")
        return unlifted(network.converted(like: x)).balanced()
    }

    /// The network in the coordinates of the solve.
    private func unlifted(_ network: TwoLayerNetwork) -> TwoLayerNetwork {
        space.map { $0.project(network, x: rawFeatures) } ?? network
    }

    private func lifted(_ network: TwoLayerNetwork) -> TwoLayerNetwork {
        space.map { $0.lift(network, x: rawFeatures) } ?? network
    }

    // MARK: Programs

    private mutating func firstProgram(_ observe: (FitEvent) -> Directive) -> (ConvexProgram, Tensor?) {
        switch settings.patterns {
        case .sampled(let count):
            var wasLate = false
            let patterns = ActivationPatterns.sampled(x: x, count: count, seed: settings.seed) {
                wasLate = wasLate || deadline
                return wasLate
            }
            if patterns.count < count {
                isResumable = !wasLate
                notices.append("only \(patterns.count) distinct activation patterns were found, \(count) asked")
            }
            return (program(patterns: patterns, directions: nil), nil)
        case .gates(let gates):
            let coordinates = space?.project(gates.to(x.dtype), x: rawFeatures) ?? gates.to(x.dtype)
            let patterns = ActivationPatterns(x: x, gates: coordinates)
            if patterns.count < gates.shape[1] {
                notices.append(
                    "\(gates.shape[1] - patterns.count) of \(gates.shape[1]) gates repeat a pattern or never open")
            }
            return (program(patterns: patterns, directions: nil), nil)
        case .grow:
            let eta = loss.gradient(Tensor.zeros(like: y), y)
            let found = PatternGrowth().candidates(x: x, eta: eta, current: nil, seed: settings.seed)
            let chosen = PatternGrowth().select(found, count: growthStep, penalty: 0)
            return grownProgram(found, chosen, base: nil)
        case .given(let network):
            return start(from: unlifted(network.converted(like: x)).balanced(), observe)
        case .network(let units):
            let run = StochasticRun(units: units, epochs: settings.epochs, seed: settings.seed)
            var wasStopped = false
            let network = run.train(
                x: x, y: y, loss: loss, penalty: settings.patternPenalty ?? settings.penalty,
                from: given, isLate: { deadline }
            ) { step, limit in
                let progress = RunProgress(phase: "patterns", iteration: step, limit: limit, seconds: watch.seconds)
                let directive = deadline ? .stop : observe(FitEvent(progress: progress))
                wasStopped = wasStopped || directive == .stop
                return directive
            }
            isResumable = !wasStopped
            return start(from: network.balanced(), observe)
        }
    }

    /// Reports a network and makes the program of its patterns.
    private mutating func start(
        from network: TwoLayerNetwork, _ observe: (FitEvent) -> Directive
    ) -> (ConvexProgram, Tensor?) {
        let made = program(of: network)
        guard network.formulation == .relu else { return made }
        // Of the program's own patterns, where it has them: units that never open are gone.
        initial = made.1.map { Self.network($0, made.0) } ?? network
        guard checks else { return made }
        let progress = RunProgress(
            phase: "patterns", iteration: 0, limit: settings.maxIterations, seconds: watch.seconds,
            objective: network.objective(x, y, loss: loss, penalty: settings.penalty))
        let engine = self
        _ = observe(FitEvent(progress: progress, network: { engine.lifted(network) }))
        return made
    }

    private func program(patterns: ActivationPatterns, directions: Tensor?) -> ConvexProgram {
        let shared = directions.map { OutputCoupling.directions($0) } ?? .perOutput
        let layout = BlockLayout(
            patterns: patterns.count, outputs: y.shape[1], formulation: settings.formulation, coupling: shared)
        let joint = settings.sharing == .joint && directions == nil
        return ConvexProgram(
            x: x, y: y, loss: loss, patterns: patterns, layout: layout,
            columnsPerGroup: joint ? layout.columnsPerPattern : 1)
    }

    /// Whether a unit serves all outputs along a direction of its own.
    private var sharesUnits: Bool { settings.formulation == .relu && settings.sharing != .separate }

    /// The program of a network's own patterns and directions, and the network as its feasible start.
    private func program(of network: TwoLayerNetwork) -> (ConvexProgram, Tensor?) {
        let dead = network.output.squared().sum(1).doubles()
        let alive = dead.indices.filter { dead[$0] > 0 }
        let hidden = network.hidden.gathering(alive, dimension: 1)
        let output = network.output.gathering(alive)
        let sizes = output.squared().sum(1).squareRoot()
        let gates = network.formulation == .relu ? hidden : network.gates!
        guard sharesUnits, network.formulation == .relu else {
            let patterns = ActivationPatterns(x: x, gates: gates)
            return patterns.count > 0 ? (program(patterns: patterns, directions: nil), nil) : emptyProgram()
        }
        // Two units with one pattern may still differ in direction, so nothing is dropped here but empty patterns.
        let mask = ActivationPatterns.mask(x, gates)
        let open = mask.to(.float32).sum(0).doubles()
        let kept = open.indices.filter { open[$0] > 0 }
        guard !kept.isEmpty else { return emptyProgram() }
        let patterns = ActivationPatterns(
            gates: gates.gathering(kept, dimension: 1), mask: mask.gathering(kept, dimension: 1).contiguous(),
            kept: kept)
        let directions = (output / sizes.unsqueezed(1)).gathering(kept)
        let start = (hidden * sizes).gathering(kept, dimension: 1)
        return (program(patterns: patterns, directions: directions), start)
    }

    /// The program where no unit of a network is open on any row: one random pattern, along the steepest descent.
    private func emptyProgram() -> (ConvexProgram, Tensor?) {
        let sampled = ActivationPatterns.sampled(x: x, count: 8, seed: settings.seed)
        let open = sampled.mask.to(.float32).sum(0).doubles()
        let widest = open.indices.max { open[$0] < open[$1] } ?? 0
        let patterns = ActivationPatterns(x: x, gates: sampled.gates.columns(widest..<widest + 1).contiguous())
        guard sharesUnits else { return (program(patterns: patterns, directions: nil), nil) }
        let slope = -patterns.mask.to(x.dtype).transposedTimes(loss.gradient(Tensor.zeros(like: y), y))
        let length = slope.norm
        let direction = length > 0 ? slope / length : Tensor.full(slope.shape, 1, dtype: x.dtype, device: x.device)
        return (program(patterns: patterns, directions: direction), nil)
    }

    // MARK: Solve and grow

    private func solve(
        _ program: ConvexProgram, start: Tensor?, resume: ADMMState?, round: Int,
        observe: (FitEvent) -> Directive
    ) throws(TorchError) -> ConvexSolution {
        let solver = ConvexSolver(settings: settings)
        let workspace = try watch.measure("factor") { () throws(TorchError) in
            try ConvexSolver.Workspace(program, settings: settings.admm)
        }
        return try watch.measure("solve") { () throws(TorchError) in
            try solver.solve(
                workspace, penalty: settings.penalty, warmStart: start, resume: resume, checks: checks,
                deadline: { deadline }
            ) { check in
                let progress = RunProgress(
                    phase: "solve", iteration: check.iteration, limit: settings.maxIterations,
                    seconds: watch.seconds, objective: check.certificate.objective,
                    relativeGap: check.certificate.relativeGap)
                let checkpoint = FitCheckpoint(
                    patterns: program.patterns, directions: program.layout.directions, state: check.state,
                    round: round, initial: initial)
                return observe(
                    FitEvent(
                        progress: progress, network: { lifted(check.network) },
                        checkpoint: isResumable ? checkpoint : nil))
            }
        }
    }

    /// Patterns added in one round of growth.
    private var growthStep: Int {
        guard case .grow(let limit) = settings.patterns else { return 0 }
        return max(2, limit / 6)
    }

    /// The next program, when growth or a refresh is due and finds something.
    private func grown(
        _ program: ConvexProgram, _ solution: ConvexSolution, round: Int, pricing: inout Double?
    ) -> (ConvexProgram, Tensor?)? {
        if case .grow(let limit) = settings.patterns {
            let eta = loss.gradient(solution.network.predict(x), y)
            let growth = PatternGrowth()
            let found = growth.candidates(
                x: x, eta: eta, current: solution.network.hidden, seed: settings.seed &+ UInt64(round) &+ 1)
            pricing = (found.violations.first ?? 0) / settings.penalty
            let room = limit - solution.network.units
            guard room > 0 else { return nil }
            let chosen = growth.select(found, count: min(room, growthStep), penalty: settings.penalty)
            guard !chosen.isEmpty, round < 40 else { return nil }
            return grownProgram(found, chosen, base: solution.network)
        }
        guard round < settings.refreshes, settings.formulation == .relu, program.layout.directions != nil else {
            return nil
        }
        return self.program(of: solution.network)
    }

    /// The program of a network's patterns with new candidates, started at the network.
    private func grownProgram(
        _ found: CandidateNeurons, _ chosen: [Int], base: TwoLayerNetwork?
    ) -> (ConvexProgram, Tensor?) {
        let newGates = found.gates.gathering(chosen, dimension: 1)
        guard settings.formulation == .relu else {
            let gates = base?.gates.map { Tensor.concatenate([$0, newGates], dimension: 1) } ?? newGates
            return (program(patterns: ActivationPatterns(x: x, gates: gates), directions: nil), nil)
        }
        // New neurons start at zero weight: a direction alone defines their block.
        let tiny = Tensor.full([chosen.count, 1], 1e-12, dtype: x.dtype, device: x.device)
        let newOutput = found.directions.gathering(chosen) * tiny
        let hidden = base.map { Tensor.concatenate([$0.hidden, newGates], dimension: 1) } ?? newGates
        let output = base.map { Tensor.concatenate([$0.output, newOutput], dimension: 0) } ?? newOutput
        return program(of: TwoLayerNetwork(hidden: hidden, output: output))
    }
}
