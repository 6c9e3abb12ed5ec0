import Datasets
import Estimators
import Foundation
import Interchange
import RunLog
import Torch

/// The folder of one run: model, report, metrics, page and checkpoint.
struct RunFolder {
    let path: String

    /// Creates the folder and checks that files can be written there, before any time is spent.
    init(path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw DataError(
                subject: path, problem: "the run folder cannot be made (\(Self.reason(error)))",
                advice: "Give another folder with --out")
        }
        try AtomicFile.write([UInt8](), to: path + "/.probe")
        try? FileManager.default.removeItem(atPath: path + "/.probe")
    }

    /// A folder name for a data set or file.
    static func safeName(_ name: String) -> String {
        let base = (name as NSString).lastPathComponent
        let stem = (base as NSString).deletingPathExtension
        return stem.isEmpty ? "run" : stem
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
        return String(cString: strerror(Int32(underlying.code)))
    }

    private var checkpointPath: String { path + "/checkpoint/state.safetensors" }

    func readCheckpoint(_ dataHash: String, _ device: String, _ arguments: [String]) throws -> TrainingCheckpoint {
        guard FileManager.default.fileExists(atPath: checkpointPath) else {
            throw DataError(
                subject: path, problem: "holds no checkpoint to resume",
                advice: "Only a run stopped by Ctrl-C or --time-limit leaves one; start it again without --resume")
        }
        let contents = try CheckpointFile.read(checkpointPath, device: Device(device) ?? .cpu)
        guard contents.dataHash == dataHash else {
            throw DataError(
                subject: path, problem: "the checkpoint is of other data (hash \(contents.dataHash), now \(dataHash))",
                advice: "Resume with the same data")
        }
        guard contents.arguments == arguments else {
            throw DataError(
                subject: path,
                problem: "the checkpoint is of the run '\(contents.arguments.joined(separator: " "))'",
                advice: "Resume with the same arguments")
        }
        return contents.checkpoint
    }

    func writeCheckpoint(_ checkpoint: TrainingCheckpoint, _ dataHash: String, _ arguments: [String]) throws {
        try FileManager.default.createDirectory(atPath: path + "/checkpoint", withIntermediateDirectories: true)
        try CheckpointFile.write(checkpoint, arguments: arguments, dataHash: dataHash, to: checkpointPath)
    }

    func removeCheckpoint() { try? FileManager.default.removeItem(atPath: path + "/checkpoint") }

    func openMetrics(appending: Bool) throws -> MetricsLog {
        let file = path + "/metrics.jsonl"
        if !appending { try AtomicFile.write([UInt8](), to: file) }
        return MetricsLog(path: file)
    }

    func writeResults(model: TrainedModel, report: FitReport, data: LoadedData, arguments: [String]) throws {
        try model.save(to: path + "/model.safetensors")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try AtomicFile.write([UInt8](try encoder.encode(report)), to: path + "/report.json")
        let config = ["command": ["descent"] + arguments, "version": [Version.text], "torch": [Runtime.version]]
        try AtomicFile.write([UInt8](try encoder.encode(config)), to: path + "/config.json")
        let page = try ReportPage(model: model, report: report, data: data).render()
        try AtomicFile.write(Array(page.utf8), to: path + "/report.html")
    }
}

/// Appends one JSON object for each progress report.
final class MetricsLog {
    private let handle: FileHandle?
    private let encoder = JSONEncoder()

    init(path: String) {
        handle = FileHandle(forWritingAtPath: path)
        _ = try? handle?.seekToEnd()
        encoder.outputFormatting = [.sortedKeys]
    }

    func append(_ progress: RunLog.Progress) {
        guard let line = try? encoder.encode(progress) else { return }
        try? handle?.write(contentsOf: line + Data("\n".utf8))
    }

    deinit { try? handle?.close() }
}
