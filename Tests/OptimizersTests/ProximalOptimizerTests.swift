import Foundation
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import Optimizers

/// What every optimizer with a penalty must do.
@Suite("Every optimizer that takes a penalty")
struct ProximalOptimizerTests {
    static let names = OptimizerCatalogue.all.filter { $0 is any ProximalOptimizer.Type }.map { $0.name }

    static func made(_ name: String, _ settings: [String: SettingValue] = [:]) throws -> any ProximalOptimizer {
        try #require(try OptimizerCatalogue.make(name, settings: settings) as? any ProximalOptimizer)
    }

    static func penalty(_ strength: Double, groups: String = "inputs", width: Int = 1) throws -> Regularisation {
        Regularisation(
            try PenaltyCatalogue.make(
                "group_lasso",
                settings: ["lambda": .number(strength), "groups": .word(groups), "width": .number(Double(width))]))
    }

    static func run(
        _ optimizer: any ProximalOptimizer, _ start: [Tensor], _ regularisation: Regularisation,
        target: SparsityTarget.Now? = nil, steps: Int = 6, scale: Double = 1
    ) -> (parameters: [Tensor], state: OptimizerState) {
        var (x, state) = (start, OptimizerState())
        var random = RandomSource(77)
        for _ in 0..<steps {
            // Drawn element by element, so that parts of a tensor see what the whole sees.
            let g = start.map { random.tensor($0.shape, scale: scale).to($0.dtype) }
            optimizer.step(&x, gradients: g, regularisation: regularisation, target: target, state: &state)
        }
        return (x, state)
    }

    @Test("The fused kernels give what composed operators give", arguments: names)
    func kernels(name: String) throws {
        for (shape, groups, width) in [
            ([40, 50, 3, 3], "inputs", 1), ([300, 600], "inputs", 3), ([130, 700], "outputs", 1),
            ([64, 512], "outputs", 4), ([70, 90], "whole", 1),
        ] {
            for dtype in [DType.float64, .float32] {
                var random = RandomSource(9)
                let start = [random.tensor(shape, dtype: dtype, scale: 0.1)]
                let regularisation = try Self.penalty(name == "rmda" ? 0.9 : 0.6, groups: groups, width: width)
                let optimizer = try Self.made(name, ["lr": .number(0.02)])
                let fused = Self.run(optimizer, start, regularisation, steps: 4)
                let composed = FusedKernels.disabled {
                    GroupKernels.disabled { Self.run(optimizer, start, regularisation, steps: 4) }
                }
                let way = (composed.parameters[0] - start[0]).norm
                let difference = (fused.parameters[0] - composed.parameters[0]).norm / way
                #expect(difference < (dtype == .float64 ? 1e-12 : 3e-6), "\(shape) \(groups) \(dtype): \(difference)")
                #expect(way > 1e-3)
            }
        }
    }

    @Test("Splitting a tensor by whole groups changes nothing", arguments: names)
    func splitting(name: String) throws {
        var random = RandomSource(2)
        let whole = random.tensor([6, 8], scale: 0.3)
        let gradients = (0..<5).map { _ in random.tensor([6, 8]) }
        let optimizer = try Self.made(name, ["lr": .number(0.05)])
        let regularisation = try Self.penalty(0.3)
        var (joint, a) = ([whole], OptimizerState())
        var (parts, b) = ([whole.columns(0..<3).contiguous(), whole.columns(3..<8).contiguous()], OptimizerState())
        for g in gradients {
            optimizer.step(&joint, gradients: [g], regularisation: regularisation, state: &a)
            optimizer.step(
                &parts, gradients: [g.columns(0..<3).contiguous(), g.columns(3..<8).contiguous()],
                regularisation: regularisation, state: &b)
        }
        #expect(distance(joint[0], Tensor.concatenate(parts, dimension: 1)) < 1e-13)
    }

