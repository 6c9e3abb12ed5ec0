import Foundation
import TestSupport
import Testing
import Settings
import Torch

@testable import Optimizers

/// What every optimizer of the catalogue must do.
@Suite("Every optimizer of the catalogue")
struct ConformanceTests {
    static let names = OptimizerCatalogue.all.map { $0.name }

    /// A strictly convex quadratic in a matrix and a vector, minimum 0 at `target`.
    struct Quadratic {
        let target: [Tensor]
        let start: [Tensor]
        let curvature: [Tensor]

        init(_ dtype: DType = .float64) {
            var random = RandomSource(5)
            target = [random.tensor([4, 3], dtype: dtype), random.tensor([5], dtype: dtype)]
            start = [random.tensor([4, 3], dtype: dtype), random.tensor([5], dtype: dtype)]
            curvature = start.map { $0.absolute() + 0.5 }
        }

        func evaluate(_ x: [Tensor]) -> (loss: Double, gradients: [Tensor]) {
            let differences = zip(x, target).map { $0 - $1 }
            let loss = zip(differences, curvature).reduce(0) { $0 + 0.5 * ($1.0.squared() * $1.1).sumInDouble() }
            return (loss, zip(differences, curvature).map { $0 * $1 })
        }
    }

    /// A rate that suits the quadratic.
    static func tuned(_ name: String) throws -> any Optimizer {
        let rates = [
            "sgd": 0.3, "adadelta": 30, "adagrad": 0.5, "shampoo": 0.5, "averaged_sgd": 0.3, "lion": 0.01,
            "schedulefree_sgd": 0.5, "schedulefree_adamw": 0.1, "adafactor": 0.3, "rprop": 0.05, "madgrad": 0.05,
            "lbfgs": 1, "dadapt_adam": 1, "dadapt_sgd": 1, "prodigy": 1, "muon": 0.02,
            "ramda": 0.05, "rmda": 0.5, "proxsgd": 0.3,
        ]
        var settings: [String: SettingValue] = ["lr": .number(rates[name] ?? 0.05)]
        if name == "muon" { settings["adamw_lr"] = .number(0.05) }
        if ["muon", "adamw", "soap"].contains(name) { settings["weight_decay"] = .number(0) }
        if name == "dadapt_adam" || name == "prodigy" { settings["d0"] = .number(1e-3) }
        return try OptimizerCatalogue.make(name, settings: settings)
    }

    static func step(
        _ optimizer: any Optimizer, _ x: inout [Tensor], _ state: inout OptimizerState, _ problem: Quadratic
    ) throws {
        if let closure = optimizer as? any ClosureOptimizer {
            try closure.step(&x, start: problem.evaluate(x), state: &state, evaluate: problem.evaluate)
        } else {
            optimizer.step(&x, gradients: problem.evaluate(x).gradients, state: &state)
        }
    }

    static func run(_ optimizer: any Optimizer, _ problem: Quadratic, steps: Int) throws -> [Tensor] {
        var (x, state) = (problem.start, OptimizerState())
        for _ in 0..<steps { try step(optimizer, &x, &state, problem) }
        return optimizer.evaluationParameters(x, state: state)
    }

    @Test("Converges on a quadratic", arguments: names)
    func converges(name: String) throws {
        let problem = Quadratic()
        let first = problem.evaluate(problem.start).loss
        let x = try Self.run(try Self.tuned(name), problem, steps: 600)
        #expect(problem.evaluate(x).loss < 0.02 * first, "\(name): \(problem.evaluate(x).loss) of \(first)")
    }

