import Datasets
import Estimators
import Networks
import Optimizers
import RunLog
import Settings
import Torch

/// Evaluation and results of a run.
extension StochasticTraining {
    /// Outputs of the network to evaluate on some rows, a block at a time.
    func outputs(_ network: Network, _ x: Tensor) -> Tensor {
        let step = max(1, min(4096, 32_000_000 / max(1, x.shape[1] * 16)))
        let blocks = stride(from: 0, to: x.shape[0], by: step).map { start in
            network(x.rows(start..<min(x.shape[0], start + step)))
        }
        return blocks.count == 1 ? blocks[0] : Tensor.concatenate(blocks, dimension: 0)
    }

    /// The network to evaluate: with averages where something averages.
    var evaluationNetwork: Network {
        var network = state.network
        let names = network.parameters.names
        let positions = names.indices.filter { trained?.contains(names[$0]) ?? true }
        let moved = rule.evaluationParameters(
            positions.map { network.parameters.values[$0] }, state: state.rule)
        for (position, tensor) in zip(positions, moved) { network.parameters.values[position] = tensor }
        return network
    }

    @discardableResult
    mutating func evaluate(phase: String, gradientNorm: Double? = nil) -> TrainingPoint {
        let seconds = trainingSeconds
        let snapshot = self
        let scores = watch.measure("evaluate") {
            let network = snapshot.evaluationNetwork
            func score(_ rows: TrainingRows?) -> Double? {
                rows.map { snapshot.problem.score(snapshot.outputs(network, $0.x), $0) }
            }
            return (score(snapshot.problem.validation), score(snapshot.problem.test))
        }
        var point = TrainingPoint(step: state.rule.step, epoch: epoch, seconds: seconds)
        point.phase = phase
        point.gradientNorm = gradientNorm
        (point.validationScore, point.testScore) = scores
        if state.progress.lossCount > 0 { point.trainLoss = state.progress.lossSum / Double(state.progress.lossCount) }
        point.learningRate = rate(rule.groups[0].optimizer.lr)
        (state.progress.lossSum, state.progress.lossCount) = (0, 0)
        note(point)
        state.progress.history.append(point)
        return point
    }

    /// Keeps the best score, and lets a controller see the metric.
    private mutating func note(_ point: TrainingPoint) {
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
        if let metric = schedule as? any MetricSchedule, var plateau = state.progress.plateau,
            let value = point.validationScore.map({ 1 - $0 }) ?? point.trainLoss
        {
            _ = metric.factor(after: value, base: rule.groups[0].optimizer.lr, state: &plateau)
            state.progress.plateau = plateau
        }
    }

    // MARK: Results

    func model() -> NetworkModel {
        NetworkModel(
            architecture: settings.model, settings: (try? architecture.settings) ?? settings.modelSettings,
            network: evaluationNetwork, input: problem.input, outputs: problem.outputs, data: data.train,
            problem: problem)
    }

    func report(method: String, termination: Termination) -> TrainingReport {
        let network = evaluationNetwork
        let train = watch.measure("evaluate") { problem.score(outputs(network, problem.train.x), problem.train) }
        let last = state.progress.history.last
        let hasScores = problem.validation != nil || problem.test != nil
        return TrainingReport(
            method: method, settings: settings, optimizer: (try? rule.groups[0].optimizer.settings) ?? [:],
            model: (try? architecture.settings) ?? [:], parameters: network.parameterCount,
            rows: problem.train.count, columns: data.train.features.shape[1], outputs: problem.outputs,
            loss: problem.lossName.rawValue, steps: state.rule.step, epochs: epoch, trainScore: train,
            validationScore: last?.validationScore, testScore: last?.testScore,
            bestScore: hasScores ? state.progress.best : nil, bestStep: state.progress.bestStep,
            seconds: trainingSeconds, secondsByPhase: watch.phases, peakMemoryBytes: PeakMemory.bytes,
            termination: termination.rawValue, device: "\(device)", threads: Runtime.threads, dataHash: dataHash,
            torch: Runtime.version, notices: problem.notices, history: state.progress.history)
    }
}