    @Test("Groups coupled over two tensors are the groups of the tensors side by side", arguments: names)
    func coupling(name: String) throws {
        var random = RandomSource(5)
        let (first, second) = (random.tensor([4, 6], scale: 0.3), random.tensor([6, 3, 2, 2], scale: 0.3))
        let optimizer = try Self.made(name, ["lr": .number(0.05)])
        var coupled = try Self.penalty(0.4)
        coupled.coupling = [[.init(0, Grouping(.inputs)), .init(1, Grouping(.outputs))]]
        // The same elements as 6 rows of 4 + 12.
        func joined(_ x: [Tensor]) -> Tensor {
            Tensor.concatenate([x[0].transposed(), x[1].reshaped(6, 12)], dimension: 1)
        }
        let rows = try Self.penalty(0.4, groups: "outputs")
        var (x, a) = ([first, second], OptimizerState())
        var (y, b) = ([joined([first, second])], OptimizerState())
        for _ in 0..<6 {
            let g = [random.tensor([4, 6]), random.tensor([6, 3, 2, 2])]
            optimizer.step(&x, gradients: g, regularisation: coupled, state: &a)
            optimizer.step(&y, gradients: [joined(g)], regularisation: rows, state: &b)
        }
        #expect(distance(joined(x), y[0]) < 1e-12)
        #expect(abs(coupled.value(x) - rows.value(y)) < 1e-12)
    }

    @Test("A target sparsity is met to the group", arguments: names, [0.0, 0.3, 0.75])
    func target(name: String, share: Double) throws {
        var random = RandomSource(6)
        let start = [random.tensor([5, 40], scale: 0.3), random.tensor([9, 20], scale: 0.3)]
        let optimizer = try Self.made(name, ["lr": .number(0.05)])
        let regularisation = try Self.penalty(1)
        for perLayer in [false, true] {
            let now = SparsityTarget.Now(share: share, perLayer: perLayer)
            let (x, state) = Self.run(optimizer, start, regularisation, target: now)
            let structured = optimizer.structured(x, regularisation: regularisation, state: state)
            let zeros = structured.map { w in Grouping(.inputs).isActive(w).count { !$0 } }
            if perLayer {
                #expect(zeros == [Int(40 * share + 1e-9), Int(20 * share + 1e-9)])
            } else {
                let weights = Double(zeros[0] * 5 + zeros[1] * 9)
                #expect(weights <= 380 * share + 1e-9 && weights > 380 * share - 9, "\(weights)")
            }
        }
    }