    @Test("Single precision follows double precision", arguments: names)
    func precision(name: String) throws {
        let optimizer = try Self.tuned(name)
        let double = try Self.run(optimizer, Quadratic(), steps: 5)
        let single = try Self.run(optimizer, Quadratic(.float32), steps: 5)
        #expect(single.allSatisfy { $0.dtype == .float32 })
        // Where a sign or the order of eigenvalues decides, one rounding may move a weight by a whole step.
        let tolerance = ["lion", "rprop", "soap"].contains(name) ? 0.1 : 2e-3
        for (a, b) in zip(single, double) { #expect(distance(a.to(.float64), b) < tolerance) }
    }

    @Test("State that is taken out and put back goes on to the same bits", arguments: names)
    func resumes(name: String) throws {
        let optimizer = try Self.tuned(name)
        let problem = Quadratic()
        var (x, state) = (problem.start, OptimizerState())
        for _ in 0..<4 { try Self.step(optimizer, &x, &state, problem) }
        // Only names, numbers and bytes survive a checkpoint.
        var copy = OptimizerState()
        copy.step = state.step
        copy.slots = state.slots.map(Self.roundTrip)
        copy.shared = Self.roundTrip(state.shared)
        var y = x.map { Tensor($0.doubles(), shape: $0.shape) }
        for _ in 0..<4 {
            try Self.step(optimizer, &x, &state, problem)
            try Self.step(optimizer, &y, &copy, problem)
        }
        for (a, b) in zip(x, y) { #expect(a.doubles() == b.doubles()) }
    }

    private static func roundTrip(_ slot: Slot) -> Slot {
        var copy = Slot()
        copy.numbers = slot.numbers
        copy.tensors = slot.tensors.mapValues { Tensor($0.doubles(), shape: $0.shape) }
        return copy
    }

    @Test("The order of the parameters does not matter", arguments: names)
    func order(name: String) throws {
        let optimizer = try Self.tuned(name)
        let problem = Quadratic()
        let swapped = { (x: [Tensor]) -> (loss: Double, gradients: [Tensor]) in
            let (loss, gradients) = problem.evaluate(x.reversed())
            return (loss, gradients.reversed())
        }
        var (x, y) = (problem.start, Array(problem.start.reversed()))
        var (a, b) = (OptimizerState(), OptimizerState())
        for _ in 0..<5 {
            try Self.step(optimizer, &x, &a, problem)
            if let closure = optimizer as? any ClosureOptimizer {
                try closure.step(&y, start: swapped(y), state: &b, evaluate: swapped)
            } else {
                optimizer.step(&y, gradients: swapped(y).gradients, state: &b)
            }
        }
        for (one, two) in zip(x, y.reversed()) { #expect(distance(one, two) < 1e-9) }
    }

    @Test("A copy of the parameters does not change with the step", arguments: names)
    func values(name: String) throws {
        let optimizer = try Self.tuned(name)
        let problem = Quadratic()
        var (x, state) = (problem.start, OptimizerState())
        for _ in 0..<3 {
            let (before, numbers) = (x, x.map { $0.doubles() })
            try Self.step(optimizer, &x, &state, problem)
            for (tensor, expected) in zip(before, numbers) { #expect(tensor.doubles() == expected) }
        }
    }

    @Test("Settings go out and come back", arguments: names)
    func settings(name: String) throws {
        let optimizer = try Self.tuned(name)
        let again = try OptimizerCatalogue.make(name, settings: optimizer.settings)
        #expect(again.settings == optimizer.settings)
        let listed = Set(type(of: optimizer).hyperparameters.map(\.name))
        #expect(Set(optimizer.settings.keys) == listed)
        for hyperparameter in type(of: optimizer).hyperparameters {
            #expect(hyperparameter.allows(try #require(optimizer.settings[hyperparameter.name])))
        }
    }

    @Test("Values out of range are refused, with the range", arguments: names)
    func ranges(name: String) throws {
        #expect(throws: SettingError.self) { try OptimizerCatalogue.make(name, settings: ["lr": .number(-1)]) }
        #expect(throws: SettingError.self) { try OptimizerCatalogue.make(name, settings: ["lr": .word("big")]) }
        #expect(throws: SettingError.self) { try OptimizerCatalogue.make(name, settings: ["lr": .number(.nan)]) }
        let type = try #require(OptimizerCatalogue.all.first { $0.name == name })
        if type.hyperparameters.contains(where: { $0.name == "betas" }) {
            let error = #expect(throws: SettingError.self) {
                try OptimizerCatalogue.make(name, settings: ["betas": .list([.number(0.9), .number(1)])])
            }
            #expect(error?.problem == "betas is [0.9, 1], but must be 2 numbers in [0, 1)")
        }
    }

    @Test("Unknown names come back with the nearest ones")
    func unknown() {
        let optimizer = #expect(throws: SettingError.self) { try OptimizerCatalogue.make("adamm") }
        #expect(optimizer?.description.contains("'adam' or 'adamw'") == true)
        let setting = #expect(throws: SettingError.self) {
            try OptimizerCatalogue.make("adam", settings: ["weight_decy": .number(0)])
        }
        #expect(setting?.description.contains("did you mean 'weight_decay'") == true)
    }

    @Test(
        "The fused kernels give what composed operators give",
        arguments: ["sgd", "adam", "adamw", "lion", "yogi", "madgrad"])
    func kernels(name: String) throws {
        for dtype in [DType.float64, .float32] {
            var random = RandomSource(9)
            // Long enough for two threads.
            let start = random.tensor([70_001], dtype: dtype)
            let gradients = (0..<3).map { _ in random.tensor([70_001], dtype: dtype) }
            var settings: [String: SettingValue] = ["weight_decay": .number(0.1), "lr": .number(0.5)]
            if name == "sgd" { settings.merge(["momentum": .number(0.9), "nesterov": .flag(true)]) { $1 } }
            let optimizer = try OptimizerCatalogue.make(name, settings: settings)
            func run() -> Tensor {
                var (x, state) = ([start], OptimizerState())
                for g in gradients { optimizer.step(&x, gradients: [g], state: &state) }
                return x[0]
            }
            let (fused, composed) = (run(), FusedKernels.disabled { run() })
            // Of the way that was gone, so that small steps are looked at as closely as large ones.
            let difference = (fused - composed).norm / (composed - start).norm
            #expect(difference < (dtype == .float64 ? 1e-13 : 1e-6), "\(difference)")
            #expect(distance(fused, start) > 1e-3)
        }
    }
}
