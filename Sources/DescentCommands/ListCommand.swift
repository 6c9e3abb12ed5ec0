import ArgumentParser
import Settings
import ConvexNetworks
import Datasets
import Foundation
import Networks
import Optimizers
import Proximal

/// `descent list`
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract:
            "Lists data sets, losses, formulations, penalties, optimizers, transformations, schedules and networks.",
        discussion: """
            descent list optimizers --json   hyperparameters with ranges and defaults, capabilities, citations
            descent list networks --json     sizes with ranges and defaults
            """)

    enum Catalogue: String, ExpressibleByArgument, CaseIterable {
        case datasets, losses, formulations, penalties, optimizers, transformations, schedules, networks, all
    }

    @Argument(help: "What to list.") var catalogue = Catalogue.all
    @Flag(help: "Print JSON.") var json = false

    private struct Entry: Encodable {
        var name: String
        var summary: String
        var citation: String?
        var capabilities: [String]?
        var hyperparameters: [Setting]?
    }

    private struct Setting: Encodable {
        var name: String
        var summary: String
        var range: String
        var value: SettingValue

        enum CodingKeys: String, CodingKey {
            case name, summary, range
            case value = "default"
        }
    }

    private static func entries(of catalogue: Catalogue) throws -> [Entry] {
        switch catalogue {
        case .datasets:
            try DatasetCatalogue.all.map { try entry($0) }
        case .losses:
            try LossCatalogue.catalogue.all.map {
                var entry = try entry($0, capabilities: ["fit"])
                entry.summary = "fit: " + entry.summary
                return entry
            }
                + TrainingLossCatalogue.catalogue.all.map {
                    var entry = try entry($0, capabilities: ["train"])
                    entry.summary = "train: " + entry.summary
                    return entry
                }
        case .formulations: Formulation.allCases.map { Entry(name: $0.rawValue, summary: $0.summary) }
        case .penalties:
            try PenaltyCatalogue.all.map {
                try entry($0, capabilities: PenaltyCatalogue.capabilities(of: $0).map(\.rawValue))
            }
        case .optimizers:
            try OptimizerCatalogue.all.map {
                try entry($0, capabilities: OptimizerCatalogue.capabilities(of: $0).map(\.rawValue))
            }
        case .transformations:
            try TransformationCatalogue.before.all.map { try entry($0, capabilities: ["--before"]) }
                + TransformationCatalogue.after.all.map { try entry($0, capabilities: ["--after"]) }
        case .schedules: try ScheduleCatalogue.all.map { try entry($0) }
        case .networks: try ArchitectureCatalogue.all.map { try entry($0) }
        case .all: []
        }
    }

    private static func entry(_ type: any Configurable.Type, capabilities: [String]? = nil) throws -> Entry {
        let defaults = type.init().settings
        return Entry(
            name: type.name, summary: type.summary, citation: type.citation, capabilities: capabilities,
            hyperparameters: type.hyperparameters.map {
                Setting(
                    name: $0.name, summary: $0.summary, range: $0.rangeText, value: defaults[$0.name] ?? .null)
            })
    }

    mutating func run() throws {
        let parts = try Catalogue.allCases.filter { $0 != .all && (catalogue == $0 || catalogue == .all) }
            .map { ($0.rawValue, try Self.entries(of: $0)) }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try Console.line(
                String(decoding: try encoder.encode(Dictionary(uniqueKeysWithValues: parts)), as: UTF8.self))
            return
        }
        for (title, entries) in parts {
            try Console.line(title)
            for entry in entries {
                try Console.line("  \(entry.name.padding(toLength: 24, withPad: " ", startingAt: 0))\(entry.summary)")
            }
        }
    }
}

extension Formulation {
    /// One line of help.
    fileprivate var summary: String {
        switch self {
        case .relu: "cone constraints keep each neuron in its activation pattern: the result is a ReLU network"
        case .gated: "fixed gates decide the patterns, no constraints: the result is a gated ReLU network"
        }
    }
}
