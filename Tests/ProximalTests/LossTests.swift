import Foundation
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@Suite("Losses")
struct LossTests {
    static let catalogueNames = LossCatalogue.all.map { type(of: $0).name }

    @Test("Every loss of the catalogue conforms", arguments: LossTests.catalogueNames, [DType.float64, .float32])
    func catalogue(name: String, dtype: DType) throws {
        let loss = try #require(LossCatalogue.named(name))
        for outputs in type(of: loss).encoding.isAlwaysWide ? [2, 3] : [1, 3] {
            let violations = LossConformance(loss: loss, dtype: dtype, outputs: outputs).violations()
            let firstLines = violations.prefix(4).joined(separator: "\n")
            #expect(violations.count == 0, "\(firstLines)")
        }
    }

    @Test("Names in the catalogue are unique, and unknown names find nothing")
    func names() {
        #expect(Set(Self.catalogueNames).count == LossCatalogue.all.count)
        #expect(LossCatalogue.named("no such loss") == nil)
        for loss in LossCatalogue.all { #expect(!type(of: loss).summary.isEmpty) }
    }

    @Test("Values equal the formulas in the documentation, by hand")
    func values() {
        let z = Tensor([0.5, -2, 3, 0], shape: [2, 2])
        let signs = Tensor([1.0, 1, -1, 1], shape: [2, 2])
        let hot = Tensor([1.0, 0, 0, 1], shape: [2, 2])
        let margins = [0.5, -2, -3, 0]
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-13 * (1 + abs(b)) }
        #expect(close(SquaredLoss().value(z, hot), 0.5 * (0.25 + 4 + 9 + 1)))
        #expect(close(HingeLoss().value(z, signs), 0.5 + 3 + 4 + 1))
        #expect(close(LogisticLoss().value(z, signs), margins.reduce(0) { $0 + log1p(exp(-$1)) }))
        let softmax = log(exp(0.5) + exp(-2)) - 0.5 + log(exp(3) + 1) - 0
        #expect(close(SoftmaxLoss().value(z, hot), softmax))
        #expect(close(HuberLoss().value(z, hot), 0.125 + 1.5 + 2.5 + 0.5))
        #expect(close(HuberLoss(delta: 0.25).value(z, hot), 0.25 * (0.5 + 2 + 3 + 1) - 4 * 0.03125))
    }

    @Test("Losses stay finite for huge predictions")
    func overflow() {
        for loss in LossCatalogue.all {
            var random = RandomSource(5)
            for dtype in [DType.float32, .float64] {
                let y = targets(for: type(of: loss).encoding, rows: 6, outputs: 2, dtype: dtype, random: &random)
                let z = random.tensor([6, 2], dtype: dtype, scale: 1e4)
                #expect(loss.value(z, y).isFinite, "\(type(of: loss).name)")
                #expect(loss.gradient(z, y).isFinite, "\(type(of: loss).name)")
            }
        }
    }

    @Test("The Huber loss conforms for other thresholds, and tends to the squared loss")
    func huber() {
        for delta in [0.1, 5] {
            #expect(LossConformance(loss: HuberLoss(delta: delta)).violations().isEmpty, "\(delta)")
        }
        var random = RandomSource(6)
        let (z, y) = (random.tensor([5, 2]), random.tensor([5, 2]))
        #expect(abs(HuberLoss(delta: 1e3).value(z, y) - SquaredLoss().value(z, y)) < 1e-12)
        #expect(distance(HuberLoss(delta: 1e3).prox(z, y, step: 0.7), SquaredLoss().prox(z, y, step: 0.7)) < 1e-14)
    }

    @Test("The two-class softmax is the logistic loss of the difference")
    func twoClasses() {
        var random = RandomSource(7)
        let z = random.tensor([20, 2], scale: 3)
        let labels = (0..<20).map { _ in Double(random.integer(2)) }
        let hot = Tensor(labels.flatMap { [1 - $0, $0] }, shape: [20, 2])
        let margin = z.columns(1..<2) - z.columns(0..<1)
        let signs = Tensor(labels.map { 2 * $0 - 1 }, shape: [20, 1])
        #expect(abs(SoftmaxLoss().value(z, hot) - LogisticLoss().value(margin, signs)) < 1e-11)
    }
}

/// The logistic loss with a gradient that points uphill.
private struct WrongSign: Loss {
    static let name = "wrong sign"
    static let summary = ""
    static let citation = ""
    static let settings: [Setting<Self>] = []
    static let encoding = TargetEncoding.signs
    let right = LogisticLoss()
    func value(_ z: Tensor, _ y: Tensor) -> Double { right.value(z, y) }
    func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { -right.gradient(z, y) }
    func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor { right.prox(point, y, step: step) }
    func conjugate(_ eta: Tensor, _ y: Tensor) -> Double { right.conjugate(eta, y) }
}

/// Losses with one deliberate defect.
private struct Mutant: Loss {
    enum Defect: CaseIterable { case invertedStep, proxIgnoresTarget, conjugateWithoutTarget, halfGradient, concave }
    static let name = "mutant"
    static let summary = ""
    static let citation = ""
    static let settings: [Setting<Self>] = []
    static let encoding = TargetEncoding.oneHot
    var defect = Defect.concave
    let right = SquaredLoss()
    func value(_ z: Tensor, _ y: Tensor) -> Double {
        defect == .concave ? -right.value(z, y) : right.value(z, y)
    }
    func gradient(_ z: Tensor, _ y: Tensor) -> Tensor {
        right.gradient(z, y) * (defect == .halfGradient ? 0.5 : defect == .concave ? -1 : 1)
    }
    func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let target = defect == .proxIgnoresTarget ? Tensor.zeros(like: y) : y
        return right.prox(point, target, step: defect == .invertedStep ? 1 / step : step)
    }
    func conjugate(_ eta: Tensor, _ y: Tensor) -> Double {
        right.conjugate(eta, defect == .conjugateWithoutTarget ? Tensor.zeros(like: y) : y)
    }
}

@Suite("The conformance checker finds broken losses")
struct MutantLossTests {
    @Test("A gradient of the wrong sign is reported")
    func wrongSign() {
        let violations = LossConformance(loss: WrongSign()).violations()
        #expect(violations.contains { $0.contains("finite differences") })
        #expect(violations.contains { $0.contains("subgradient") })
        #expect(violations.contains { $0.contains("optimality") })
    }

    @Test("Each deliberate defect is reported, in both float types")
    func defects() {
        for defect in Mutant.Defect.allCases {
            for dtype in [DType.float64, .float32] {
                #expect(!LossConformance(loss: Mutant(defect: defect), dtype: dtype).violations().isEmpty, "\(defect)")
            }
        }
    }

    @Test("An inverted step is reported by each of the proximal checks")
    func invertedStep() {
        let violations = LossConformance(loss: Mutant(defect: .invertedStep)).violations()
        #expect(violations.contains { $0.contains("optimality") })
        #expect(violations.contains { $0.contains("perturbation") })
        #expect(!violations.contains { $0.contains("finite differences") })
    }
}

extension TargetEncoding {
    /// Whether two classes already take two columns.
    fileprivate var isAlwaysWide: Bool {
        if case .simplex = self { return true }
        return false
    }
}