    @Test("The target rises over the run and stays")
    func rise() {
        let target = SparsityTarget(0.8)
        #expect(target.now(at: 0).share == 0 && target.now(at: 0.5).share == 0.8 && target.now(at: 1).share == 0.8)
        let shares = (0...10).map { target.now(at: Double($0) / 20).share }
        #expect(zip(shares, shares.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test("All groups zero, no gradient and a penalty of zero do no harm", arguments: names)
    func degenerate(name: String) throws {
        let optimizer = try Self.made(name)
        var random = RandomSource(8)
        let start = [random.tensor([4, 6], scale: 0.3), Tensor.zeros([3, 3], dtype: .float64)]
        let crushed = Self.run(optimizer, start, try Self.penalty(1e6))
        let structured = optimizer.structured(
            crushed.parameters, regularisation: try Self.penalty(1e6), state: crushed.state)
        #expect(structured.allSatisfy { $0.squareSum == 0 })
        #expect(crushed.parameters.allSatisfy { $0.isFinite })
        let still = Self.run(optimizer, [start[1]], try Self.penalty(0.1), scale: 0)
        #expect(still.parameters[0].squareSum == 0)
        // Without strength the step is that without a penalty.
        let (free, _) = Self.run(optimizer, start, try Self.penalty(0))
        var (plain, state) = (start, OptimizerState())
        var gradients = RandomSource(77)
        for _ in 0..<6 {
            optimizer.step(&plain, gradients: start.map { gradients.tensor($0.shape) }, state: &state)
        }
        for (a, b) in zip(free, plain) { #expect(distance(a, b) < 1e-12) }
    }

    @Test("Tiny and huge strengths are no trouble in single precision", arguments: names)
    func extremes(name: String) throws {
        var random = RandomSource(8)
        let start = [random.tensor([20, 30], dtype: .float32, scale: 0.3)]
        let optimizer = try Self.made(name)
        let free = Self.run(optimizer, start, try Self.penalty(0)).parameters[0]
        for strength in [1e-7, 1e-13, 1e-17, 1e-25, 1e-36] {
            let found = Self.run(optimizer, start, try Self.penalty(strength)).parameters[0]
            #expect(distance(found.to(.float64), free.to(.float64)) < 1e-4, "\(strength)")
        }
        #expect(Self.run(optimizer, start, try Self.penalty(1e25)).parameters[0].isFinite)
    }

    @Test("The minimax concave penalty runs at any step", arguments: names)
    func concave(name: String) throws {
        let penalty = Regularisation(try PenaltyCatalogue.make("group_mcp", settings: ["lambda": .number(0.1)]))
        var random = RandomSource(8)
        let start = [random.tensor([6, 8], scale: 0.3)]
        for rate in [0.01, 1, 20] {
            let run = Self.run(try Self.made(name, ["lr": .number(rate)]), start, penalty, steps: 20)
            #expect(run.parameters[0].isFinite)
        }
    }

    @Test("RAMDA without penalty is MADGRAD without ε in the rate")
    func madgrad() throws {
        let ramda = try Self.made("ramda", ["lr": .number(0.05), "momentum": .number(0.2), "eps": .number(1e-9)])
        let madgrad = try OptimizerCatalogue.make(
            "madgrad", settings: ["lr": .number(0.05), "momentum": .number(0.8), "eps": .number(1e-9)])
        var random = RandomSource(1)
        let start = [random.tensor([5, 4])]
        var (x, y, a, b) = (start, start, OptimizerState(), OptimizerState())
        for _ in 0..<8 {
            let g = [random.tensor([5, 4])]
            ramda.step(&x, gradients: g, state: &a)
            madgrad.step(&y, gradients: g, state: &b)
        }
        #expect(distance(x[0], y[0]) < 1e-6)
    }

    @Test("The share of the new point grows to one in the last stage, sooner where it is short")
    func ramp() throws {
        let optimizer = try #require(try Self.made("rmda", ["momentum": .number(0.1)]) as? RMDA)
        func share(_ step: Int, of length: Int, last: Bool = true) -> Double {
            optimizer.inStage(Stage(index: 1, decay: 0.1, step: step, length: length, isLast: last)).momentum
        }
        #expect(share(50, of: 1000, last: false) == 0.1)
        #expect(abs(share(1, of: 1000) - 0.1) < 1e-15 && abs(share(25, of: 1000) - 0.5) < 1e-12)
        #expect(share(100, of: 1000) == 1)
        #expect(share(11, of: 20) == 1 && share(5, of: 20) < 1)
    }

    @Test("Stages begin where the schedule falls")
    func stages() throws {
        let stages = [0, 9, 10, 19, 20, 29].map { Stage(step: $0, starts: [10, 20], total: 30, gamma: 0.5) }
        #expect(stages.map(\.index) == [0, 0, 1, 1, 2, 2])
        #expect(stages.map(\.step) == [1, 10, 1, 10, 1, 10] && stages.allSatisfy { $0.length == 10 })
        #expect(stages.map(\.isLast) == [false, false, false, false, true, true])
        #expect(stages.map(\.decay) == [1, 1, 0.5, 0.5, 0.25, 0.25])
        let equal = try #require(try ScheduleCatalogue.make("stages") as? any StagedSchedule)
        #expect(equal.milestones(total: 100) == [20, 40, 60, 80])
        #expect(abs(equal.rate(at: 45, base: 1, total: 100) - 0.01) < 1e-15)
    }

    @Test("The nuclear norm in a diagonal metric is solved as the references solve it")
    func nuclear() throws {
        let path = Bundle.module.bundleURL.path + "/Resources/ramda_prox_cases.json"
        let data = try #require(FileManager.default.contents(atPath: path))
        let all = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        var (count, spread) = (0, 0.0)
        for one in (all?["cases"] as? [[String: Any]]) ?? [] where one["kind"] as? String == "nuclear_diag" {
            func matrix(_ name: String) throws -> Tensor {
                let shape = try #require(one["shape"] as? [Int])
                return Tensor(try #require(one[name] as? [Double]), shape: shape)
            }
            let (d, p0) = (try matrix("denom"), try matrix("p0"))
            var penalty = NuclearNormPenalty()
            penalty.strength = try #require(one["lam"] as? Double)
            let problem = Subproblem(linear: d * p0 - (try matrix("v")), metric: .diagonal(d), step: 1)
            let solved = problem.minimised(penalty, solver: .exact(iterations: 20_000, tolerance: 1e-15), from: p0)
            #expect(distance(solved.point, try matrix("solution")) < 1e-7)
            #expect(problem.residual(at: solved.point, penalty) < 1e-7 && solved.iterations > 1)
            // A scalar metric needs no iterations, and is exact for the metric's mean.
            let scalar = problem.withScalarMetric.minimised(penalty, from: p0)
            #expect(scalar.iterations == 0)
            spread = max(spread, distance(scalar.point, solved.point))
            count += 1
        }
        #expect(count == 3 && spread > 1e-3)
    }
}
