import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import Reports
import RunLog
import Structure
import Torch
import Training

/// `descent shrink`
struct ShrinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink",
        abstract: "Makes a network smaller by what its weights do not use; its outputs stay.",
        discussion: """
            Channels, units, heads and input columns that nothing reads are cut out of every tensor that holds them, and
            matrices of low rank become two thin ones. The file that is written runs without the network's architecture:
            it lists the engine calls that compute it. Outputs are compared and timed on real rows.

              descent shrink runs/fashion-mnist-train
              descent shrink runs/mine table.csv --out small.safetensors
            """)

    @Argument(help: "A model file of descent train, or the run folder that holds it.") var model: String
    @Argument(help: "Data to compare outputs on; those that the model was trained on unless given.")
    var source: String?
    @Option(help: ArgumentHelp("Where to write; shrunk.safetensors beside the model unless given.", valueName: "file"))
    var out: String?
    @Option(help: ArgumentHelp("Folder that holds the named data sets.", valueName: "folder")) var data: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Threads; all cores unless given.", valueName: "number"))
    var threads: Int?
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): give a number from 1 to 1024.")
        }
    }

    mutating func run() throws {
        if let threads { Runtime.threads = threads }
        let path = ModelFile.path(model)
        let file = try SafeTensors.read(path)
        guard try ModelFile.kind(file, path: path).kind == ModelFile.networkKind else {
            throw DataError(
                subject: path, problem: "is no network of descent train",
                advice: "Networks of descent fit hold no unused units already")
        }
        let model = try NetworkModel.load(path)
        guard let rows = try rows(model) else {
            throw DataError(
                subject: path, problem: "does not say what data it was trained on",
                advice: "Name some: descent shrink \(self.model) DATA")
        }
        let (smaller, found) = try model.shrunk(comparedOn: rows.features.rows(0..<min(rows.count, 10_000)))
        let target =
            out
            ?? ((path as NSString).deletingLastPathComponent as NSString)
            .appendingPathComponent("shrunk.safetensors")
        try smaller.save(to: target)
        FolderLock.clear((target as NSString).deletingLastPathComponent)
        var report = found
        report.before.fileBytes = Self.size(path)
        report.after.fileBytes = Self.size(target)
        if json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(report), as: UTF8.self) + "\n")
        } else {
            try Console.result(ShrinkText(report: report, target: target).text)
        }
    }

    private func rows(_ model: NetworkModel) throws -> Dataset? {
        // What a file says of itself may name data, and no pipe or device.
        guard let source = source ?? model.facts["data"].flatMap({ Self.isData($0) ? $0 : nil }) else { return nil }
        var request = DataRequest(source: source)
        request.dataFolder = data
        (request.encoding, request.task, request.isForPrediction) = (model.encoding, model.task, true)
        let read = try loadData(request)
        return read.test ?? read.train
    }

    private static func isData(_ source: String) -> Bool {
        let kind = (try? FileManager.default.attributesOfItem(atPath: source))?[.type] as? FileAttributeType
        return kind == nil || kind == .typeDirectory || kind == .typeRegular
    }

    private static func size(_ path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
    }
}

/// What shrinking did, as text.
struct ShrinkText {
    let report: ShrinkReport
    let target: String

    var text: String {
        var lines = table
        if !report.changes.contains(where: { $0.after < $0.before }), report.factorised.isEmpty {
            let hasUnused = report.changes.contains { $0.blocked > 0 }
            lines.append("")
            lines.append(
                hasUnused
                    ? "Nothing could be cut, for these reasons:"
                    : "Nothing could be cut: train with a penalty, as --optimizer ramda --penalty group-lasso.")
        }
        for change in report.changes where change.after < change.before || change.blocked > 0 {
            lines.append("\(change.parameters.joined(separator: ", ")): \(change.before) → \(change.after) inputs")
            for kept in change.kept {
                let shown = kept.channels.prefix(12).map(String.init).joined(separator: ", ")
                let rest = kept.channels.count > 12 ? " and \(kept.channels.count - 12) more" : ""
                lines.append("  channels \(shown)\(rest) stay: \(kept.reason)")
            }
        }
        for one in report.factorised {
            lines.append("\(one.parameter): \(one.shape[0]) × \(one.shape[1]) as two matrices of rank \(one.rank)")
        }
        lines.append("")
        lines.append(
            String(
                format: "outputs on %d rows differ by at most %.1e, the largest is %.3g", report.rows,
                report.largestDifference, report.largestOutput))
        lines.append("written to \(target)")
        return lines.joined(separator: "\n") + "\n"
    }

    private var table: [String] {
        func row(_ name: String, _ before: Double?, _ after: Double?, _ format: (Double) -> String) -> String? {
            guard let before, let after else { return nil }
            let ratio = after > 0 ? String(format: "%.2f×", before / after) : ""
            return [name, format(before), format(after), ratio].enumerated()
                .map { $1.padding(toLength: $0 == 0 ? 20 : 14, withPad: " ", startingAt: 0) }.joined()
        }
        let count = { (number: Double) in "\(Int(number))" }
        let time = { (number: Double) in String(format: "%.3f ms", number) }
        let (old, new) = (report.before, report.after)
        return [
            row("parameters", Double(old.cost.parameters), Double(new.cost.parameters), count),
            row("multiply-adds", Double(old.cost.multiplyAdds), Double(new.cost.multiplyAdds), count),
            row("bytes of the file", old.fileBytes.map(Double.init), new.fileBytes.map(Double.init), count),
            row("\(report.batch) rows", old.milliseconds, new.milliseconds, time),
            row("one row", old.millisecondsForOne, new.millisecondsForOne, time),
        ].compactMap(\.self)
    }
}
