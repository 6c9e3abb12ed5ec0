import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Optimizers
import Settings
import Torch
import Training
import Yams

/// An experiment file: one problem, several methods, their learning rates and seeds.
struct Experiment: Codable {
    /// Name of the comparison.
    var name: String
    /// One line about it.
    var title: String?
    /// A data set or file; a relative path is looked up beside the experiment, too.
    var data: String
    var test: String?
    var target: String?
    /// Classes to keep.
    var classes: [Int]?
    var subset: Int?
    /// Seeds of all runs.
    var seeds: [UInt64]
    /// Score whose time is reported.
    var goal: Double
    /// Threads of each run.
    var threads: Int?
    /// Runs at a time.
    var parallel: Int?
    /// Settings of all training runs, with the names of a run's config.json.
    var train: [String: SettingTree]?
    var methods: [Method]

    /// One line of the comparison.
    struct Method: Codable {
        var name: String
        /// Settings over the common ones; `optimizer` names the optimizer.
        var train: [String: SettingTree]?
        /// Settings of `descent fit` with the names of a run's config.json, for a convex fit in place of training.
        var fit: [String: SettingTree]?
        /// Learning rates; none for methods that have none.
        var rates: [Double]?
        /// Learning rates 10^U(low, high), drawn by a seed.
        var randomRates: RandomRates?
        /// Strengths of the penalty.
        var strengths: [Double]?

        /// All combinations of rates and strengths.
        var variants: [(rate: Double?, strength: Double?)] {
            let rates = (rates ?? randomRates?.values).map { $0.map(Optional.some) } ?? [nil]
            let strengths = strengths.map { $0.map(Optional.some) } ?? [nil]
            return rates.flatMap { rate in strengths.map { (rate, $0) } }
        }
    }

    /// Learning rates that are drawn.
    struct RandomRates: Codable {
        var low: Double
        var high: Double
        var count: Int
        var seed: UInt64?

        /// The rates, in the order drawn.
        var values: [Double] {
            var random = SplitMix64(seed: seed ?? 0)
            return (0..<count).map { _ in pow(10, low + (high - low) * random.uniform()) }
        }
    }

    /// Reads and checks an experiment file.
    ///
    /// - Throws: `DataError` naming the file and what is wrong.
    static func load(_ path: String) throws -> Experiment { try Experiment(ExperimentFile.read(path), path: path) }

