import Datasets
import Estimators
import Foundation
import Interchange
import RunLog
import Torch
import Training

/// The folder of one run: model, report, metrics, page and checkpoint.
struct RunFolder {
    let path: String
    /// Whether this run made the folder.
    private let isNew: Bool

    /// Creates the folder and checks that files can be written there, before any time is spent.
    init(path: String) throws {
        self.path = path
        isNew = !FileManager.default.fileExists(atPath: path)
        let code = path.isEmpty ? ENOENT : Self.makeFolder(path)
        guard code == 0 else {
            throw DataError(
                subject: path.isEmpty ? "--out ''" : path,
                problem: "the run folder cannot be made (\(String(cString: strerror(code))))",
                advice: "Give another folder with --out")
        }
        do {
            try AtomicFile.write([UInt8](), to: path + "/.probe")
        } catch {
            discardIfNew()
            throw error
        }
        try? FileManager.default.removeItem(atPath: path + "/.probe")
    }

    /// Makes the folder and those above it; 0 or an error number.
    private static func makeFolder(_ path: String) -> Int32 {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            return isFolder.boolValue ? 0 : ENOTDIR
        }
        // NSString's deletingLastPathComponent traps on a name of one letter.
        if let slash = path.dropLast().lastIndex(of: "/"), slash != path.startIndex {
            let code = makeFolder(String(path[..<slash]))
            if code != 0 { return code }
        }
        return mkdir(path, 0o777) == 0 || errno == EEXIST ? 0 : errno
    }

    /// Removes the folder of a run that failed, unless it was there before, or holds a checkpoint or a model.
    func discardIfNew() {
        let checkpoints = (try? FileManager.default.contentsOfDirectory(atPath: path + "/checkpoint")) ?? []
        let hasModel = FileManager.default.fileExists(atPath: path + "/best.safetensors")
        guard isNew, checkpoints.isEmpty, !hasModel else { return }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A folder name for a data set or file.
    static func safeName(_ name: String) -> String {
        let base = (name as NSString).lastPathComponent
        let stem = (base as NSString).deletingPathExtension
        return stem.isEmpty ? "run" : stem
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

    /// Writes what trains the run again.
    func writeConfig(_ settings: TrainingSettings) throws {
        let config = ConfigFile(
            command: ["descent"] + CommandLine.arguments.dropFirst(), version: Version.text, torch: Runtime.version,
            training: settings)
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(config)), to: path + "/config.json")
    }

    /// Writes the numbers and the page of a training run.
    func write(_ report: TrainingReport, page: String) throws {
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(report)), to: path + "/report.json")
        try AtomicFile.write(Array(page.utf8), to: path + "/report.html")
    }

    /// Writes a comparison.
    func write(_ result: ComparisonResult) throws {
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(result)), to: path + "/comparison.json")
        try AtomicFile.write(Array(result.markdown.utf8), to: path + "/comparison.md")
        try AtomicFile.write(Array(result.page().utf8), to: path + "/comparison.html")
    }

    func writeResults(model: TrainedModel, report: FitReport, data: LoadedData, arguments: [String]) throws {
        let numbers = [UInt8](try JSONEncoder.report.encode(report))
        let config = ["command": ["descent"] + arguments, "version": [Version.text], "torch": [Runtime.version]]
        let command = [UInt8](try JSONEncoder.report.encode(config))
        let page = try ReportPage(model: model, report: report, data: data).render()
        try model.save(to: path + "/model.safetensors")
        try AtomicFile.write(numbers, to: path + "/report.json")
        try AtomicFile.write(command, to: path + "/config.json")
        try AtomicFile.write(Array(page.utf8), to: path + "/report.html")
    }
}

extension JSONEncoder {
    /// Sorted and indented; numbers that JSON lacks become texts, so that a failed run still has its report.
    static var report: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return encoder
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
