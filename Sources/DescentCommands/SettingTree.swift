import Datasets
import Estimators
import Foundation
import Interchange
import Reports
import Settings
import Training

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

    /// Trees merged, later ones over earlier ones.
    static func merged(_ trees: [SettingTree]) -> SettingTree {
        trees.reduce(.object([:])) { $0.merged(with: $1) }
    }

    /// Settings with these names and values, and the defaults for what is not there.
    ///
    /// - Throws: `DataError` for names that such settings do not have, which a decoder passes over, and for wrong values.
    func settings<Settings: Codable>(over defaults: Settings, of subject: String) throws -> Settings {
        let advice = "Settings have the names and values of a run's config.json"
        do {
            let usual = try JSONDecoder().decode(SettingTree.self, from: JSONEncoder().encode(defaults))
            let made = try JSONDecoder().decode(
                Settings.self, from: JSONEncoder().encode(usual.merged(with: self)))
            let known = try JSONDecoder().decode(SettingTree.self, from: JSONEncoder().encode(made))
            if let stray = firstName(missingIn: known, of: made) {
                throw DataError(
                    subject: subject, problem: "there is no setting '\(stray.name)'\(stray.hint)", advice: advice)
            }
            return made
        } catch let error as DataError {
            throw error
        } catch {
            throw DataError(
                subject: subject, problem: wrongName(over: defaults) ?? Experiment.reason(error), advice: advice)
        }
    }

    /// The setting whose value cannot be read: decoders do not always say.
    private func wrongName<Settings: Codable>(over defaults: Settings) -> String? {
        guard case .object(let own) = self,
            let usual = try? JSONDecoder().decode(SettingTree.self, from: JSONEncoder().encode(defaults))
        else { return nil }
        let wrong = own.sorted { $0.key < $1.key }.first { name, tree in
            let alone = try? JSONEncoder().encode(usual.merged(with: .object([name: tree])))
            return (try? JSONDecoder().decode(Settings.self, from: alone ?? Data())) == nil
        }
        return wrong.map { "'\($0.key)' has a wrong value" }
    }
}

/// Settings in the `config.json` of a run.
enum ConfigurationFile {
    private struct Stored: Decodable {
        var formatVersion: Int?
        var fit: SettingTree?
        var training: SettingTree?
    }

    /// Settings that may be given beside a file.
    private static let free: Set = ["seed", "timeLimit", "maxIterations"]

    /// Settings of `descent fit`.
    ///
    /// - Parameter flags: those that the other options describe, and what they are without any.
    /// - Throws: `DataError` for files of another version or another command, for wrong settings, and for options that
    ///   contradict the file.
    static func fit(_ path: String, beside flags: (given: FitSettings, usual: FitSettings)) throws -> FitSettings {
        let settings = try settings(path, \.fit, beside: flags, command: "fit", other: "train")
        try naming(path) { try settings.validate() }
        return settings
    }

    /// Settings of `descent train`.
    ///
    /// - Throws: as ``fit(_:beside:)``.
    static func training(
        _ path: String, beside flags: (given: TrainingSettings, usual: TrainingSettings)
    ) throws -> TrainingSettings {
        let settings = try settings(path, \.training, beside: flags, command: "train", other: "fit")
        try naming(path) { try settings.validate() }
        return settings
    }

    /// Says which file a setting that is out of range stands in.
    private static func naming(_ path: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as SettingError {
            throw DataError(subject: path, problem: "\(error)", advice: "Correct the file")
        }
    }

    /// The settings that options changed, by name.
    private static func changes<Settings: Codable>(
        _ flags: (given: Settings, usual: Settings), _ path: String
    ) throws -> SettingTree {
        func tree(_ settings: Settings) throws -> [String: SettingTree] {
            try JSONDecoder().decode([String: SettingTree].self, from: JSONEncoder().encode(settings))
        }
        let (given, usual) = (try tree(flags.given), try tree(flags.usual))
        let changed = given.filter { usual[$0.key] != $0.value }
        if let contrary = changed.keys.filter({ !free.contains($0) }).min() {
            throw DataError(
                subject: "--config", problem: "'\(contrary)' is given beside it, too",
                advice: "Change it in \(path), or leave the file out")
        }
        return .object(changed)
    }

    private static func settings<Settings: Codable>(
        _ path: String, _ part: KeyPath<Stored, SettingTree?>, beside flags: (given: Settings, usual: Settings),
        command: String, other: String
    ) throws -> Settings {
        let stored: Stored
        do {
            stored = try JSONDecoder().decode(Stored.self, from: Data(InputFile.bytes(path)))
        } catch let error as DecodingError {
            throw DataError(
                subject: path, problem: "is no configuration of a run: \(Experiment.reason(error))",
                advice: "Give the config.json of a run folder")
        }
        let version = stored.formatVersion ?? RunConfiguration.currentVersion
        guard version == RunConfiguration.currentVersion else {
            throw DataError(
                subject: path,
                problem: "is of another version of Descent (format \(version), this one reads "
                    + "\(RunConfiguration.currentVersion))", advice: "Train again with options, or take that version")
        }
        guard let tree = stored[keyPath: part] else {
            let hasOther = stored.fit != nil || stored.training != nil
            throw DataError(
                subject: path, problem: "holds no settings of descent \(command)",
                advice: hasOther ? "Use descent \(other) --config" : "Give the config.json of a run folder")
        }
        return try tree.merged(with: changes(flags, path)).settings(over: flags.usual, of: path)
    }
}
