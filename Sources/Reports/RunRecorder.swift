import Datasets
import Foundation
import Interchange
import RunLog

/// Keeps the files of a run: metrics, TensorBoard events, checkpoints, the best network, the result, its page.
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
        package var command = ["descent library"]
        /// What the data are called where they can be read again; their name unless given.
        package var source: String?
        /// Settings that train it again, where it has some.
        package var settings: RunSettings?
        /// Called once the folder is had, before any work.
        package var prepared: () -> Void = {}
        /// How the library's words are put to whoever asked: a command line has flags.
        package var wording: (String) -> String = { $0 }

        package init() {}
    }

    /// The checkpoint to go on from.
    package let checkpoint: String?
    private let folder: RunFolder
    private let checkpoints: CheckpointFolder
    private let options: Options
    private var logs: (metrics: MetricsLog, board: TensorBoardWriter)?
    private var lastCheckpoint = Date()
    /// Where the run ended.
    private var final: (write: (String) throws -> Void, position: Int)?
    /// Whether the checkpoints in the folder are an earlier run's.
    private var areForeign: Bool
    private var failure: (any Error)?

    /// - Throws: `DataError` for a folder that this run may not write in.
    package init(_ folder: RunFolder, _ options: Options) throws {
        (self.folder, self.options) = (folder, options)
        areForeign = !options.resumes
        checkpoints = CheckpointFolder(folder: folder.path, keeps: options.keeps)
        checkpoint = options.resumes ? try checkpoints.newest() : nil
        try folder.check(isResumed: options.resumes, discards: options.restarts)
    }

    /// Whether there is something to go on from, should the run have been cut.
    package var canGoOn: Bool { final != nil || checkpoint != nil }

    /// Keeps what an event brings; a run stops where that cannot be.
    ///
    /// - Parameter save: writes a result of the run to a path.
    package func note<Result>(
        _ event: RunEvent<Result>, save: (Result, String) throws -> Void
    ) -> Directive {
        do {
            // Only now are the settings known to be good: what an earlier run left goes no sooner.
            if logs == nil { logs = try begin(lines: event.evaluations - (event.point == nil ? 0 : 1)) }
        } catch {
            failure = error
            return .stop
        }
        if event.isFinal { final = event.writeCheckpoint.map { ($0, event.position) } }
        if let point = event.point {
            logs?.metrics.append(event.progress)
            // Updates; a solve has none, and its iterations begin anew.
            let step = point.epoch == nil ? event.position : point.step
            try? logs?.board.add(step: step, scalars: point.scalars)
            if event.isBest, let result = event.result { try? save(result(), folder.path + "/best.safetensors") }
        }
        // Last: what a checkpoint says was done has left its files.
        if let write = event.writeCheckpoint, !event.isFinal,
            Date().timeIntervalSince(lastCheckpoint) >= options.checkpointSeconds
        {
            // A failed periodic checkpoint must not end a long run; the final one reports its error.
            try? keep(write, at: event.position)
            lastCheckpoint = Date()
        }
        return .proceed
    }

    private func keep(_ write: (String) throws -> Void, at position: Int) throws {
        if areForeign { folder.removeCheckpoint() }
        areForeign = false
        try checkpoints.write(write, position: position)
    }

    /// Writes the result; the checkpoint stays where the run was cut.
    package func finish(_ report: some RunReport, save: (String) throws -> Void, page: () throws -> String) throws {
        if let failure { throw failure }
        // A run that had nothing to report has results all the same.
        if logs == nil { logs = try begin(lines: 0) }
        if report.isCut, let final { try keep(final.write, at: final.position) }
        do {
            try save(folder.path + "/model.safetensors")
            try folder.write(report, page: page)
        } catch {
            // The work must not be lost with the disk: a resumed run goes on from here.
            if let final { try? keep(final.write, at: final.position) }
            throw error
        }
        if !report.isCut { folder.removeCheckpoint() }
    }

    /// Opens the logs, and clears away what an earlier run in the folder left.
    ///
    /// - Parameter lines: of a resumed run, how many lines of metrics are of the time before its checkpoint.
    private func begin(lines: Int) throws -> (MetricsLog, TensorBoardWriter) {
        try folder.begin(isResumed: options.resumes, command: options.command, settings: options.settings)
        let metrics = try folder.openMetrics(keeping: options.resumes ? lines : nil)
        return (metrics, try TensorBoardWriter(folder: folder.path))
    }
}

extension HistoryPoint {
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
