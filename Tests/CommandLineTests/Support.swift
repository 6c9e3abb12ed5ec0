import Dispatch
import Foundation
import Testing
@_exported import TestFiles

/// The built command, run as a user would.
struct Command {
    /// What a run left behind.
    struct Outcome {
        var status: Int32
        /// Whether a signal ended it.
        var crashed: Bool
        var output: String
        var errors: String

        /// The object on standard output; empty where there is none.
        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
        }

        func number(_ key: String) -> Double { (json[key] as? NSNumber)?.doubleValue ?? .nan }
        func text(_ key: String) -> String { json[key] as? String ?? "" }

        /// Exactly one line, which names the program.
        var isOneLineError: Bool {
            errors.hasPrefix("descent: ") && errors.hasSuffix("\n") && errors.count(where: \.isNewline) == 1
        }
    }

    static let packageRoot: String = {
        var url = URL(filePath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// `DESCENT_BINARY`, or the release build of this package.
    static let binary =
        ProcessInfo.processInfo.environment["DESCENT_BINARY"] ?? packageRoot + "/.build/release/descent"

    /// A run that has begun.
    struct Running {
        let process: Process
        fileprivate let streams: (output: String, errors: String)

        func interrupt() { kill(process.processIdentifier, SIGINT) }

        func wait() -> Outcome {
            process.waitUntilExit()
            func text(_ path: String) -> String {
                defer { try? FileManager.default.removeItem(atPath: path) }
                return String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
            }
            return Outcome(
                status: process.terminationStatus, crashed: process.terminationReason == .uncaughtSignal,
                output: text(streams.output), errors: text(streams.errors))
        }
    }

    static func start(
        _ arguments: [String], in folder: String, output: String? = nil, environment: [String: String] = [:]
    ) throws -> Running {
        guard FileManager.default.isExecutableFile(atPath: binary) else {
            throw Missing(description: "no command at \(binary): run 'make build', or set DESCENT_BINARY")
        }
        let process = Process()
        process.executableURL = URL(filePath: binary)
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder)
        // A backtrace of a crash would take longer than all tests.
        process.environment = ProcessInfo.processInfo.environment
            .merging(["OMP_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no", "COLUMNS": "80"]) { $1 }
            // What the command would start itself once more for: half of the time that a short run takes.
            .merging(["GOMP_SPINCOUNT": "10000"]) { $1 }
            .merging(environment) { $1 }
        // Files, since a pipe that nobody reads would stop the command.
        let base = FileManager.default.temporaryDirectory.path + "/descent-stream-\(UUID().uuidString)"
        let streams = (output: base + ".out", errors: base + ".err")
        for path in [streams.output, streams.errors] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        process.standardOutput = FileHandle(forWritingAtPath: output ?? streams.output)
        process.standardError = FileHandle(forWritingAtPath: streams.errors)
        process.standardInput = FileHandle.nullDevice
        // A test's thread blocks all signals, and a child inherits that.
        var signals = sigset_t()
        var before = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_UNBLOCK, &signals, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        // A run that hangs must not keep all others waiting.
        DispatchQueue.global().asyncAfter(deadline: .now() + 60) {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
        return Running(process: process, streams: streams)
    }

    struct Missing: Error, CustomStringConvertible { var description: String }
}

extension Scratch {
    /// Runs the command in this folder.
    func run(_ arguments: String...) throws -> Command.Outcome { try run(arguments) }

    func run(_ arguments: [String]) throws -> Command.Outcome {
        try Command.start(arguments, in: folder).wait()
    }

    /// A fit of one small program, with JSON on standard output, in the run folder `out`.
    func fit(_ source: String, _ more: String..., out: String = "out") throws -> Command.Outcome {
        try run(["fit", source, "--threads", "1", "--json", "--quiet", "--out", out] + more)
    }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        let url = URL(filePath: folder + "/" + name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func bytes(_ name: String) -> [UInt8] {
        [UInt8](FileManager.default.contents(atPath: folder + "/" + name) ?? Data())
    }

    /// Whether two files are there and equal; a comparison in an expectation would print all their bytes.
    func holdsSame(_ one: String, _ other: String) -> Bool {
        let bytes = bytes(one)
        return !bytes.isEmpty && bytes == self.bytes(other)
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder + "/" + name) }

    /// Every file and folder, sorted.
    var contents: [String] { (FileManager.default.subpaths(atPath: folder) ?? []).sorted() }
}
