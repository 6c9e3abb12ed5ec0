import ArgumentParser
import Datasets
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
        /// Options of `descent fit` by name, for a convex fit in place of training.
        var fit: [String: SettingValue]?
        /// Learning rates; none for methods that have none.
        var rates: [Double]?
        /// Learning rates 10^U(low, high), drawn by a seed.
        var randomRates: RandomRates?
        /// Strengths of the penalty.
        var strengths: [Double]?

        /// The options of a fit as arguments: each is one, so that a value is never another option.
        var fitArguments: [String] {
            (fit ?? [:]).sorted { $0.key < $1.key }.compactMap { name, value in
                let flag = ErrorText.flag(name)
                return switch value {
                case .flag(true): flag
                case .flag(false): "--no-" + flag.dropFirst(2)
                case .null: nil
                case .list(let list): flag + "=" + list.map(\.text).joined(separator: ",")
                case .number, .word: flag + "=" + value.text
                }
            }
        }

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
        for method in experiment.methods where method.fit == nil {
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
            let owned = ["--out", "--data", "--resume", "--restart", "--threads", "--seed", "--json"]
            for name in (method.fit ?? [:]).keys.sorted() {
                // A name that holds a value would be another option than the one that is looked for.
                guard name.wholeMatch(of: #/[A-Za-z][A-Za-z0-9_-]*/#) != nil else {
                    return ("'\(name)' in fit of '\(method.name)' is no name of an option", "Write name: value")
                }
                guard owned.contains(ErrorText.flag(name)) else { continue }
                return ("'\(name)' in fit of '\(method.name)' is the comparison's own", "Leave it out")
            }
            do {
                _ = try FitCommand.parse([data] + method.fitArguments)
            } catch {
                let reason = ErrorText.oneLine(FitCommand.message(for: error))
                return ("fit of '\(method.name)': \(reason)", "See descent fit --help for its options")
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
        let defaults = try JSONDecoder().decode(
            [String: SettingTree].self, from: JSONEncoder().encode(TrainingSettings()))
        var merged = SettingTree.object(defaults)
        for layer in [train, method.train].compactMap(\.self) {
            merged = merged.merged(with: .object(layer))
        }
        if let rate {
            merged = merged.merged(with: .object(["optimizerSettings": .object(["lr": .value(.number(rate))])]))
        }
        if let strength {
            let lambda = SettingTree.object(["lambda": .value(.number(strength))])
            merged = merged.merged(with: .object(["penalty": .object(["settings": lambda])]))
        }
        merged = merged.merged(with: .object(["seed": .value(.number(Double(seed)))]))
        return try merged.trainingSettings(of: "method '\(method.name)'")
    }
}

extension SettingTree {
    /// The settings of a training run that have these names and values.
    ///
    /// - Throws: `DataError` for names that a run's settings do not have, which a decoder passes over.
    func trainingSettings(of subject: String) throws -> TrainingSettings {
        let advice = "Settings have the names and values of a run's config.json"
        do {
            let made = try JSONDecoder().decode(TrainingSettings.self, from: JSONEncoder().encode(self))
            let known = try JSONDecoder().decode(SettingTree.self, from: JSONEncoder().encode(made))
            if let stray = firstName(missingIn: known, of: made) {
                throw DataError(
                    subject: subject, problem: "there is no setting '\(stray.name)'\(stray.hint)", advice: advice)
            }
            return made
        } catch let error as DataError {
            throw error
        } catch {
            throw DataError(subject: subject, problem: Experiment.reason(error), advice: advice)
        }
    }
}

/// Nested settings as they stand in a file.
enum SettingTree: Codable, Equatable {
    case value(SettingValue)
    case object([String: SettingTree])
    /// Several objects; lists of values are values.
    case list([SettingTree])

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.singleValueContainer().decode([String: SettingTree].self) {
            self = .object(object)
        } else if let list = try? decoder.singleValueContainer().decode([[String: SettingTree]].self), !list.isEmpty {
            self = .list(list.map { .object($0) })
        } else {
            self = .value(try SettingValue(from: decoder))
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .value(let value): try value.encode(to: encoder)
        case .object(let object):
            var container = encoder.singleValueContainer()
            try container.encode(object)
        case .list(let list):
            var container = encoder.singleValueContainer()
            try container.encode(list)
        }
    }

    /// The first name that another tree does not have, behind those it stands in, with the nearest ones.
    ///
    /// - Parameter value: what `other` was made from; its properties are the names to choose from, since a tree lacks
    ///   those that are nil.
    func firstName(missingIn other: SettingTree, of value: Any?) -> (name: String, hint: String)? {
        if case .list(let own) = self, case .list(let known) = other {
            return zip(own, known).lazy.compactMap { $0.firstName(missingIn: $1, of: nil) }.first
        }
        guard case .object(let own) = self, case .object(let known) = other else { return nil }
        let properties = value.map { Mirror(reflecting: $0).children } ?? Mirror(reflecting: ()).children
        // A null is a setting left away.
        for (name, tree) in own.sorted(by: { $0.key < $1.key }) where tree != .value(.null) {
            guard let match = known[name] else {
                let names = Set(known.keys).union(properties.compactMap(\.label))
                return (name, NearestNames.hint(for: name, among: names.sorted()))
            }
            let inner = properties.first { $0.label == name }?.value
            let unwrapped = inner.flatMap { value in
                let mirror = Mirror(reflecting: value)
                return mirror.displayStyle == .optional ? mirror.children.first?.value : value
            }
            if let found = tree.firstName(missingIn: match, of: unwrapped) {
                return (name + "." + found.name, found.hint)
            }
        }
        return nil
    }

    /// The tree with another's values in place of its own, name by name.
    func merged(with other: SettingTree) -> SettingTree {
        guard case .object(let own) = self, case .object(let new) = other else { return other }
        return .object(own.merging(new) { $0.merged(with: $1) })
    }
}
