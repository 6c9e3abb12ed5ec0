import ArgumentParser
import ConvexNetworks
import Datasets
import Foundation
import Proximal

/// `descent list`
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists data sets, losses and formulations.")

    enum Catalogue: String, ExpressibleByArgument, CaseIterable { case datasets, losses, formulations, all }

    @Argument(help: "What to list.") var catalogue = Catalogue.all
    @Flag(help: "Print JSON.") var json = false

    private struct Entry: Encodable {
        var name: String
        var summary: String
    }

    mutating func run() throws {
        var parts: [(String, [Entry])] = []
        if catalogue == .datasets || catalogue == .all {
            parts.append(("datasets", DatasetCatalogue.all.map { Entry(name: $0.name, summary: $0.summary) }))
        }
        if catalogue == .losses || catalogue == .all {
            parts.append(
                ("losses", LossCatalogue.all.map { Entry(name: type(of: $0).name, summary: type(of: $0).summary) }))
        }
        if catalogue == .formulations || catalogue == .all {
            parts.append(("formulations", Formulation.allCases.map { Entry(name: $0.rawValue, summary: $0.summary) }))
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
                print("  \(entry.name.padding(toLength: 16, withPad: " ", startingAt: 0))\(entry.summary)")
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
