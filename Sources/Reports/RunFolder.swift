import Datasets
import Estimators
import Foundation
import Interchange
import RunLog

/// The folder of one run: model, report, metrics, page and checkpoint.
///
/// Nothing in it is deleted that no run of Descent wrote, and no two processes write in it at a time.
package struct RunFolder {
    package let path: String
    /// Whether this run made the folder.
    private let isNew: Bool
    /// Held until the run ends.
    private let lock: FolderLock

    /// What a comparison asked for whose results are there: it goes before they do.
    package static let done = "done.json"

    /// What a run writes, TensorBoard's events and the checkpoint aside.
    private static let results = [
        done, "model.safetensors", "best.safetensors", "report.json", "report.html", "metrics.jsonl", "config.json",
    ]

    /// Creates the folder and checks that files can be written there, before any time is spent.
    package init(path: String) throws {
        self.path = path
        isNew = !FileManager.default.fileExists(atPath: path)
        let code = path.isEmpty ? ENOENT : Self.makeFolder(path)
        guard code == 0 else {
            throw DataError(
                subject: path.isEmpty ? "the folder ''" : path,
                problem: "the run folder cannot be made (\(String(cString: strerror(code))))",
                advice: "Give another folder with `out`")
        }
        do {
            lock = try FolderLock(path)
            try AtomicFile.write([UInt8](), to: path + "/.descent-probe")
        } catch {
            if isNew { rmdir(path) }
            throw error
        }
        unlink(path + "/.descent-probe")
        // A process that was killed leaves half a file.
        if lock.isHeld { for folder in [path, path + "/checkpoint"] { AtomicFile.removeTemporaries(in: folder) } }
    }

    /// Whether the files in the folder are of an earlier run of Descent, by its configuration or its checkpoint.
    private var isOurs: Bool {
        struct Config: Decodable { var command: [String] }
        guard let data = FileManager.default.contents(atPath: path + "/config.json"),
            let config = try? JSONDecoder().decode(Config.self, from: data)
        else { return hasCheckpoint }
        return config.command.first?.hasPrefix("descent") == true
    }

    /// Refuses a folder that a run may not write in, before any time is spent; deletes nothing.
    ///
    /// - Parameters:
    ///   - isResumed: whether the run goes on from the checkpoint.
    ///   - discards: whether a checkpoint may go.
    package func check(isResumed: Bool, discards: Bool) throws {
        let present = Self.results.filter { FileManager.default.fileExists(atPath: path + "/" + $0) }
        if let foreign = isOurs ? present.first(where: isForeign) : present.first {
            throw DataError(
                subject: path, problem: "holds '\(foreign)', and no run of Descent wrote it",
                advice: "Give another folder with `out`")
        }
        guard !isResumed else { return }
        guard discards || checkpoints.isEmpty else {
            throw DataError(
                subject: path, problem: "holds the checkpoint of an interrupted run",
                advice: "Continue it with `resume`, or discard it with `restart`")
        }
    }

    /// Makes room for a run that has begun to work: results of an earlier one go, and the configuration comes. Its
    /// checkpoint goes when the new run has one, or is done.
    ///
    /// Not before: data and settings that are refused must not cost the results that are there.
    package func begin(isResumed: Bool, command: [String], settings: RunSettings? = nil) throws {
        if !isResumed { removeResults() }
        let config = RunConfiguration(command: command, settings: settings)
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(config)), to: path + "/config.json")
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
    package func discardIfNew() {
        let hasModel = ["best.safetensors", "model.safetensors"]
            .contains { FileManager.default.fileExists(atPath: path + "/" + $0) }
        guard isNew, checkpoints.isEmpty, !hasModel else { return }
        removeCheckpoint()
        removeResults()
        lock.removeFile()
        // It stays where anything else is in it.
        rmdir(path)
    }

    /// Removes what a run writes.
    private func removeResults() {
        let events = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { $0.wholeMatch(of: #/events\.out\.tfevents\.\d+\.descent(\.\d+)?/#) != nil }
        for name in Self.results + events { unlink(path + "/" + name) }
    }

    /// A folder name for a data set or file.
    package static func safeName(_ name: String) -> String {
        let base = (name as NSString).lastPathComponent
        let stem = (base as NSString).deletingPathExtension
        return stem.isEmpty || stem.hasPrefix(".") ? "run" : stem
    }

    /// The checkpoints that are there.
    private var checkpoints: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path + "/checkpoint")) ?? []).filter { name in
            Self.isCheckpoint(named: name, in: path + "/checkpoint")
        }
    }

    /// Whether a file is a checkpoint, by its name and its header.
    package static func isCheckpoint(named name: String, in folder: String) -> Bool {
        name.wholeMatch(of: #/state\.safetensors|step-\d{10,}\.safetensors/#) != nil
            && hasKey(folder + "/" + name, of: [CheckpointKey.earlier, CheckpointKey.metadata])
    }

    /// Whether the header of a file has one of some keys; the rest may be large.
    private static func hasKey(_ path: String, of keys: [String]) -> Bool {
        guard let file = FileHandle(forReadingAtPath: path), let start = try? file.read(upToCount: 1 << 20) else {
            return false
        }
        return keys.contains { start.range(of: Data("\"\($0)\"".utf8)) != nil }
    }

    /// Whether no run of Descent wrote a file of a result's name, as far as its content tells.
    private func isForeign(_ name: String) -> Bool {
        let file = path + "/" + name
        var isFolder: ObjCBool = false
        // A folder is never removed.
        guard name.hasSuffix(".safetensors"), FileManager.default.fileExists(atPath: file, isDirectory: &isFolder),
            !isFolder.boolValue
        else { return false }
        return !Self.hasKey(file, of: [ModelFile.key, ModelFile.earlierNetworkKey, RunRecorder.stateKey])
    }

    /// Whether an interrupted run left a checkpoint.
    package var hasCheckpoint: Bool { !checkpoints.isEmpty }

    /// Removes the checkpoints, and their folder where nothing else is in it.
    package func removeCheckpoint() {
        for name in checkpoints { unlink(path + "/checkpoint/" + name) }
        rmdir(path + "/checkpoint")
    }

    /// Opens the log of the run.
    ///
    /// - Parameter kept: of a resumed run, how many of the lines are of what was done before its checkpoint.
    package func openMetrics(keeping kept: Int? = nil) throws -> MetricsLog {
        let file = path + "/metrics.jsonl"
        var lines: [UInt8] = []
        if let kept {
            let all = (FileManager.default.contents(atPath: file) ?? Data()).split(separator: UInt8(ascii: "\n"))
            // A killed process may have left half a line.
            let whole = all.filter { (try? JSONDecoder.report.decode(RunProgress.self, from: $0)) != nil }
            for line in whole.prefix(max(0, kept)) { lines += line + [UInt8(ascii: "\n")] }
        }
        try AtomicFile.write(lines, to: file)
        return MetricsLog(path: file)
    }

    /// Writes the numbers of a run, and then its page.
    package func write(_ report: some RunReport, page: () throws -> String) throws {
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(report)), to: path + "/report.json")
        try AtomicFile.write(Array(try page().utf8), to: path + "/report.html")
    }

    /// Refuses a folder with files of a comparison's names that none wrote.
    package func checkComparison() throws {
        struct Written: Decodable { var summaries: [Summary] }
        struct Summary: Decodable { var method: String }
        let present = ["comparison.html", "comparison.md", "comparison.json"]
            .filter { FileManager.default.fileExists(atPath: path + "/" + $0) }
        guard let first = present.first,
            (try? JSONDecoder().decode(
                Written.self, from: FileManager.default.contents(atPath: path + "/comparison.json") ?? Data())) == nil
        else { return }
        throw DataError(
            subject: path, problem: "holds '\(first)', and no comparison of Descent wrote it",
            advice: "Give another folder with `out`")
    }

    /// Writes a comparison.
    package func writeComparison(_ numbers: some Encodable, markdown: String, page: String) throws {
        try AtomicFile.write([UInt8](try JSONEncoder.report.encode(numbers)), to: path + "/comparison.json")
        try AtomicFile.write(Array(markdown.utf8), to: path + "/comparison.md")
        try AtomicFile.write(Array(page.utf8), to: path + "/comparison.html")
    }
}
