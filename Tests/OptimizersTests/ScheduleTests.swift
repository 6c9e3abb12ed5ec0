import Foundation
import Settings
import TestSupport
import Testing
import Torch

@testable import Optimizers

/// A schedule's reference: rates step by step, from PyTorch.
struct ScheduleCase: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var base: Double
    var config: [String: SettingValue]?
    var lr: [Double]
    var metrics: [Double]?
    var testDescription: String { name }

    private enum CodingKeys: String, CodingKey { case name, base, config, lr, metrics }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        base = try container.decode(Double.self, forKey: .base)
        // The composed schedule's settings are nested: the test states ours.
        config = try? container.decode([String: SettingValue].self, forKey: .config)
        lr = try container.decode([Double].self, forKey: .lr)
        metrics = try container.decodeIfPresent([Double].self, forKey: .metrics)
    }

    static let all: [ScheduleCase] = {
        let url = Bundle.module.url(forResource: "Resources/schedules", withExtension: "json")!
        return try! JSONDecoder().decode([ScheduleCase].self, from: Data(contentsOf: url))
    }()

    /// Our schedule of the same rates.
    func schedule() throws -> any Schedule {
        let known = ["constant", "step", "multi_step", "exponential", "polynomial", "linear", "cosine"]
        var settings = config ?? [:]
        switch name {
        case _ where known.contains(name): return try ScheduleCatalogue.make(name, settings: settings)
        case "one_cycle", "one_cycle_three_phase_linear":
            for key in ["max_lr", "total_steps", "cycle_momentum"] { settings[key] = nil }
            return try ScheduleCatalogue.make("one_cycle", settings: settings)
        case "cosine_warm_restarts": return try ScheduleCatalogue.make("cosine_restarts", settings: settings)
        case "reduce_on_plateau":
            for key in ["mode", "threshold_mode", "eps"] { settings[key] = nil }
            return try ScheduleCatalogue.make("plateau", settings: settings)
        default:
            return try ScheduleCatalogue.make(
                "cosine", settings: ["warmup": .number(10), "warmup_start": .number(0.1), "T_max": .number(50)])
        }
    }

    /// The rates of a schedule where the reference states them.
    func rates(_ schedule: any Schedule) -> [Double] {
        let controller = schedule as? any MetricSchedule
        var state = controller?.initialState
        var factor = 1.0
        return lr.indices.map { step in
            defer {
                if let controller, let metrics, var current = state {
                    factor = controller.factor(after: metrics[step], base: base, state: &current)
                    state = current
                }
            }
            return schedule.rate(at: Double(step), base: base, total: 60) * factor
        }
    }
}

@Suite("Schedules")
struct ScheduleTests {
    private static func distance(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test("Every rate of every run agrees with PyTorch", arguments: ScheduleCase.all)
    func references(_ reference: ScheduleCase) throws {
        #expect(Self.distance(reference.rates(try reference.schedule()), reference.lr) < 1e-12)
    }

    @Test("A schedule that is one step late does not pass", arguments: ScheduleCase.all)
    func mutant(_ reference: ScheduleCase) throws {
        let rates = reference.rates(try reference.schedule())
        #expect(Self.distance(Array(rates.dropFirst()), reference.lr) > 1e-6)
    }

    @Test("SGDR agrees with its oracle, between whole times too")
    func restarts() throws {
        struct Run: Decodable {
            var T_0: Double
            var T_mult: Double
            var eta_min: Double
            var base_lr: Double
            var mode: String
            var lr: [Double]
        }
        struct File: Decodable { var runs: [Run] }
        let url = Bundle.module.url(forResource: "Resources/sgdr_schedule", withExtension: "json")!
        let runs = try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).runs
        #expect(runs.count == 6)
        for run in runs {
            let schedule = try ScheduleCatalogue.make(
                "cosine_restarts",
                settings: ["T_0": .number(run.T_0), "T_mult": .number(run.T_mult), "eta_min": .number(run.eta_min)])
            // The fractional run starts at 0 and is then set to (k + 1) / 4.
            let isFractional = run.mode.hasPrefix("fractional")
            let rates = run.lr.indices.map {
                schedule.rate(at: isFractional ? Double($0) * 0.25 : Double($0), base: run.base_lr, total: 1)
            }
            #expect(Self.distance(rates, run.lr) < 1e-12, "\(run.T_0), \(run.T_mult), \(run.mode)")
        }
    }