    /// Reads and checks the tree of a file; `path` is named in errors.
    init(_ tree: Node, path: String) throws {
        let experiment: Experiment
        do {
            experiment = try YAMLDecoder().decode(Experiment.self, from: tree)
        } catch {
            throw DataError(
                subject: path, problem: "is no experiment: \(Self.reason(error))",
                advice: "Compare it with the files in Experiments/")
        }
        func fault(_ problem: String, _ advice: String) -> DataError {
            DataError(subject: path, problem: problem, advice: advice)
        }
        guard !experiment.methods.isEmpty, !experiment.seeds.isEmpty else {
            throw fault("it has no methods or no seeds", "Give at least one of each")
        }
        guard experiment.methods.count <= 1000 else { throw fault("it has too many methods", "Give at most 1000") }
        let names = experiment.methods.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw fault("two methods are called '\(twice)'", "Name each method differently")
        }
        guard (1...256).contains(experiment.parallel ?? 1), (1...1024).contains(experiment.threads ?? 1) else {
            throw fault("parallel or threads is out of range", "Give 1 to 256 runs, and 1 to 1024 threads")
        }
        try Self.requireKnown(tree, path)
        if let (problem, advice) = experiment.fault { throw fault(problem, advice) }
        // A mistake must not be found out after hours of other runs.
        for method in experiment.methods {
            guard method.fit == nil else {
                let others = [
                    ("train", method.train != nil), ("rates", method.rates != nil),
                    ("randomRates", method.randomRates != nil), ("strengths", method.strengths != nil),
                ]
                if let other = others.first(where: \.1) {
                    throw fault(
                        "'\(method.name)' has fit and \(other.0), which a fit does not have", "Leave one of them out")
                }
                do {
                    try experiment.fitSettings(method, seed: 0).validate()
                } catch let error as SettingError {
                    throw fault("fit of '\(method.name)': \(error)", "Settings are those of a run's config.json")
                }
                continue
            }
            for (rate, strength) in method.variants {
                let settings = try experiment.settings(method, rate: rate, strength: strength, seed: 0)
                try settings.validate()
                _ = try settings.rule()
                _ = try ArchitectureCatalogue.make(settings.model, settings: settings.modelSettings)
                _ = try ScheduleCatalogue.make(settings.scheduleName, settings: settings.scheduleSettings)
            }
        }
        self = experiment
    }

    /// Refuses names that no part of an experiment has, which a decoder passes over.
    private static func requireKnown(_ tree: Node, _ path: String) throws {
        func names(_ node: Node) -> [String] { node.mapping?.keys.map { $0.string ?? "?" } ?? [] }
        func check(_ names: some Sequence<String>, _ known: [String]) throws {
            for name in names where !known.contains(name) {
                throw DataError(
                    subject: path, problem: "there is no '\(name)'\(NearestNames.hint(for: name, among: known))",
                    advice: "Compare it with the files in Experiments/")
            }
        }
        let known = [
            "name", "title", "data", "test", "target", "classes", "subset", "seeds", "goal", "threads", "parallel",
            "train", "methods",
        ]
        try check(names(tree).sorted(), known)
        for method in tree["methods"]?.sequence ?? [] {
            try check(names(method).sorted(), ["name", "train", "fit", "rates", "randomRates", "strengths"])
        }
    }

    /// What no comparison can have, with what to do about it; nil where all is well.
    private var fault: (problem: String, advice: String)? {
        if let large = seeds.first(where: { $0 > 1 << 53 }) {
            return ("the seed \(large) is no number that every file can hold", "Give at most 9007199254740992")
        }
        if seeds.count > 1000 { return ("it has \(seeds.count) seeds", "Give at most 1000") }
        for method in methods {
            if let drawn = method.randomRates {
                guard (1...1000).contains(drawn.count), drawn.low.isFinite, drawn.high.isFinite else {
                    return (
                        "randomRates of '\(method.name)' are no rates", "Give 1 to 1000 between finite powers of ten"
                    )
                }
            }
            let numbers = (method.rates ?? method.randomRates?.values ?? []) + (method.strengths ?? [])
            guard numbers.count <= 1000, numbers.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
                return ("a rate or strength of '\(method.name)' is no number ≥ 0", "Give at most 1000 finite numbers")
            }
        }
        let count = seeds.count * methods.reduce(0) { $0 + $1.variants.count }
        return count <= 10_000 ? nil : ("it asks for \(count) runs", "Ask for at most 10000")
    }

    /// The name as a folder's: it must not lead out of the folder of all comparisons.
    var folderName: String { Self.folderName(name) }

    /// A text as a part of a folder's name.
    static func folderName(_ text: String) -> String {
        let name = String(text.prefix(100).map { $0.isLetter || $0.isNumber ? $0 : "-" })
        return name.isEmpty ? "comparison" : name
    }

    static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            context.codingPath.isEmpty
                ? ErrorText.oneLine(context.debugDescription)
                : "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has a wrong value"
        default: ErrorText.oneLine("\(error)")
        }
    }

    /// Settings of one training run.
    ///
    /// - Throws: `DataError` for names that a run's settings do not have.
    func settings(_ method: Method, rate: Double?, strength: Double?, seed: UInt64) throws -> TrainingSettings {
        var layers = [train, method.train].compactMap(\.self).map(SettingTree.object)
        if let rate { layers.append(.object(["optimizerSettings": .object(["lr": .value(.number(rate))])])) }
        if let strength {
            let lambda = SettingTree.object(["lambda": .value(.number(strength))])
            layers.append(.object(["penalty": .object(["settings": lambda])]))
        }
        layers.append(Self.tree(seed: seed))
        return try SettingTree.merged(layers).settings(over: TrainingSettings(), of: "method '\(method.name)'")
    }

    /// Settings of one fit.
    ///
    /// - Throws: `DataError` for names that a fit's settings do not have.
    func fitSettings(_ method: Method, seed: UInt64) throws -> FitSettings {
        try SettingTree.merged([.object(method.fit ?? [:]), Self.tree(seed: seed)])
            .settings(over: FitSettings(), of: "fit of '\(method.name)'")
    }

    private static func tree(seed: UInt64) -> SettingTree { .object(["seed": .value(.number(Double(seed)))]) }
}
