import Foundation
import Settings
import Testing
import Torch
@testable import Trajectories

@testable import Optimizers

/// Trajectories of the official code of RMDA and RAMDA, of their experiments' code, and of exact subproblem solutions.
@Suite("Published trajectories of regularised optimizers")
struct PublishedTrajectoryTests {
    static let folder = Bundle.module.bundleURL.path + "/Resources/ramda/"
    static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
        .filter { !$0.contains("problem") }.sorted()

    @Test("There are as many as there should be")
    func present() { #expect(Self.files.count == 18) }

    @Test("Every step agrees", arguments: files)
    func agrees(file: String) throws {
        let deviations = try Verification.replay(TrajectoryFile(contentsOf: Self.folder + file))
        #expect(deviations.count == 1 && deviations[0].steps >= 8)
        let tolerance = try #require(deviations[0].tolerance)
        #expect(tolerance <= 1e-5)
        #expect(deviations[0].largest <= tolerance, "\(deviations[0].largest) at step \(deviations[0].step)")
    }

    @Test("Another strength, another momentum or a restart that is left out is found", arguments: files)
    func mutants(file: String) throws {
        let read = try TrajectoryFile(contentsOf: Self.folder + file)
        var mutants: [TrajectoryFile] = []
        if read.configs[0].penalty != nil {
            var other = read
            let strength = try #require(other.configs[0].penalty?.settings["lambda"]?.number)
            other.configs[0].penalty?.settings["lambda"] = .number(strength * 1.01)
            mutants.append(other)
        }
        if read.configs[0].trajectories[0].steps[0].settings?["momentum"] != nil {
            var other = read
            let last = other.configs[0].trajectories[0].steps.count - 1
            let step = try #require(other.configs[0].trajectories[0].steps[last].settings?["momentum"]?.number)
            other.configs[0].trajectories[0].steps[last].settings?["momentum"] = .number(step * 0.99)
            mutants.append(other)
        }
        if read.configs[0].trajectories[0].steps.contains(where: { $0.restart == true }) {
            var other = read
            for index in other.configs[0].trajectories[0].steps.indices {
                other.configs[0].trajectories[0].steps[index].restart = false
            }
            mutants.append(other)
        }
        #expect(!mutants.isEmpty)
        for mutant in mutants {
            #expect(try Verification.replay(mutant).allSatisfy { $0.largest > 1e-5 })
        }
    }

    @Test("A problem that is missing and a name without an optimizer are said")
    func broken() throws {
        let folder = FileManager.default.temporaryDirectory.appending(component: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = try String(contentsOfFile: Self.folder + "ramda_rmda_glasso_f64.json", encoding: .utf8)
        let unnamed = source.replacing(#""optimizer": "rmda", "#, with: "")
        for (name, content, text) in [
            ("ramda_rmda.json", unnamed, "must lie beside it"), ("ramda_what.json", unnamed, "its name none of"),
            ("any.json", source, "must lie beside it"),
        ] {
            let copy = folder.appending(component: name)
            try Data(content.utf8).write(to: copy)
            let error = #expect(throws: SettingError.self) { try TrajectoryFile(contentsOf: copy.path) }
            #expect(error?.description.contains(text) == true)
        }
    }
}
