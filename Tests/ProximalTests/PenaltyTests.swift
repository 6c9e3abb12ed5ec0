import Foundation
import Proximal
import Settings
import TestSupport
import Testing
import Torch

/// What every penalty of the catalogue must do.
@Suite("Every penalty of the catalogue")
struct PenaltyTests {
    static let names = PenaltyCatalogue.all.map { $0.name }
    /// Those that can do something, so that none is passed over in silence.
    static let diagonalNames = PenaltyCatalogue.all.filter { $0 is any DiagonalPenalty.Type }.map { $0.name }
    static let subdifferentiableNames = PenaltyCatalogue.all.filter { $0 is any SubdifferentiablePenalty.Type }
        .map { $0.name }
    static let groupNames = PenaltyCatalogue.all.filter { $0 is any GroupPenalty.Type }.map { $0.name }

    @Test("Penalties can do what the tests of each ability take them for")
    func abilities() {
        #expect(
            Self.diagonalNames == [
                "l1", "squared_l2", "elastic_net", "group_lasso", "sparse_group_lasso", "nonnegative_group_lasso",
                "group_mcp", "box",
            ])
        #expect(Self.subdifferentiableNames == ["l1", "squared_l2", "elastic_net", "group_lasso"])
        #expect(
            Self.groupNames == ["group_lasso", "sparse_group_lasso", "nonnegative_group_lasso", "group_mcp"])
    }

    /// A penalty with a strength at which about half of what it can remove is gone.
    static func tuned(_ name: String) throws -> any Penalty {
        var settings: [String: SettingValue] = [:]
        let type = try #require(PenaltyCatalogue.all.first { $0.name == name })
        let known = Set(type.hyperparameters.map(\.name))
        if known.contains("lambda") { settings["lambda"] = .number(["nuclear": 1.5, "l1": 0.7][name] ?? 0.9) }
        if known.contains("gamma") { settings["gamma"] = .number(2.5) }
        if name == "box" { settings = ["low": .number(-0.5), "high": .number(0.7)] }
        return try PenaltyCatalogue.make(name, settings: settings)
    }

    /// Whether no point near `v` has a lower objective; `feasible` moves a point to where the penalty is finite.
    static func isMinimum(
        _ v: Tensor, _ objective: (Tensor) -> Double, seed: UInt64, feasible: (Tensor) -> Tensor
    ) -> Bool {
        let least = objective(v)
        guard least.isFinite else { return false }
        var random = RandomSource(seed)
        for scale in [1.0, 1e-1, 1e-2, 1e-3, 1e-4] {
            for _ in 0..<8 {
                let other = v.adding(random.tensor(v.shape), scaledBy: scale)
                // Towards zero and away from it, where the kinks are.
                let scaled = v * (1 + scale * (random.uniform() - 0.5))
                // Two elements against each other, as a simplex allows.
                var few = [Double](repeating: 0, count: v.count)
                few[random.integer(v.count)] += scale
                few[random.integer(v.count)] -= scale * random.uniform()
                let pair = feasible(v + Tensor(few, shape: v.shape))
                for point in [other, scaled, feasible(other), pair] where objective(point) < least - 1e-12 {
                    return false
                }
            }
        }
        return true
    }

    static func objective(_ penalty: any Penalty, _ w: Tensor, step: Double) -> (Tensor) -> Double {
        { 0.5 * ($0 - w).squareSum + step * penalty.value($0) }
    }

    static func objective(
        _ penalty: any DiagonalPenalty, _ z: Tensor, _ d: Tensor, step: Double
    ) -> (Tensor) -> Double {
        { 0.5 * (d * $0).dot($0) - z.dot($0) + step * penalty.value($0) }
    }

    @Test("The prox is a minimum", arguments: names)
    func minimum(name: String) throws {
        let penalty = try Self.tuned(name)
        for seed in 0..<4 as Range<UInt64> {
            var random = RandomSource(seed)
            let w = random.tensor([5, 7], scale: 1.5)
            let v = penalty.prox(w, step: 0.6)
            #expect(
                Self.isMinimum(v, Self.objective(penalty, w, step: 0.6), seed: seed) { penalty.prox($0, step: 1e-9) },
                "seed \(seed)")
        }
    }

    @Test("A prox that is a twentieth off is no minimum", arguments: names)
    func mutant(name: String) throws {
        let penalty = try Self.tuned(name)
        let isCaught = (0..<4 as Range<UInt64>).contains { seed in
            var random = RandomSource(seed)
            let w = random.tensor([5, 7], scale: 1.5)
            // Of a constraint the step is no matter: its mutant looks at another point.
            let v =
                penalty is any ScaledPenalty
                ? penalty.prox(w, step: 0.63) : penalty.prox(w + random.tensor(w.shape, scale: 0.2), step: 0.6)
            return !Self.isMinimum(v, Self.objective(penalty, w, step: 0.6), seed: seed) {
                penalty.prox($0, step: 1e-9)
            }
        }
        #expect(isCaught)
    }

    @Test("Convex penalties have firmly non-expansive proxes", arguments: names.filter { $0 != "group_mcp" })
    func firm(name: String) throws {
        let penalty = try Self.tuned(name)
        var random = RandomSource(3)
        for _ in 0..<40 {
            let (a, b) = (random.tensor([4, 6], scale: 2), random.tensor([4, 6], scale: 2))
            let difference = penalty.prox(a, step: 0.8) - penalty.prox(b, step: 0.8)
            #expect(difference.squareSum <= difference.dot(a - b) * (1 + 1e-12) + 1e-14)
        }
    }

    @Test("Single precision follows double precision", arguments: names)
    func precision(name: String) throws {
        let penalty = try Self.tuned(name)
        var random = RandomSource(8)
        let w = random.tensor([6, 5], scale: 2)
        let single = penalty.prox(w.to(.float32), step: 0.5)
        #expect(single.dtype == .float32 && distance(single.to(.float64), penalty.prox(w, step: 0.5)) < 1e-5)
        guard Self.diagonalNames.contains(name) else { return }
        let diagonal = try #require(penalty as? any DiagonalPenalty)
        let d = random.tensor([6, 5]).absolute() + 0.1
        let metric = diagonal.prox(w.to(.float32), metric: d.to(.float32), step: 0.5)
        #expect(distance(metric.to(.float64), diagonal.prox(w, metric: d, step: 0.5)) < 1e-5)
    }

    @Test(
        "The prox in a diagonal metric is a minimum, and the plain one where the metric is one",
        arguments: diagonalNames)
    func diagonal(name: String) throws {
        let penalty = try #require(try Self.tuned(name) as? any DiagonalPenalty)
        for seed in 0..<4 as Range<UInt64> {
            var random = RandomSource(seed)
            let z = random.tensor([5, 7], scale: 2)
            // Below step/γ the subproblem of a concave penalty has no single minimum.
            let d = (random.tensor([5, 7]) * 2).exp() + (name == "group_mcp" ? 0.3 : 0)
            let v = penalty.prox(z, metric: d, step: 0.6)
            #expect(
                Self.isMinimum(v, Self.objective(penalty, z, d, step: 0.6), seed: seed) {
                    penalty.prox($0, step: 1e-9)
                }, "seed \(seed)")
            let plain = penalty.prox(z, metric: Tensor.full([5, 7], 1, dtype: .float64), step: 0.6)
            #expect(distance(plain, penalty.prox(z, step: 0.6)) < 1e-12)
        }
    }

    @Test(
        "The subdifferential holds the optimality condition of the prox, and of nothing else",
        arguments: subdifferentiableNames)
    func subdifferential(name: String) throws {
        let penalty = try #require(try Self.tuned(name) as? any SubdifferentiablePenalty)
        var random = RandomSource(2)
        let w = random.tensor([5, 7], scale: 1.5)
        let v = penalty.prox(w, step: 0.7)
        #expect(penalty.distanceToSubdifferential((v - w) / 0.7, at: v) < 1e-12)
        #expect(penalty.distanceToSubdifferential((v * 1.01 - w) / 0.7, at: v * 1.01) > 1e-3)
        guard Self.diagonalNames.contains(name) else { return }
        let diagonal = try #require(penalty as? any DiagonalPenalty)
        let d = (random.tensor([5, 7]) * 2).exp()
        let u = diagonal.prox(w, metric: d, step: 0.7)
        #expect(penalty.distanceToSubdifferential((d * u - w) / 0.7, at: u) < 1e-12)
    }

    @Test("A group vanishes exactly from its critical strength on", arguments: groupNames)
    func critical(name: String) throws {
        var penalty = try #require(try Self.tuned(name) as? any GroupPenalty)
        var random = RandomSource(12)
        let z = random.tensor([6, 5], scale: 2)
        let d = (random.tensor([6, 5]) * 2).exp()
        let critical = penalty.criticalStrengths(z, step: 0.5).doubles()
        #expect(critical.count == 5)
        for (group, strength) in critical.enumerated() {
            for (factor, isActive) in [(1 + 1e-9, false), (1 - 1e-6, true)] {
                penalty.strength = strength * factor
                #expect(penalty.grouping.isActive(penalty.prox(z, step: 0.5))[group] == isActive, "\(factor)")
                guard let diagonal = penalty as? any DiagonalPenalty else { continue }
                #expect(penalty.grouping.isActive(diagonal.prox(z, metric: d, step: 0.5))[group] == isActive)
            }
        }
    }

    @Test("All groups at once give what each gives alone", arguments: groupNames)
    func groups(name: String) throws {
        let penalty = try #require(try Self.tuned(name) as? any GroupPenalty)
        var random = RandomSource(4)
        let w = random.tensor([6, 8, 3, 2], scale: 1.2).absolute()
        for (axis, width, slices) in [
            (Grouping.Axis.inputs, 1, 8), (.inputs, 4, 8), (.outputs, 1, 6), (.outputs, 3, 6),
        ] {
            let settings = penalty.settings.merging([
                "groups": .word(axis.rawValue), "width": .number(Double(width)),
            ]) { $1 }
            let grouped = try PenaltyCatalogue.make(type(of: penalty).name, settings: settings)
            let alone = try PenaltyCatalogue.make(
                type(of: penalty).name,
                settings: settings.merging(["groups": .word("whole"), "width": .number(1)]) { $1 })
            let v = grouped.prox(w, step: 0.5)
            var total = 0.0
            for start in stride(from: 0, to: slices, by: width) {
                let dimension = axis == .inputs ? 1 : 0
                let part = w.gathering(Array(start..<start + width), dimension: dimension)
                total += alone.value(part)
                let expected = alone.prox(part, step: 0.5)
                #expect(distance(v.gathering(Array(start..<start + width), dimension: dimension), expected) < 1e-13)
            }
            #expect(abs(total - grouped.value(w)) < 1e-10 * (1 + total))
        }
        #expect(Grouping(.inputs, width: 3).fault(for: [4, 8]) != nil && Grouping(.inputs).fault(for: [4]) != nil)
    }

    @Test("Unknown names and values out of range are refused")
    func faults() {
        #expect(throws: SettingError.self) { try PenaltyCatalogue.make("group_laso") }
        for (name, setting, value) in [
            ("l1", "lambda", SettingValue.number(-1)), ("group_lasso", "groups", .word("columns")),
            ("group_lasso", "width", .number(0)), ("group_mcp", "gamma", .number(1)), ("ball", "norm", .word("l3")),
        ] { #expect(throws: SettingError.self) { try PenaltyCatalogue.make(name, settings: [setting: value]) } }
    }
}

