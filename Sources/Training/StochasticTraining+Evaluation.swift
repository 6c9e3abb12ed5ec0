import Datasets
import Estimators
import Networks
import Optimizers
import Proximal
import RunLog
import Settings
import Structure
import Torch

/// Evaluation and results of a run.
extension StochasticTraining {
    /// The network to evaluate: with averages where something averages.
    var evaluationNetwork: Network {
        var network = state.network
        let names = network.parameters.names
        let positions = names.indices.filter { trainer.trained?.contains(names[$0]) ?? true }
        let moved = rule.evaluationParameters(
            positions.map { network.parameters.values[$0] }, state: state.rule)
        for (position, tensor) in zip(positions, moved) { network.parameters.values[position] = tensor }
        return network
    }

    @discardableResult
    mutating func evaluate(phase: String, gradientNorm: Double? = nil) throws -> HistoryPoint {
        let seconds = trainingSeconds
        let snapshot = self
        let network = snapshot.evaluationNetwork
        let scores = try watch.measure("evaluate") { try snapshot.problem.scores(network) }
        var point = HistoryPoint(phase: phase, step: state.rule.step, epoch: epoch, seconds: seconds)
        point.gradientNorm = gradientNorm
        (point.validationScore, point.testScore) = (scores.validation, scores.test)
        watch.measure("evaluate") { point.structure = snapshot.structure(network) }
        if state.progress.lossCount > 0 { point.trainLoss = state.progress.lossSum / Double(state.progress.lossCount) }
        point.learningRate = rate(rule.groups[0].optimizer.lr)
        (state.progress.lossSum, state.progress.lossCount) = (0, 0)
        note(point)
        state.progress.history.append(point)
        return point
    }

    /// Keeps the best score, and lets a controller see the metric.
    private mutating func note(_ point: HistoryPoint) {
        guard point.phase != "start" else { return }
        let score = point.validationScore ?? point.testScore ?? point.trainLoss.map { -$0 }
        if let score {
            if score > state.progress.best ?? -.infinity {
                (state.progress.best, state.progress.bestStep) = (score, point.step)
                state.progress.waiting = 0
            } else {
                state.progress.waiting += 1
            }
        }
        if let metric = trainer.schedule as? any MetricSchedule, var plateau = state.progress.plateau,
            let value = point.validationScore.map({ 1 - $0 }) ?? point.trainLoss
        {
            _ = metric.factor(after: value, base: rule.groups[0].optimizer.lr, state: &plateau)
            state.progress.plateau = plateau
        }
    }

    // MARK: Structure

    /// The penalty of each parameter.
    private var penalties: [(any Penalty)?] {
        let names = state.network.parameters.names
        let chosen = names.indices.filter { trainer.trained?.contains(names[$0]) ?? true }
        var penalties = [(any Penalty)?](repeating: nil, count: names.count)
        for (group, positions) in zip(rule.groups, state.rule.assignment) {
            for (place, position) in positions.enumerated() {
                penalties[chosen[position]] = group.regularisation?.penalty(of: place)
            }
        }
        return penalties
    }

    /// The structure of a network, where parameters have a penalty.
    func layers(_ network: Network) -> NetworkStructure? {
        let penalties = penalties
        guard penalties.contains(where: { $0 != nil }) else { return nil }
        return NetworkStructure(network.parameters, penalties: penalties)
    }

    private func structure(_ network: Network) -> StructurePoint? {
        guard let found = layers(network) else { return nil }
        let names = network.parameters.names
        let chosen = names.indices.filter { trainer.trained?.contains(names[$0]) ?? true }
        let parameters = chosen.map { network.parameters.values[$0] }
        let current = chosen.map { state.network.parameters.values[$0] }
        let strengths = state.rule.optimizers.flatMap { $0.slots.compactMap { $0.numbers["lambda"] } }
        var point = StructurePoint(
            zeroShare: found.zeroShare, fingerprint: found.fingerprint,
            penalty: rule.penalty(parameters, state: state.rule) ?? 0)
        (point.groupSparsity, point.unweightedGroupSparsity) = (found.weightedGroupSparsity, found.groupSparsity)
        point.lowRankLevel = found.lowRankLevel
        point.strength = strengths.isEmpty ? nil : strengths.reduce(0, +) / Double(strengths.count)
        point.inexactness = rule.inexactness(current, state: state.rule)
        return point
    }

    // MARK: Results

    /// The numbers of the run.
    ///
    /// - Throws: `NonFiniteError` where the network that came out is no result.
    func report(termination: Termination) throws -> TrainingReport {
        let network = evaluationNetwork
        try requireFinite(network)
        let (loss, train) = try watch.measure("evaluate") { try problem.trainingScores(network) }
        guard loss.isFinite else {
            throw NonFiniteError(
                description: "the loss over all training rows is no number behind step \(state.rule.step); lower the "
                    + "learning rate, or bound gradients with `clip_norm`")
        }
        let names = network.parameters.names
        let chosen = names.indices.filter { trainer.trained?.contains(names[$0]) ?? true }
        let penalty = rule.penalty(chosen.map { network.parameters.values[$0] }, state: state.rule)
        let last = state.progress.history.last
        let hasScores = last?.validationScore != nil || last?.testScore != nil
        let optimizer = rule.groups[0].optimizer
        return TrainingReport(
            method: type(of: optimizer).name, optimizer: optimizer.settings,
            parameters: network.parameterCount, rows: problem.rows, steps: state.rule.step, epochs: epoch,
            trainScore: train, validationScore: last?.validationScore, testScore: last?.testScore,
            bestScore: hasScores ? state.progress.best : nil, bestStep: state.progress.bestStep,
            trainLoss: loss, objective: penalty.map { loss + $0 }, structure: layers(network),
            seconds: trainingSeconds, secondsByPhase: watch.phases, peakMemoryBytes: PeakMemory.bytes,
            termination: termination.rawValue, device: "\(trainer.device)", threads: Runtime.threads,
            dataHash: problem.fingerprint, torch: Runtime.version, notices: problem.notices,
            warning: divergence(loss) ?? emptiness(network),
            history: state.progress.history)
    }

    /// What is to be said of a network whose penalty has left nothing of what it applies to.
    private func emptiness(_ network: Network) -> String? {
        guard let layers = layers(network)?.layers, layers.allSatisfy({ $0.zeros == $0.count }) else { return nil }
        return "every penalised weight is zero: lower the penalty's strength"
    }

    /// What is to be said of a loss that is far above where it began.
    private func divergence(_ loss: Double) -> String? {
        guard let first = state.progress.history.lazy.compactMap(\.trainLoss).first, loss > 10 * abs(first) else {
            return nil
        }
        return "the loss ended at \(loss), far above \(first) in the first epoch: lower the learning rate"
    }
}
