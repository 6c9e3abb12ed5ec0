import Datasets
import Foundation
import Interchange
import Networks
import RunLog
import Settings
import Structure
import Torch
import Training

/// Keeps the files of a training run: metrics, TensorBoard events, checkpoints, the best network, the result, its page.
package final class RunRecorder {
    /// The key of a safetensors file's metadata that marks parameters without a model.
    static let stateKey = "descent.state"

    /// How a run is kept.
    package struct Options {
        /// Whether the run goes on from the newest checkpoint.
        package var resumes = false
        /// Whether the checkpoint of an earlier run may go.
        package var restarts = false
        /// Checkpoints to keep.
        package var keeps = 2
        /// Seconds between checkpoints.
        package var checkpointSeconds = 60.0
        /// What the configuration says of who asked for it.
        package var command: [String]
        /// Settings that train it again, where it has some.
        package var settings: TrainingSettings?
        /// Makes a model of a network, where events do not.
        package var model: ((Network) throws -> NetworkModel)?

        package init(command: [String]) { self.command = command }
    }

    /// The checkpoint to go on from.
    package let checkpoint: String?
    private let folder: RunFolder
    private let checkpoints: CheckpointFolder
    private let options: Options
    private var logs: (metrics: MetricsLog, board: TensorBoardWriter)?
    private var lastCheckpoint = Date()
    private var final: (() throws -> Void)?
    private var failure: (any Error)?

    /// - Throws: `DataError` for a folder that this run may not write in.
    package init(_ folder: RunFolder, _ options: Options) throws {
        (self.folder, self.options) = (folder, options)
        checkpoints = CheckpointFolder(folder: folder.path, keeps: options.keeps)
        checkpoint = options.resumes ? try checkpoints.newest() : nil
        try folder.check(isResumed: options.resumes, discards: options.restarts)
    }

    /// Keeps what an event brings; a run stops where that cannot be.
    package func note(_ event: TrainerEvent) -> Directive {
        do {
            // Only now are the settings known to be good: what an earlier run left goes no sooner.
            if logs == nil { logs = try begin(event) }
        } catch {
            failure = error
            return .stop
        }
        if event.isFinal { final = { [checkpoints] in try checkpoints.write(event) } }
        guard let point = event.point else { return .proceed }
        logs?.metrics.append(event.progress)
        try? logs?.board.add(step: point.step, scalars: point.scalars)
        if event.isBest { try? save(event, to: folder.path + "/best.safetensors") }
        if Date().timeIntervalSince(lastCheckpoint) >= options.checkpointSeconds {
            // A failed periodic checkpoint must not end a long run; the final one reports its error.
            try? checkpoints.write(event)
            lastCheckpoint = Date()
        }
        return .proceed
    }

    /// Writes the model at hand, or the parameters where there is none.
    private func save(_ event: TrainerEvent, to path: String) throws {
        if let model = event.model { return try model().save(to: path) }
        let network = event.network()
        if let make = options.model, let model = try? make(network) { return try model.save(to: path) }
        try network.save(to: path)
    }

    /// Writes the result; the checkpoint stays where the run was cut.
    package func finish(
        _ report: TrainingReport, save: (String) throws -> Void, page: () throws -> String
    ) throws {
        if let failure { throw failure }
        let isCut = [Termination.cancelled.rawValue, Termination.timeLimit.rawValue].contains(report.termination)
        if isCut { try final?() }
        do {
            try save(folder.path + "/model.safetensors")
        } catch {
            // The work must not be lost with the disk: a resumed run goes on from here.
            try? final?()
            throw error
        }
        try folder.write(report, page: page())
        if !isCut { folder.removeCheckpoint() }
    }

    /// Opens the logs, and clears away what an earlier run in the folder left.
    private func begin(_ first: TrainerEvent) throws -> (MetricsLog, TensorBoardWriter) {
        try folder.begin(isResumed: options.resumes, command: options.command, settings: options.settings)
        let lines = first.evaluations - (first.point == nil ? 0 : 1)
        let metrics = try folder.openMetrics(keeping: options.resumes ? { _ in lines } : nil)
        return (metrics, try TensorBoardWriter(folder: folder.path))
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
    ///   - checkpointSeconds: between checkpoints, written behind an evaluation.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: as ``Trainer/run(resumingFrom:observe:)``; `DataError` for a folder that cannot be had.
    @discardableResult
    public func run(
        in folder: String, resume: Bool = false, restart: Bool = false, checkpointSeconds: Double = 60,
        observe: (TrainerEvent) -> Directive = { _ in .proceed }
    ) throws -> (network: Network, report: TrainingReport) {
        let files = try RunFolder(path: folder)
        var isDone = false
        defer { if !isDone { files.discardIfNew() } }
        var options = RunRecorder.Options(command: ["descent library", "\(Self.self)"])
        (options.resumes, options.restarts, options.checkpointSeconds) = (resume, restart, checkpointSeconds)
        options.model = (problem as? SupervisedProblem).map { supervised in { try supervised.model($0) } }
        let recorder = try RunRecorder(files, options)
        var (network, report) = try run(resumingFrom: recorder.checkpoint) { event in
            let directive = observe(event)
            return recorder.note(event) == .stop ? .stop : directive
        }
        let save = try saving(network, &report)
        try recorder.finish(report, save: save) {
            try TrainingPage(report: report, title: "\(type(of: module))").render()
        }
        isDone = true
        return (network, report)
    }

    /// What writes the model of a data set, or the parameters alone; the report says why.
    private func saving(_ network: Network, _ report: inout TrainingReport) throws -> (String) throws -> Void {
        guard let supervised = problem as? SupervisedProblem else { return network.save }
        do {
            return try supervised.model(network).save
        } catch {
            report.notices.append("model.safetensors holds parameters alone: \(error)")
            return network.save
        }
    }
}

extension TrainingPoint {
    /// The numbers of an evaluation with their TensorBoard tags.
    var scalars: [(tag: String, value: Double)] {
        let all: [(String, Double?)] = [
            ("loss/train", trainLoss), ("score/validation", validationScore),
            ("score/test", testScore), ("learning_rate", learningRate), ("gradient_norm", gradientNorm),
            ("structure/group_sparsity", structure?.groupSparsity), ("structure/low_rank", structure?.lowRankLevel),
            ("structure/zeros", structure?.zeroShare), ("structure/strength", structure?.strength),
            ("convex/objective", objective), ("convex/relative_gap", relativeGap), ("convex/penalty", penalty),
            ("seconds", seconds),
        ]
        return all.compactMap { tag, value in value.map { (tag, $0) } }
    }
}
