import ArgumentParser
import Foundation
import Optimizers
import Torch
import Trajectories

/// `descent verify`
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks optimizers against trajectories of other implementations.",
        discussion: """
            Replays every run of the files in double precision and prints the largest deviation of the parameters,
            relative to their size where that is above 1. A file is JSON: the optimizer's name, settings, and for each
            step the gradient and the parameters after it.

              descent verify adam.json lion.json
              descent verify mine.json --optimizer adamw --tolerance 1e-6
              descent verify --example > mine.json
            """)

    @Argument(help: "Trajectory files.") var files: [String] = []

    @Option(help: ArgumentHelp("Optimizer to use instead of the one that the file names.", valueName: "name"))
    var optimizer: String?

    @Option(
        help: ArgumentHelp(
            "Largest deviation that passes; what the file says, or 1e-9, unless given.", valueName: "number"))
    var tolerance: Double?

    @Flag(help: "Print a small trajectory file to start from, and stop.")
    var example = false

    @Flag(help: "Print one JSON object: the deviations by file.")
    var json = false

    func validate() throws {
        guard example || !files.isEmpty else { throw ValidationError("Name a trajectory file, or give --example") }
        guard tolerance ?? 1 > 0 else { throw ValidationError("--tolerance must be above 0") }
    }

    mutating func run() throws {
        if example { return try Console.result(Self.exampleText) }
        var found: [String: [Deviation]] = [:]
        var hasFailed = false
        for path in files {
            let deviations = try Verification.replay(TrajectoryFile(contentsOf: path), optimizer: optimizer)
            found[path] = deviations
            let agrees = deviations.allSatisfy { $0.largest <= tolerance ?? $0.tolerance ?? 1e-9 }
            hasFailed = hasFailed || !agrees
            if !json { try Console.result(line(path, deviations, agrees)) }
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            try Console.result(String(decoding: try encoder.encode(found), as: UTF8.self) + "\n")
        }
        if hasFailed { throw ExitCode(1) }
    }

    private func line(_ path: String, _ deviations: [Deviation], _ agrees: Bool) -> String {
        // A file whose own solver stopped early holds its error: nothing agrees with it, and nothing has to.
        let isVague = tolerance == nil && deviations.contains { ($0.tolerance ?? 0) >= 0.1 }
        let mark = !agrees ? "DIFFERS" : isVague ? "vague " : "agrees"
        let largest = deviations.map(\.largest).max() ?? 0
        let worst = deviations.max { $0.largest < $1.largest }
        let place = worst.map { $0.largest > 0 ? " (\($0.configuration), \($0.problem), step \($0.step))" : "" } ?? ""
        let steps = deviations.reduce(0) { $0 + $1.steps }
        let size = String(format: "%.1e", largest)
        return "\(mark)  \(size)  \(path): \(deviations.count) runs, \(steps) steps\(place)"
            + (isVague && agrees ? "; its inner solver stopped early, so that it tells nothing\n" : "\n")
    }

    private static let exampleText = """
        {"optimizer": "sgd", "configs": [{"name": "momentum", "settings": {"lr": 0.1, "momentum": 0.9},
          "trajectories": [{"problem": {"name": "mine", "init": {"w": [1.0, 2.0]}}, "steps": [
            {"grad": {"w": [1.0, -1.0]}, "params_after": {"w": [0.9, 2.1]}},
            {"grad": {"w": [1.0, -1.0]}, "params_after": {"w": [0.71, 2.29]}}]}]}]}

        """
}
