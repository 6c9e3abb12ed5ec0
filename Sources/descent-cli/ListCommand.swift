import ArgumentParser
import Settings
import ConvexNetworks
import Datasets
import Foundation
import Optimizers
import Proximal

/// `descent list`
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists data sets, losses, formulations and optimizers.",
        discussion: """
            descent list optimizers --json   hyperparameters with ranges and defaults, capabilities, citations
            """)

    enum Catalogue: String, ExpressibleByArgument, CaseIterable { case datasets, losses, formulations, optimizers, all }

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

    private static func entry(_ type: any Optimizer.Type) throws -> Entry {
        let defaults = try type.init().settings
        return Entry(
            name: type.name, summary: type.summary, citation: type.citation,
            capabilities: OptimizerCatalogue.capabilities(of: type).map(\.rawValue),
            hyperparameters: type.hyperparameters.map {
                Setting(
                    name: $0.name, summary: $0.summary, range: $0.rangeText, value: defaults[$0.name] ?? .null)
            })
    }

    mutating func run() throws {
        var parts: [(String, [Entry])] = []
        if catalogue == .datasets || catalogue == .all {
            parts.append(("datasets", DatasetCatalogue.all.map { Entry(name: $0.name, summary: $0.summary) }
                + NamedFiles.all.map { Entry(name: $0.name, summary: $0.summary) }
                + SyntheticData.all.map { Entry(name: $0.name, summary: $0.summary) }))
        }
        if catalogue == .losses || catalogue == .all {
            parts.append(
                ("losses", LossCatalogue.all.map { Entry(name: type(of: $0).name, summary: type(of: $0).summary) }))
        }
        if catalogue == .formulations || catalogue == .all {
            parts.append(("formulations", Formulation.allCases.map { Entry(name: $0.rawValue, summary: $0.summary) }))
        }
        if catalogue == .optimizers || catalogue == .all {
            parts.append(("optimizers", try OptimizerCatalogue.all.map(Self.entry)))
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(Dictionary(uniqueKeysWithValues: parts)), as: UTF8.self))
            return
        }
        for (title, entries) in parts {
            print(title)
            for entry in entries {
                print("  \(entry.name.padding(toLength: 20, withPad: " ", startingAt: 0))\(entry.summary)")
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
