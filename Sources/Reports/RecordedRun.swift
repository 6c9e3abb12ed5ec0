import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import RunLog
import Torch
import Training

/// A run with a folder for what comes of it: the same for every method.
package struct RecordedRun<Result, Report: RunReport> {
    /// The folder, made where it is missing; nothing is deleted that no run of Descent wrote.
    package var folder: String
    package var options = RunRecorder.Options()
    /// Runs from a checkpoint, or from the start.
    package var run: (String?, (RunEvent<Result>) -> Directive) throws -> (Result, Report)
    /// Writes a result to a path.
    package var save: (Result, String) throws -> Void
    /// What the report has to say of a result, before both are written.
    package var conclude: (inout Result, inout Report, RunRecorder) -> Void = { _, _, _ in }
    /// The page of a result.
    package var page: (Result, Report) throws -> String

    /// Runs, and writes what comes of it.
    package func callAsFunction(
        _ observe: (RunEvent<Result>) -> Directive
    ) throws -> (Result, Report) {
        let files = try RunFolder(path: folder)
        var isDone = false
        defer { if !isDone { files.discardIfNew() } }
        let recorder = try RunRecorder(files, options)
        options.prepared()
        var (result, report) = try run(recorder.checkpoint) { event in
            let directive = observe(event)
            return recorder.note(event, save: save) == .stop ? .stop : directive
        }
        conclude(&result, &report, recorder)
        try recorder.finish(report, save: { try save(result, $0) }, page: { try page(result, report) })
        isDone = true
        return (result, report)
    }
}

extension Trainer {
    /// Trains with a folder for what comes of it, as `descent train` has one: `model.safetensors` (PyTorch's names),
    /// the best network, `report.json`, `report.html`, `metrics.jsonl`, TensorBoard events, checkpoints.
    ///
    /// A run that the observer or the time limit stops leaves a checkpoint; with `resume` it goes on to the same bits.
    ///
    /// - Parameters:
    ///   - folder: made where it is missing; nothing is deleted that no run of Descent wrote.
    ///   - resume: whether to go on from the checkpoint that is there.
    ///   - restart: whether such a checkpoint may be discarded.
    ///   - checkpointSeconds: least seconds between checkpoints.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: as ``Trainer/run(resumingFrom:observe:)``; `DataError` for a folder that cannot be had.
    @discardableResult
    public func run(
        in folder: String, resume: Bool = false, restart: Bool = false, checkpointSeconds: Double = 60,
        observe: (RunEvent<Network>) -> Directive = { _ in .proceed }
    ) throws -> (network: Network, report: TrainingReport) {
        var recorded = RecordedRun<Network, TrainingReport>(
            folder: folder,
            run: { checkpoint, observe in
                let found = try self.run(resumingFrom: checkpoint, observe: observe)
                return (found.network, found.report)
            }, save: save,
            page: { try TrainingPage(report: $1, title: "\(type(of: module))").render() })
        recorded.options = .init(resume, restart, checkpointSeconds)
        recorded.options.command.append("\(Self.self)")
        recorded.conclude = { network, report, _ in
            guard let supervised = problem as? SupervisedProblem else { return }
            do {
                _ = try supervised.model(network)
            } catch {
                report.notices.append("model.safetensors holds parameters alone: \(error)")
            }
        }
        let (network, report) = try recorded(observe)
        return (network, report)
    }

    /// Writes the model of a data set, or the parameters alone.
    private func save(_ network: Network, to path: String) throws {
        if let supervised = problem as? SupervisedProblem, let model = try? supervised.model(network) {
            return try model.save(to: path)
        }
        try network.save(to: path)
    }
}

