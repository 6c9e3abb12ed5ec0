import ArgumentParser
import Datasets
import Foundation
import Optimizers
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
            """)

    @Argument(help: "Optimizer: see descent list optimizers.") var optimizer: String
    @Option(help: ArgumentHelp("Shapes of the parameters.", valueName: "shapes")) var sizes = "1000000"
    @Option(name: .customLong("set"), help: ArgumentHelp("A hyperparameter; again for each.", valueName: "name=value"))
    var set: [Assignment] = []
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
        var parameters = shapes.map { Tensor.full($0, 0.5) }
        // Gradients of both signs and several sizes, without a random generator's help.
        let gradients = shapes.map { shape in
            let count = shape.reduce(1, *)
            let ramp = Tensor.range(count).to(.float32) * (2 / Double(count)) - 1.0
            return ramp.reshaped(shape)
        }
        var state = OptimizerState()
        func measure() -> Double {
            let clock = ContinuousClock()
            let time = clock.measure {
                for _ in 0..<steps { rule.step(&parameters, gradients: gradients, state: &state) }
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
