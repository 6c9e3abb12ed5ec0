import ArgumentParser
import Datasets
import Foundation
import Reports
import Optimizers
import Proximal
import Settings
import Torch

/// `descent bench`
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Times the step of an optimizer.",
        discussion: """
            Steps parameters of the given sizes along fixed gradients and prints the milliseconds of one step.

              descent bench adamw --sizes 1000000
              descent bench sgd --set momentum=0.9 --sizes 784x64,64,64x10,10 --json
              descent bench ramda --penalty group-lasso --strength 1e-3 --sizes 256x256x3x3
            """)

    @Argument(help: "Optimizer: see descent list optimizers.") var optimizer: String
    @Option(help: ArgumentHelp("Shapes of the parameters.", valueName: "shapes")) var sizes = "1000000"
    @Option(name: .customLong("set"), help: ArgumentHelp("A hyperparameter; again for each.", valueName: "name=value"))
    var set: [Assignment] = []
    @Option(help: ArgumentHelp("Penalty that the step is solved together with.", valueName: "name"))
    var penalty: String?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Strength of the penalty; its own unless given.", valueName: "λ"))
    var strength: Double?
    @Option(parsing: .unconditional, help: ArgumentHelp("Steps of one measurement.", valueName: "number")) var steps =
        20
    @Option(parsing: .unconditional, help: ArgumentHelp("Measurements; the median counts.", valueName: "number"))
    var repeats = 5
    @Option(parsing: .unconditional, help: ArgumentHelp("Threads; all cores unless given.", valueName: "number"))
    var threads: Int?
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        if steps < 1 || repeats < 1 { throw ValidationError("--steps and --repeats: give at least 1.") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): give a number from 1 to 1024.")
        }
    }

    private func shapes() throws -> [[Int]] {
        try sizes.split(separator: ",").map { shape in
            try shape.split(separator: "x").map { part in
                guard let length = Int(part), length > 0 else {
                    throw DataError(
                        subject: "--sizes \(sizes)", problem: "'\(part)' is no length",
                        advice: "Give shapes as in 784x64,64")
                }
                return length
            }
        }
    }

    private func regularisation(_ shapes: [[Int]]) throws -> Regularisation? {
        guard let penalty else { return nil }
        let settings = strength.map { ["lambda": SettingValue.number($0)] } ?? [:]
        let made = try PenaltyCatalogue.make(penalty, settings: settings)
        for shape in shapes {
            if let fault = made.fault(for: shape) { throw SettingError(penalty, fault) }
        }
        return Regularisation(made)
    }

    /// Gradients of both signs and of sizes as normal numbers have, without a random generator's help: neighbours are
    /// as different as can be.
    private static func gradients(_ shapes: [[Int]]) -> [Tensor] {
        shapes.map { shape in
            let count = shape.reduce(1, *)
            var numbers = SplitMix64(seed: UInt64(count))
            return Tensor((0..<count).map { _ in Float(0.01 * numbers.normal()) }, shape: shape)
        }
    }

    private struct Result: Encodable {
        var optimizer: String
        var elements: Int
        var threads: Int
        var millisecondsPerStep: Double
        var checksum: Double
    }

    mutating func run() throws {
        if let threads { Runtime.threads = threads }
        let rule = try OptimizerCatalogue.make(optimizer, settings: Assignment.dictionary(set))
        guard !(rule is any ClosureOptimizer) else {
            throw SettingError(optimizer, "evaluates a loss, which a bench of the step alone does not have")
        }
        let shapes = try shapes()
        let regularisation = try regularisation(shapes)
        if regularisation != nil, !(rule is any ProximalOptimizer) {
            throw SettingError(optimizer, "takes no penalty")
        }
        var parameters = shapes.map { Tensor.full($0, 0.5) }
        let gradients = Self.gradients(shapes)
        var state = OptimizerState()
        func measure() -> Double {
            let clock = ContinuousClock()
            let time = clock.measure {
                for _ in 0..<steps {
                    if let regularisation, let proximal = rule as? any ProximalOptimizer {
                        proximal.step(
                            &parameters, gradients: gradients, regularisation: regularisation, state: &state)
                    } else {
                        rule.step(&parameters, gradients: gradients, state: &state)
                    }
                }
            }
            return (Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18) * 1000
                / Double(steps)
        }
        _ = measure()
        let times = (0..<repeats).map { _ in measure() }.sorted()
        let result = Result(
            optimizer: optimizer, elements: parameters.reduce(0) { $0 + $1.count }, threads: Runtime.threads,
            millisecondsPerStep: times[times.count / 2],
            checksum: parameters.reduce(0) { $0 + $1.sumInDouble() })
        if json {
            try Console.result(String(decoding: try JSONEncoder.report.encode(result), as: UTF8.self) + "\n")
        } else {
            try Console.result(
                String(
                    format: "%@: %d elements, %.3f ms a step, %d thread(s)\n", optimizer, result.elements,
                    result.millisecondsPerStep, result.threads))
        }
    }
}
