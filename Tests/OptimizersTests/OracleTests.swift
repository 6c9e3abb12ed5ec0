import Foundation
import Optimizers
import TestSupport
import Settings
import Testing
import Torch
@testable import Trajectories

/// Trajectories of torch.optim, pytorch-optimizer, dadaptation, schedulefree and prodigyopt; see each file's `source`.
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
        .init("shampoo", exceptions: ["po_momentum": 1e-5]),
        // Branches of the line search magnify round-off.
        .init("lbfgs", tolerance: 1e-6),
        // The reference factors in single precision.
        .init("soap", tolerance: 5e-5),
        // The reference orthogonalises in bfloat16.
        .init("muon_torch", "muon", tolerance: 2e-2),
    ]

    func load() throws -> TrajectoryFile {
        let url = Bundle.module.url(forResource: "Resources/" + file, withExtension: "json")
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

    @Test("Every step agrees where no setting has its default", arguments: OptimizerCatalogue.all.map { $0.name })
    func settings(name: String) throws {
        let file = try Reference("settings/" + name).load()
        let deviations = try Verification.replay(file)
        #expect(!deviations.isEmpty)
        for deviation in deviations {
            #expect(deviation.steps >= 5 && deviation.largest <= 1e-12, "\(deviation.configuration)")
        }
    }

    @Test("Prodigy's estimate in a warm-up, with and without its safeguard")
    func warmUp() throws {
        let deviations = try Verification.replay(try Reference("prodigy_warmup").load())
        #expect(deviations.count == 2)
        for deviation in deviations { #expect(deviation.largest <= 1e-12, "\(deviation.configuration)") }
    }

    @Test(
        "Arrays of other lengths than the start's are refused, before any kernel reads them",
        arguments: OptimizerCatalogue.all.map { $0.name })
    func shapes(name: String) throws {
        for shape in ["[]", "[0.5]", "[0.5, 0.5, 0.5, 0.5, 0.5]", "[[0.5, 0.5, 0.5, 0.5]]"] {
            for field in ["grad", "params_after"] {
                let step = ["grad", "params_after"].map {
                    "\"\($0)\": {\"w\": \($0 == field ? shape : "[1, 1, 1, 1]")}"
                }
                let text = """
                    {"optimizer": "\(name)", "configs": [{"name": "a", "settings": {}, "trajectories": [
                    {"problem": {"name": "rosenbrock", "init": {"w": [1, 2, 3, 4]}},
                    "steps": [{\(step.joined(separator: ", "))}]}]}]}
                    """
                let file = try JSONDecoder().decode(TrajectoryFile.self, from: Data(text.utf8))
                let error = #expect(throws: SettingError.self, "\(shape)") { try Verification.replay(file) }
                // Those that evaluate the function know none of these shapes.
                #expect(
                    error?.description.contains(shape == "[[0.5, 0.5, 0.5, 0.5]]" || name == "lbfgs" ? "shape" : "has")
                        == true)
            }
        }
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
