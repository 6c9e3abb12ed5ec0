import Datasets
import Estimators
import Networks
import Optimizers
import RunLog
import Settings
import Torch

extension TrainingSettings {
    /// Trains on `data.train` and scores on `data.test` where there is one: what `descent train` does.
    ///
    /// Rows are shuffled by seed and epoch, dropout and augmentation drawn by seed and step, so that a run that is
    /// resumed from any checkpoint equals one that was never interrupted, bit for bit on a CPU with the same number of
    /// threads. A module, a problem or an optimizer of one's own goes to ``Trainer``.
    ///
    /// - Parameters:
    ///   - checkpoint: file of an interrupted run with the same data and settings.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: `SettingError`, `DataError` and `InterchangeError` for input that cannot be used; `NonFiniteError`
    ///   when the loss stops being a number; `TorchError` when the engine fails.
    public func fit(
        _ data: LoadedData, device: Device = .cpu, resumingFrom checkpoint: String? = nil,
        observe: (RunEvent<NetworkModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        try validate()
        let architecture = try ArchitectureCatalogue.make(model, settings: modelSettings)
        if let model = architecture as? LanguageModel, model.predicts == "every" {
            throw SettingError(
                LanguageModel.name, "predicts is 'every', but the data have one class for a row: it must be 'last'")
        }
        // What cannot be had should not be found out behind the reading of the data.
        let schedule = try ScheduleCatalogue.make(scheduleName, settings: scheduleSettings)
        _ = try rule()
        let watch = Stopwatch()
        if let learner = architecture as? any SelfSupervisedArchitecture {
            guard head == nil else {
                throw SettingError(
                    "loss", "'\(ReconstructionProblem.lossName)' has no convex solver: use mse or cross_entropy")
            }
            let problem = try watch.measure("setup") {
                try ReconstructionProblem(data, architecture: learner, settings: self, device: device)
            }
            let named = NamedRun(settings: self, architecture: architecture, data: data, facts: problem.facts)
            return try named.execute(problem, schedule, device, watch, checkpoint, observe)
        }
        guard loss?.name != ReconstructionProblem.lossName else {
            throw SettingError(
                "loss", "'\(ReconstructionProblem.lossName)' is for networks that learn from their inputs alone")
        }
        let problem = try watch.measure("setup") {
            try SupervisedProblem(
                data, loss: loss.map { try TrainingLossCatalogue.make($0) }, batch: batch, validation: validation,
                normalisation: normalisation, augmentation: augmentation, precision: precision, seed: seed,
                device: device)
        }
        let named = NamedRun(settings: self, architecture: architecture, data: data, facts: problem.facts)
        guard let head else { return try named.execute(problem, schedule, device, watch, checkpoint, observe) }
        var run = try AlternatingTraining(
            named, head: head, problem: problem, schedule: schedule, device: device, watch: watch,
            checkpoint: checkpoint)
        return try named.result(run.execute { observe($0.map(named.model)) })
    }

    /// How training rows become batches.
    var batches: BatchSettings { BatchSettings(size: batch, augmentation: augmentation, seed: seed) }
}

/// A run whose parts have names: what makes its trainer, and models of its networks.
struct NamedRun {
    let settings: TrainingSettings
    let architecture: any Architecture
    let data: LoadedData
    let facts: ProblemFacts

    func execute<P: DatasetProblem>(
        _ problem: P, _ schedule: any Schedule, _ device: Device, _ watch: Stopwatch, _ checkpoint: String?,
        _ observe: (RunEvent<NetworkModel>) -> Directive
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        let module = try architecture.network(input: facts.input, outputs: facts.outputs)
        let (trainer, network) = try trainer(module, problem, schedule, device)
        var run = try StochasticTraining(trainer, network: network, watch: watch, checkpoint: checkpoint)
        return try result(run.execute { observe($0.map(model)) })
    }

    /// The trainer of these settings, and the network that its rule was made for.
    func trainer<P: DatasetProblem>(
        _ module: any Module, _ problem: P, _ schedule: any Schedule, _ device: Device, trained: Set<String>? = nil
    ) throws -> (Trainer<P>, Network) {
        let rule = try settings.rule(unpenalised: Network.unpenalisedNames(of: module))
        var trainer = Trainer(module: module, problem: problem, rule: rule, schedule: schedule)
        trainer.scheduleUnit = settings.scheduleUnit
        (trainer.epochs, trainer.steps) = (settings.epochs, settings.steps)
        (trainer.accumulation, trainer.accumulationGrowth) = (settings.accumulation, settings.head?.batchGrowth ?? 1)
        (trainer.precision, trainer.trained) = (settings.precision, trained)
        trainer.leaveOutFrozen()
        (trainer.evaluationInterval, trainer.patience) = (settings.evaluationInterval, settings.patience)
        (trainer.timeLimit, trainer.seed, trainer.device) = (settings.timeLimit, settings.seed, device)
        trainer.identity = try settings.identity + problem.testIdentity
        let network = try trainer.network(named: settings.model)
        let chosen = network.parameters.pairs.filter { trainer.trained?.contains($0.name) ?? true }
        let (names, shapes) = (chosen.map(\.name), chosen.map(\.tensor.shape))
        let assignment = try rule.assignment(names, shapes)
        try settings.check(rule.groups, names, shapes, assignment)
        if settings.couplesChannels == true {
            try trainer.rule.coupleChannels(of: network, input: facts.input, names, assignment)
        }
        return (trainer, network)
    }

    /// Model and report of a network that came out.
    func result(_ found: (network: Network, report: TrainingReport)) -> (model: NetworkModel, report: TrainingReport) {
        var report = found.report
        report.settings = settings
        report.model = architecture.settings
        (report.columns, report.outputs) = (data.train.features.shape[1], facts.outputs)
        report.loss = facts.preparation.loss
        return (model(found.network), report)
    }

    func model(_ network: Network) -> NetworkModel {
        NetworkModel(
            architecture: settings.model, settings: architecture.settings,
            network: network, facts: facts)
    }
}
