import Settings
import TestSupport
import Testing
import Torch

@testable import Optimizers

@Suite("Parameters on manifolds")
struct ManifoldTests {
    /// `−½ tr(X' A X)`, least on the Stiefel manifold where X spans the leading eigenvectors.
    private struct Rayleigh {
        let a: Tensor

        init(_ size: Int, seed: UInt64) {
            var random = RandomSource(seed)
            let half = random.tensor([size, size])
            a = half + half.transposed()
        }

        func evaluate(_ x: Tensor) -> (loss: Double, gradients: [Tensor]) {
            let product = a.times(x)
            return (-0.5 * x.dot(product), [product * -1])
        }
    }

    private func rule(_ optimizer: any Optimizer, _ manifold: String, _ shape: [Int]) throws -> UpdateRule {
        try UpdateRule(optimizer).informed(
            of: [ParameterInfo(name: "x", shape: shape, manifold: NamedSettings(manifold))], assignment: [[0]])
    }

    private func distance(_ x: Tensor) -> Double {
        let inner = x.shape[0] >= x.shape[1] ? x.transposedTimes(x) : x.times(x.transposed())
        return (inner - Tensor.identity(inner.shape[0], dtype: .float64)).absolute().max().scalar
    }

    @Test("Projections are the nearest points, and tangents are orthogonal to what leaves the set")
    func geometry() throws {
        var random = RandomSource(3)
        for shape in [[6, 3], [3, 6], [4, 4]] {
            let (point, gradient) = (random.tensor(shape), random.tensor(shape))
            let x = Stiefel().projected(point)
            #expect(distance(x) < 1e-12 && (Stiefel().projected(x) - x).norm < 1e-12)
            for _ in 0..<20 {
                #expect((point - x).norm <= (point - Stiefel().projected(random.tensor(shape))).norm)
            }
            let tangent = Stiefel().tangential(gradient, at: x)
            #expect((Stiefel().tangential(tangent, at: x) - tangent).norm < 1e-12)
            // To first order a tangent step stays on the manifold.
            #expect(distance(x.adding(tangent, scaledBy: 1e-5)) < 1e-8)
            #expect(distance(x.adding(gradient, scaledBy: 1e-5)) > 1e-6)
            let s = Sphere().projected(point)
            #expect(abs(s.norm - 1) < 1e-12 && abs(Sphere().tangential(gradient, at: s).dot(s)) < 1e-12)
        }
        #expect(abs(Sphere().projected(Tensor.zeros([3], dtype: .float64)).norm - 1) < 1e-12)
        #expect(Stiefel().fault(for: [3]) != nil && Sphere().fault(for: [3]) == nil)
    }

    @Test(
        "Steps find leading eigenvectors and never leave the manifold, whatever stands around the optimizer",
        arguments: ["sgd", "adamw", "lbfgs"])
    func eigenvectors(name: String) throws {
        let problem = Rayleigh(7, seed: 5)
        let values = try problem.a.symmetricEigen().values.doubles().sorted(by: >)
        for (manifold, columns) in [("stiefel", 2), ("sphere", 1)] {
            let settings: [String: SettingValue] = ["lr": .number(name == "lbfgs" ? 1 : 0.05)]
            var rule = try rule(OptimizerCatalogue.make(name, settings: settings), manifold, [7, columns])
            if name != "lbfgs" { rule.before = [SharpnessAware(), ClipNorm()] }
            rule.after = [Lookahead(), ExponentialAverage()]
            var random = RandomSource(6)
            var x = [Stiefel().projected(random.tensor([7, columns]))]
            var state = rule.initialState([[0]])
            for step in 0..<800 {
                let found = try rule.step(&x, state: &state, rate: { $0 * 0.995.power(step) }) { trial in
                    #expect(distance(trial[0]) < 1e-10)
                    return problem.evaluate(trial[0])
                }
                _ = try #require(found)
                #expect(distance(x[0]) < 1e-10)
            }
            let mean = rule.evaluationParameters(x, state: state)[0]
            #expect(distance(mean) < 1e-10)
            let best = -0.5 * values.prefix(columns).reduce(0, +)
            #expect(abs(problem.evaluate(x[0]).loss - best) < 0.02 * abs(best), "\(manifold)")
        }
    }

    @Test("Without a projection the point would leave: the rule is what keeps it")
    func control() throws {
        let problem = Rayleigh(5, seed: 7)
        let free = UpdateRule(SGD())
        var x = [Stiefel().projected(Tensor.identity(5, dtype: .float64).columns(0..<2).contiguous())]
        var state = free.initialState([[0]])
        for _ in 0..<50 { _ = try free.step(&x, state: &state, rate: { _ in 0.05 }) { problem.evaluate($0[0]) } }
        #expect(distance(x[0]) > 0.1)
    }

    @Test("A manifold that is not known, or does not fit, is an error that names the parameter")
    func faults() {
        #expect(throws: SettingError.self) { try rule(SGD(), "stifel", [3, 2]) }
        let text = "\(#expect(throws: SettingError.self) { try rule(SGD(), "stiefel", [3]) }!)"
        #expect(text == "x: the manifold stiefel is for matrices, not [3]")
    }
}

extension Double {
    fileprivate func power(_ count: Int) -> Double { (0..<count).reduce(1) { value, _ in value * self } }
}
