import Foundation
import Optimizers
import TestSupport
import Settings
import Testing
import Torch

/// Trajectories of torch.optim, pytorch-optimizer, schedulefree and prodigyopt; see each file's `source`.
struct Reference: Sendable, CustomTestStringConvertible {
    let file: String
    let optimizer: String
    /// What an implementation in double precision can reach, and why not 1e-9 where it is more.
    let tolerance: Double
    /// Settings whose reference is another implementation, with what it differs by.
    let exceptions: [String: Double]

    init(_ file: String, _ optimizer: String? = nil, tolerance: Double = 1e-9, exceptions: [String: Double] = [:]) {
        (self.file, self.optimizer, self.tolerance) = (file, optimizer ?? file, tolerance)
        self.exceptions = exceptions
    }

    var testDescription: String { file }

    static let all: [Reference] = [
        .init("sgd"), .init("adam"), .init("adamw"), .init("amsgrad"), .init("adagrad"), .init("rmsprop"),
        .init("nadam"), .init("radam"), .init("adamax"), .init("adadelta"), .init("rprop"),
        .init("adafactor_torch", "adafactor"), .init("lion"), .init("yogi"), .init("madgrad"),
        .init("schedulefree_adamw"), .init("schedulefree_sgd"),
        // The reference sums the numerator of its estimate in single precision.
        .init("dadapt_adam", tolerance: 1e-6),
        // The authors' code agrees to 1e-15; pytorch-optimizer ("po") does not scale ε by d.
        .init("prodigy", exceptions: ["po": 1e-6]),
        // The reference keeps its rate in single precision.
        .init("averaged_sgd", tolerance: 1e-7),
        // Momentum leaves a direction without curvature, where round-off decides.
        .init("shampoo", exceptions: ["po_momentum": 1e-6]),
        // Branches of the line search magnify round-off.
        .init("lbfgs", tolerance: 1e-6),
        // The reference factors in single precision.
        .init("soap", tolerance: 5e-5),
        // The reference orthogonalises in bfloat16.
        .init("muon_torch", "muon", tolerance: 2e-2),
    ]

    func load() throws -> TrajectoryFile {
        let url = Bundle.module.url(forResource: file, withExtension: "json", subdirectory: "Resources")
        return try TrajectoryFile(contentsOf: #require(url).path)
    }
}

@Suite("Optimizers follow the trajectories of their references")
struct OracleTests {
    @Test("Every step of every run agrees", arguments: Reference.all)
    func agrees(reference: Reference) throws {
        let deviations = try Verification.replay(reference.load(), optimizer: reference.optimizer)
        #expect(!deviations.isEmpty)
        for deviation in deviations {
            #expect(deviation.steps >= 10)
            #expect(
                deviation.largest <= reference.exceptions[deviation.configuration] ?? reference.tolerance,
                "\(deviation.configuration) on \(deviation.problem), step \(deviation.step)")
        }
    }

    @Test("Every optimizer has a reference but those whose only one is their paper")
    func coverage() {
        let covered = Set(Reference.all.map(\.optimizer))
        let missing = OptimizerCatalogue.all.map { $0.name }.filter { !covered.contains($0) }
        #expect(missing == ["dadapt_sgd"])
    }

    @Test("A wrong setting leaves the trajectory", arguments: Reference.all)
    func mutants(reference: Reference) throws {
        var file = try reference.load()
        // A tenth more of the rate is the smallest mistake one could make.
        for index in file.configs.indices {
            let lr = file.configs[index].settings["lr"]?.number ?? 1
            file.configs[index].settings["lr"] = .number(lr * 1.1)
        }
        let deviations = try Verification.replay(file, optimizer: reference.optimizer)
        #expect(deviations.allSatisfy { $0.largest > reference.tolerance / 10 })
        #expect(deviations.contains { $0.largest > 1e-5 })
    }

    @Test("A trajectory whose gradients are shifted by one step is refused", arguments: ["adam", "yogi", "madgrad"])
    func shifted(name: String) throws {
        var file = try Reference(name).load()
        let steps = file.configs[0].trajectories[0].steps
        for index in steps.indices.dropLast() {
            file.configs[0].trajectories[0].steps[index].grad = steps[index + 1].grad
        }
        let deviations = try Verification.replay(file, optimizer: name)
        #expect(deviations[0].largest > 1e-6)
    }
}
