import ConvexNetworks
import Networks
import Proximal
import RunLog
import Torch

/// The convex program of the last two layers.
extension AlternatingTraining {
    /// What a head is solved on.
    struct Features {
        /// Features scaled to unit mean square, with a column of ones.
        var z: Tensor
        /// What they were divided by.
        var scale: Double
    }

    /// Solves for the head on the features at hand and writes it into the network.
    ///
    /// Nil when the observer stopped the solve: the head then stays as it was, so that a resumed run solves it whole.
    mutating func solveHead(_ observe: (RunEvent<Network>) -> Directive) throws -> ConvexSolution? {
        let watch = run.watch
        let features = try watch.measure("features") { try self.features() }
        let round = run.state.progress.round
        let start = round == 0 ? nil : present(features.scale)
        let last = run.state.progress.headPenalty ?? head.penalty
        // Round numbers one below a power of two; random features, in round 0, tell nothing.
        let isChoice = head.choosesPenalty && round > 0 && (round + 1) & round == 0
        let held = isChoice ? try watch.measure("features") { try heldFeatures(features.scale) } : nil
        var best: (solution: ConvexSolution, penalty: Double, loss: Double)?
        // Heads that are all empty have the same loss: the smallest penalty comes first.
        for penalty in isChoice ? [last / 3, last, 3 * last] : [last] {
            guard let solution = try solve(features, from: start, penalty: penalty, observe) else { return nil }
            let loss = held.map { self.loss.value(solution.network.predict($0.z), $0.y) } ?? 0
            if best == nil || loss < best?.loss ?? .infinity { best = (solution, penalty, loss) }
        }
        guard let best else { return nil }
        write(best.solution.network.balanced(), features.scale)
        run.state.progress.headPenalty = best.penalty
        run.state.progress.round += 1
        return best.solution
    }

    /// The numbers of a solve in the history and in the event that tells of it.
    mutating func noted(_ solution: ConvexSolution, _ event: RunEvent<Network>) -> RunEvent<Network> {
        var event = event
        let last = run.state.progress.history.count - 1
        run.state.progress.history[last].objective = solution.certificate.objective
        run.state.progress.history[last].relativeGap = solution.certificate.relativeGap
        run.state.progress.history[last].penalty = run.state.progress.headPenalty
        event.point = run.state.progress.history[last]
        // A checkpoint written now must hold them too.
        let current = run.event(nil)
        (event.writeCheckpoint, event.result) = (current.writeCheckpoint, current.result)
        event.progress.objective = solution.certificate.objective
        event.progress.relativeGap = solution.certificate.relativeGap
        return event
    }

    /// One solve from a head, or from a stochastic run where there is none; nil when the observer stopped it.
    private func solve(
        _ features: Features, from start: TwoLayerNetwork?, penalty perRow: Double,
        _ observe: (RunEvent<Network>) -> Directive
    ) throws -> ConvexSolution? {
        let watch = run.watch
        let (z, y) = (features.z, targets)
        var settings = ConvexSettings()
        settings.penalty = perRow * Double(z.shape[0])
        settings.maxIterations = head.iterations
        settings.tolerance = head.tolerance
        settings.seed = run.trainer.seed &+ UInt64(run.state.progress.round)
        var wasStopped = false
        var isLate: Bool { run.trainer.timeLimit.map { run.trainingSeconds >= $0 } ?? false }
        let result = try watch.measure("convex") { () throws(TorchError) -> FitResult in
            settings.patterns = .network(units: head.units)
            settings.initialNetwork = start
            return try ConvexFit(settings: settings, loss: loss)
                .run(x: z, y: y, watch: Stopwatch()) { event in
                    let progress = RunProgress(
                        phase: "convex", iteration: event.progress.iteration, limit: event.progress.limit,
                        seconds: watch.seconds, objective: event.progress.objective,
                        relativeGap: event.progress.relativeGap)
                    var shown = run.event(nil)
                    shown.progress = progress
                    wasStopped = wasStopped || observe(shown) == .stop || isLate
                    return wasStopped ? .stop : .proceed
                }
        }
        return wasStopped ? nil : result.solution
    }

    /// Why a solve ended before its end.
    var cut: Termination {
        run.trainer.timeLimit.map { run.trainingSeconds >= $0 } ?? false ? .timeLimit : .cancelled
    }

    /// Features of the rows that solves use.
    private func features() throws -> Features {
        let x = try rows.map { try run.problem.train.x.rows($0) } ?? run.problem.train.x.all()
        let z = rawFeatures(x)
        let scale = max((z.squareSum / Double(z.count)).squareRoot(), 1e-12)
        return Features(z: Self.scaled(z, scale), scale: scale)
    }

    /// Features and targets of the validation rows, which neither features nor heads were trained on.
    private func heldFeatures(_ scale: Double) throws -> (z: Tensor, y: Tensor)? {
        try run.problem.validation.map {
            (Self.scaled(rawFeatures(try $0.x.all()), scale), Self.encoded($0, run.problem))
        }
    }

    private func rawFeatures(_ x: Tensor) -> Tensor {
        guard let headed = run.state.network.module as? HeadedNetwork else {
            fatalError("the network has no head")
        }
        return run.state.network.features(x, headed)
    }

    private static func scaled(_ z: Tensor, _ scale: Double) -> Tensor {
        let ones = Tensor.full([z.shape[0], 1], 1, dtype: z.dtype, device: z.device)
        return Tensor.concatenate([z * (1 / scale), ones], dimension: 1)
    }

    /// The head at hand as a two-layer network of scaled features.
    private func present(_ scale: Double) -> TwoLayerNetwork {
        let parameters = run.state.network.parameters
        guard let weight = parameters["head.0.weight"], let bias = parameters["head.0.bias"],
            let output = parameters["head.2.weight"]
        else { fatalError("the network has no head") }
        let norms = output.squared().sum(0).doubles()
        let alive = norms.indices.filter { norms[$0] > 0 }
        let hidden = Tensor.concatenate([weight.transposed() * scale, bias.reshaped(1, -1)], dimension: 0)
        return TwoLayerNetwork(
            hidden: hidden.gathering(alive, dimension: 1), output: output.transposed().gathering(alive)
        ).balanced()
    }

    /// Writes a network of scaled features into the head; units that it lacks become zero.
    private mutating func write(_ network: TwoLayerNetwork, _ scale: Double) {
        let d = base.featureCount
        let missing = head.units - network.units
        demand(missing >= 0, "\(network.units) units for a head of \(head.units)")
        func padded(_ tensor: Tensor, _ columns: Int) -> Tensor {
            missing == 0
                ? tensor
                : Tensor.concatenate([tensor, .zeros(like: tensor, shape: [missing, columns])], dimension: 0)
        }
        let rows = padded(network.hidden.transposed().contiguous(), d + 1)
        run.state.network.parameters["head.0.weight"] = (rows.columns(0..<d) * (1 / scale)).contiguous()
        run.state.network.parameters["head.0.bias"] = rows.columns(d..<d + 1).contiguous().reshaped(-1)
        run.state.network.parameters["head.2.weight"] =
            padded(network.output, network.outputs).transposed().contiguous()
    }
}