@Suite("Proxes agree with independent solutions")
struct ProxOracleTests {
    struct Case: Decodable {
        var kind: String
        var shape: [Int]?
        var p0: [Double]
        var v: [Double]
        var denom: [Double]
        var tau: Double?
        var lam: Double?
        var solution: [Double]
        var euclid_prox_of_p0: [Double]?
        var euclid_svt_of_p0: [Double]?
    }

    @Test func cases() throws {
        struct File: Decodable { var cases: [Case] }
        let url = try #require(Bundle.module.url(forResource: "Resources/prox_cases", withExtension: "json"))
        let cases = try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).cases
        var kinds: [String: Int] = [:]
        for one in cases {
            let tensor = { (values: [Double]) in Tensor(values, shape: one.shape ?? [values.count]) }
            let (p, d) = (tensor(one.p0), tensor(one.denom))
            let z = d * p - tensor(one.v)
            let root = Double(one.shape?[0] ?? 1).squareRoot()
            switch one.kind {
            case "group_lasso_diag_columns":
                var penalty = GroupLassoPenalty()
                penalty.strength = try #require(one.tau) / root
                #expect(distance(penalty.prox(z, metric: d, step: 1), tensor(one.solution)) < 1e-12)
                if let plain = one.euclid_prox_of_p0 {
                    #expect(distance(penalty.prox(p, step: 1), tensor(plain)) < 1e-13)
                }
            case "l1_diag":
                var penalty = L1Penalty()
                penalty.strength = try #require(one.tau)
                #expect(distance(penalty.prox(z, metric: d, step: 1), tensor(one.solution)) < 1e-13)
            default:
                var penalty = NuclearNormPenalty()
                penalty.strength = try #require(one.lam)
                let plain = try #require(one.euclid_svt_of_p0)
                let step = 1 / (one.denom.max() ?? 1)
                #expect(distance(penalty.prox(p, step: step), tensor(plain)) < 1e-10)
                #expect(
                    distance(penalty.prox(p.transposed().contiguous(), step: step), tensor(plain).transposed()) < 1e-10)
            }
            kinds[one.kind, default: 0] += 1
        }
        #expect(kinds.count == 3 && kinds.values.allSatisfy { $0 > 0 }, "\(kinds)")
    }

    @Test("Singular values come with exact zeros, also through a small threshold")
    func singularValues() {
        var random = RandomSource(1)
        let w = random.tensor([9, 4])
        for threshold in [1e-9, 0.5, 1, 100] {
            let (matrix, values) = NuclearNormPenalty.thresholded(w, threshold)
            let again = NuclearNormPenalty.thresholded(matrix, 0).singularValues
            #expect(distance(values, again) < 1e-7)
            #expect(values.doubles() == values.doubles().sorted(by: >))
        }
        #expect(NuclearNormPenalty.thresholded(w, 100).matrix.doubles().allSatisfy { $0 == 0 })
    }
}
