import Foundation
import Settings
import Testing

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

    @Test("SGD with momentum under SGDR follows its oracle")
    func restartedDescent() throws {
        struct Step: Decodable {
            var lr: Double
            var loss_before: Double
        }
        struct Run: Decodable {
            var base_lr: Double
            var T_0: Double
            var T_mult: Double
            var steps: [Step]
        }
        struct File: Decodable { var trajectories: [Run] }
        let url = Bundle.module.url(forResource: "Resources/sgdr_sgd_momentum", withExtension: "json")!
        for run in try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).trajectories {
            let schedule = try ScheduleCatalogue.make(
                "cosine_restarts", settings: ["T_0": .number(run.T_0), "T_mult": .number(run.T_mult)])
            for (k, step) in run.steps.enumerated() {
                #expect(abs(schedule.rate(at: Double(k), base: run.base_lr, total: 1) - step.lr) < 1e-14)
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