    /// Loss and gradients of the oracle's two problems.
    private static func problem(_ name: String, _ x: [Tensor]) throws -> (loss: Double, gradients: [Tensor]) {
        if name == "rosenbrock" {
            let (u, v) = (x[0].doubles()[0], x[0].doubles()[1])
            let bend = v - u * u
            let slope: [Double] = [-2 * (1 - u) - 400 * u * bend, 200 * bend]
            return ((1 - u) * (1 - u) + 100 * bend * bend, [Tensor(slope)])
        }
        var rows: [Double] = []
        for i in 1...12 {
            for j in 1...4 { rows.append(sin(0.7 * Double(i * j)) + 0.1 * Double(j - 1)) }
        }
        let labels = Tensor([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1] as [Int64])
        let found = try valueAndGradients(at: x) { x in
            let logits = Tensor(rows, shape: [12, 4]).times(x[0].transposed()) + x[1]
            let picked = (logits * labels.oneHot(3).to(.float64)).sum(1)
            let loss = (logits.logSumExp(1) - picked).mean()
            return loss + 0.025 * (x[0].squared().sum() + x[1].squared().sum())
        }
        return (found.value.scalar, found.gradients)
    }

    @Test("SGD with momentum under SGDR follows its oracle: rates, losses and parameters")
    func restartedDescent() throws {
        enum Values: Decodable {
            case vector([Double])
            case matrix([[Double]])

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                self =
                    if let rows = try? container.decode([[Double]].self) { .matrix(rows) } else {
                        .vector(try container.decode([Double].self))
                    }
            }

            var tensor: Tensor {
                switch self {
                case .vector(let list): Tensor(list)
                case .matrix(let rows): Tensor(rows.flatMap(\.self), shape: [rows.count, rows[0].count])
                }
            }
        }
        struct Step: Decodable {
            var lr: Double
            var loss_before: Double
            var params_after: [String: Values]
        }
        struct Problem: Decodable {
            var name: String
            var `init`: [String: Values]
        }
        struct Run: Decodable {
            var problem: Problem
            var base_lr: Double
            var momentum: Double
            var nesterov: Bool
            var T_0: Double
            var T_mult: Double
            var steps: [Step]
        }
        struct File: Decodable { var trajectories: [Run] }
        let url = Bundle.module.url(forResource: "Resources/sgdr_sgd_momentum", withExtension: "json")!
        let runs = try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).trajectories
        #expect(runs.count == 2)
        for run in runs {
            let schedule = try ScheduleCatalogue.make(
                "cosine_restarts", settings: ["T_0": .number(run.T_0), "T_mult": .number(run.T_mult)])
            let rule = UpdateRule(
                try OptimizerCatalogue.make(
                    "sgd",
                    settings: [
                        "lr": .number(run.base_lr), "momentum": .number(run.momentum), "nesterov": .flag(run.nesterov),
                    ]))
            let names = run.problem.`init`.keys.sorted()
            var x = names.map { run.problem.`init`[$0]!.tensor }
            var state = rule.initialState([Array(names.indices)])
            for (k, step) in run.steps.enumerated() {
                let rate = schedule.rate(at: Double(k), base: run.base_lr, total: 1)
                #expect(abs(rate - step.lr) < 1e-14)
                let outcome = try rule.step(&x, state: &state, rate: { _ in rate }) {
                    try Self.problem(run.problem.name, $0)
                }
                #expect(abs(try #require(outcome).loss - step.loss_before) < 1e-12 * max(1, step.loss_before))
                for (name, tensor) in zip(names, x) {
                    let wanted = step.params_after[name]!.tensor.doubles()
                    #expect(Self.distance(tensor.doubles(), wanted) < 1e-12, "\(run.problem.name) step \(k)")
                }
            }
        }
    }

    @Test("Every schedule gives finite rates, none negative, over a whole run", arguments: [1.0, 7, 1000])
    func finite(total: Double) throws {
        for type in ScheduleCatalogue.all {
            let schedule = type.init()
            for k in 0...50 {
                let rate = schedule.rate(at: total * Double(k) / 50, base: 0.1, total: total)
                #expect(rate.isFinite && rate >= 0 && rate <= 0.1 + 1e-12, "\(type.name) at \(k)/50 of \(total)")
            }
        }
    }

    @Test("An unknown schedule gets the nearest names, a bad value its range")
    func errors() {
        #expect(throws: SettingError("cosin", "is no schedule; did you mean 'cosine'?")) {
            _ = try ScheduleCatalogue.make("cosin")
        }
        #expect(throws: SettingError("step", "step_size is 0, but must be a number > 0")) {
            _ = try ScheduleCatalogue.make("step", settings: ["step_size": .number(0)])
        }
    }
}