extension TrainingSettings {
    /// Trains with a folder for what comes of it: what `descent train` does. The files and parameters are those of
    /// ``Training/Trainer/run(in:resume:restart:checkpointSeconds:observe:)``; `config.json` holds these settings.
    @discardableResult
    public func fit(
        _ data: LoadedData, in folder: String, device: Device = .cpu, resume: Bool = false, restart: Bool = false,
        checkpointSeconds: Double = 60, observe: (RunEvent<NetworkModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        try fit(data, in: folder, device: device, .init(resume, restart, checkpointSeconds), observe: observe)
    }

    package func fit(
        _ data: LoadedData, in folder: String, device: Device, _ options: RunRecorder.Options,
        observe: (RunEvent<NetworkModel>) -> Directive
    ) throws -> (model: NetworkModel, report: TrainingReport) {
        var recorded = RecordedRun<NetworkModel, TrainingReport>(
            folder: folder, options: options,
            run: { checkpoint, observe in
                let found = try fit(data, device: device, resumingFrom: checkpoint, observe: observe)
                return (found.model, found.report)
            },
            save: { try $0.save(to: $1) },
            page: { try TrainingPage(report: $1, result: (data, $0)).render() })
        recorded.options.settings = .train(self)
        recorded.conclude = { model, report, _ in model.facts = report.facts(of: options.source ?? data.train.name) }
        let (model, report) = try recorded(observe)
        return (model, report)
    }
}

extension FitSettings {
    /// Fits with a folder for what comes of it, as `descent fit` does: `model.safetensors` (PyTorch's names),
    /// `report.json`, `report.html`, `metrics.jsonl`, TensorBoard events, checkpoints; `config.json` holds these settings.
    ///
    /// A run that the observer or the time limit stops leaves a checkpoint; with `resume` it goes on to the same bits.
    ///
    /// - Parameters:
    ///   - folder: made where it is missing; nothing is deleted that no run of Descent wrote.
    ///   - resume: whether to go on from the checkpoint that is there.
    ///   - restart: whether such a checkpoint may be discarded.
    ///   - checkpointSeconds: least seconds between checkpoints.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: as ``Estimators/FitSettings/fit(_:device:resumingFrom:observe:)``; `DataError` for a folder that cannot
    ///   be had.
    @discardableResult
    public func fit(
        _ data: LoadedData, in folder: String, device: Device = .cpu, resume: Bool = false, restart: Bool = false,
        checkpointSeconds: Double = 60, observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
    ) throws -> (model: ConvexModel, report: FitReport) {
        try ConvexTrainer(options: options(for: data, device: device))
            .fit(data, in: folder, .init(resume, restart, checkpointSeconds), settings: self, observe: observe)
    }
}

extension ConvexTrainer {
    package func fit(
        _ data: LoadedData, in folder: String, _ options: RunRecorder.Options, settings: FitSettings? = nil,
        observe: (RunEvent<ConvexModel>) -> Directive
    ) throws -> (model: ConvexModel, report: FitReport) {
        var recorded = RecordedRun<ConvexModel, FitReport>(
            folder: folder, options: options,
            run: { checkpoint, observe in
                let found = try fit(data, resumingFrom: checkpoint, observe: observe)
                return (found.model, found.report)
            },
            save: { try $0.save(to: $1) },
            page: { try ReportPage(model: $0, report: $1, data: data).render() })
        recorded.options.settings = settings.map { .fit($0) }
        recorded.conclude = { model, report, recorder in
            model.facts = report.facts
            report.advice = options.wording(report.advice)
            if report.isCut, !recorder.canGoOn {
                // What a termination advises takes a checkpoint.
                report.advice = FitReport.stoppedEarly
            }
        }
        let (model, report) = try recorded(observe)
        return (model, report)
    }
}

extension RunRecorder.Options {
    fileprivate init(_ resumes: Bool, _ restarts: Bool, _ checkpointSeconds: Double) {
        self.init()
        (self.resumes, self.restarts, self.checkpointSeconds) = (resumes, restarts, checkpointSeconds)
    }
}

extension Network {
    /// Writes parameters and buffers under PyTorch's names, by way of a temporary file; ``Network/load(_:)`` reads them
    /// into a network of the same module.
    ///
    /// - Throws: `InterchangeError` when the file cannot be written.
    public func save(to path: String) throws {
        try SafeTensors.write(stateDictionary(metadata: [RunRecorder.stateKey: "1", "format": "pt"]), to: path)
    }
}

extension FitReport {
    /// What is advised where a run was stopped before there was anything to go on from.
    package static let stoppedEarly =
        "The run was stopped before its first checkpoint: give it more time, or start it again."

    /// What a model file says of its fit.
    fileprivate var facts: [String: String] {
        var facts = [
            "objective": Format.number(objective), "penalty": Format.number(penalty), "termination": termination,
            "certificate": certificate, "seed": "\(seed)", "rows": "\(rows)", "data hash": dataHash,
        ]
        if let testAccuracy { facts["test accuracy"] = Format.percent(testAccuracy) }
        if let testR2 { facts["test R²"] = Format.number(testR2) }
        return facts
    }
}

extension TrainingReport {
    /// What a model file says of its run.
    fileprivate func facts(of source: String) -> [String: String] {
        var facts = [
            "method": method, "steps": "\(steps)", "termination": termination, "data hash": dataHash,
            "data": source,
        ]
        facts["seed"] = settings.map { "\($0.seed)" }
        if let testScore { facts["test score"] = Format.percent(testScore) }
        return facts
    }
}
