import Foundation
import TestSupport
import Testing
import Torch

@Suite("Element-wise operators and reductions")
struct ElementwiseTests {
    typealias Unary = (name: String, engine: @Sendable (Tensor) -> Tensor, plain: @Sendable (Double) -> Double)
    typealias Binary = (
        name: String, engine: @Sendable (Tensor, Tensor) -> Tensor, plain: @Sendable (Double, Double) -> Double
    )

    static let unary: [Unary] = [
        ("negation", { -$0 }, { -$0 }),
        ("abs", { $0.absolute() }, { abs($0) }),
        ("exp", { $0.exp() }, { exp($0) }),
        ("log of a positive", { ($0.absolute() + 0.5).log() }, { log(abs($0) + 0.5) }),
        ("log1p", { $0.absolute().log1p() }, { log1p(abs($0)) }),
        ("square root", { $0.absolute().squareRoot() }, { abs($0).squareRoot() }),
        ("square", { $0.squared() }, { $0 * $0 }),
        ("sign", { $0.sign() }, { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }),
        ("sigmoid", { $0.sigmoid() }, { 1 / (1 + exp(-$0)) }),
        ("reciprocal", { ($0.absolute() + 1).reciprocal() }, { 1 / (abs($0) + 1) }),
        ("positive part", { $0.relu() }, { max($0, 0) }),
        ("lower clamp", { $0.clamped(min: -0.25) }, { max($0, -0.25) }),
        ("clamp", { $0.clamped(to: -0.5...0.75) }, { min(max($0, -0.5), 0.75) }),
        ("sum with a number", { $0 + 1.5 }, { $0 + 1.5 }),
        ("difference with a number", { $0 - 1.5 }, { $0 - 1.5 }),
        ("product with a number", { 3 * ($0 * 0.7) }, { 3 * ($0 * 0.7) }),
        ("quotient by a number", { $0 / 7 }, { $0 / 7 }),
        ("at least", { $0.isAtLeast(0).to($0.dtype) }, { $0 >= 0 ? 1 : 0 }),
        ("above", { $0.isAbove(0).to($0.dtype) }, { $0 > 0 ? 1 : 0 }),
    ]

    static let binary: [Binary] = [
        ("sum", { $0 + $1 }, { $0 + $1 }),
        ("difference", { $0 - $1 }, { $0 - $1 }),
        ("product", { $0 * $1 }, { $0 * $1 }),
        ("quotient", { $0 / ($1.absolute() + 1) }, { $0 / (abs($1) + 1) }),
        ("scaled sum", { $0.adding($1, scaledBy: -0.3) }, { $0 - 0.3 * $1 }),
        ("maximum", { $0.maximum($1) }, { max($0, $1) }),
        ("minimum", { $0.minimum($1) }, { min($0, $1) }),
        ("equality", { $0.isEqual(to: $1).to($0.dtype) }, { $0 == $1 ? 1 : 0 }),
        ("choice", { $0.selecting(where: $0.isAbove(0), otherwise: $1 + $0 * 0) }, { $0 > 0 ? $0 : $1 }),
    ]

    static let floats: [(DType, Double)] = [(.float64, 1e-14), (.float32, 1e-6)]

    @Test(
        "A number beyond the type's range is infinite, as its own arithmetic has it",
        arguments: [DType.float32, .float64, .float16, .bfloat16])
    func range(dtype: DType) {
        let x = Tensor([1.0, -1, 0]).to(dtype)
        let large = dtype == .float64 ? Double.infinity : 1e300
        #expect((x + large).doubles() == [.infinity, .infinity, .infinity])
        #expect((x - large).doubles() == [-.infinity, -.infinity, -.infinity])
        #expect((x * large).doubles().prefix(2) == [.infinity, -.infinity] && (x * large).doubles()[2].isNaN)
        #expect(
            (x / -0x1p-1000).doubles().prefix(2)
                == (dtype == .float64 ? [-0x1p1000, 0x1p1000] : [-.infinity, .infinity]))
        #expect(x.adding(x, scaledBy: large).doubles().prefix(2) == [.infinity, -.infinity])
        #expect(
            x.clamped(to: -large...large).doubles() == [1, -1, 0] && x.clamped(min: -large).doubles() == [1, -1, 0])
        #expect(x.isAtLeast(large).doubles() == [0, 0, 0] && x.isAbove(-large).doubles() == [1, 1, 1])
        #expect(Tensor.full([2], -large, dtype: dtype).doubles() == [-.infinity, -.infinity])
        var y = x
        y.scale(by: large)
        #expect(y.doubles().prefix(2) == [.infinity, -.infinity])
    }

    @Test("Every one-operand function equals a plain loop", arguments: floats)
    func oneOperand(dtype: DType, tolerance: Double) {
        var random = RandomSource(1)
        // Zero sits on the kinks of half of these functions.
        let x = Tensor(random.normals(30) + [0, 0], shape: [4, 8]).to(dtype)
        for (name, engine, plain) in Self.unary {
            let result = engine(x)
            #expect(result.dtype == dtype, "\(name)")
            #expect(result.shape == [4, 8], "\(name)")
            #expect(distance(result.doubles(), x.doubles().map(plain)) < tolerance, "\(name)")
        }
    }

    @Test("Every two-operand function broadcasts as a plain loop does", arguments: floats)
    func twoOperands(dtype: DType, tolerance: Double) {
        var random = RandomSource(2)
        let a = random.tensor([3, 4, 5], dtype: dtype)
        let others = [random.tensor([3, 4, 5], dtype: dtype), random.tensor([4, 1], dtype: dtype), a]
        for (name, engine, plain) in Self.binary {
            for b in others {
                let (x, y) = (a.doubles(), b.doubles())
                let expected = x.indices.map { k in
                    plain(x[k], y[y.count == x.count ? k : (k / 5) % 4])
                }
                #expect(distance(engine(a, b).doubles(), expected) < tolerance, "\(name) with \(b.shape)")
            }
        }
    }

    @Test("Subscripts, products and functions are what a user of PyTorch takes them for", arguments: floats)
    func names(dtype: DType, tolerance: Double) {
        var random = RandomSource(9)
        let x = random.tensor([4, 5], dtype: dtype)
        let values = x.doubles()
        #expect(x[1].doubles() == Array(values[5..<10]) && x[-1].doubles() == Array(values[15...]))
        #expect(x[1..<3].doubles() == Array(values[5..<15]) && x[2, 3] == values[13])
        #expect(x[1..<3, 2..<4].doubles() == [values[7], values[8], values[12], values[13]])
        #expect(distance(x.tanh().doubles(), values.map { Foundation.tanh($0) }) < tolerance)
        #expect(distance(x.sin().doubles(), values.map { Foundation.sin($0) }) < tolerance)
        #expect(distance(x.cos().doubles(), values.map { Foundation.cos($0) }) < tolerance)
        #expect(distance(x.mean().doubles(), [values.reduce(0, +) / 20]) < tolerance)
        let batch = random.tensor([3, 2, 4], dtype: dtype)
        let product = batch.matmul(x)
        #expect(product.shape == [3, 2, 5])
        for k in 0..<3 { #expect(distance(product[k].doubles(), batch[k].times(x).doubles()) < 4 * tolerance) }
    }

    @Test("Of no elements the largest is minus infinity, the smallest infinity", arguments: floats)
    func none(dtype: DType, _: Double) {
        let x = Tensor.zeros([3, 0, 2], dtype: dtype)
        #expect(x.max().doubles() == [-.infinity] && x.min().doubles() == [.infinity])
        #expect(x.max(1).doubles() == Array(repeating: -.infinity, count: 6) && x.max(1).shape == [3, 2])
        #expect(x.min(1, keepingRank: true).shape == [3, 1, 2] && x.max(0).shape == [0, 2])
    }

    @Test("Reductions over each dimension equal plain loops", arguments: floats)
    func reductions(dtype: DType, tolerance: Double) {
        var random = RandomSource(3)
        let x = random.tensor([3, 4, 5], dtype: dtype)
        let values = x.doubles()
        let lengths = [3, 4, 5]
        for dimension in 0..<3 {
            var groups: [Int: [Double]] = [:]
            for (k, value) in values.enumerated() {
                var index = [k / 20, (k / 5) % 4, k % 5]
                index[dimension] = 0
                groups[(index[0] * 4 + index[1]) * 5 + index[2], default: []].append(value)
            }
            let columns = groups.keys.sorted().map { groups[$0]! }
            var kept = lengths
            kept[dimension] = 1
            #expect(x.sum(dimension, keepingRank: true).shape == kept)
            #expect(distance(x.sum(dimension).doubles(), columns.map { $0.reduce(0, +) }) < 4 * tolerance)
            let means = columns.map { $0.reduce(0, +) / Double($0.count) }
            #expect(distance(x.mean(dimension).doubles(), means) < tolerance)
            #expect(x.max(dimension).doubles() == columns.map { $0.max()! })
            #expect(x.min(dimension).doubles() == columns.map { $0.min()! })
            #expect(x.argmax(dimension).doubles() == columns.map { c in Double(c.firstIndex(of: c.max()!)!) })
            let logs = columns.map { column in log(column.reduce(0) { $0 + exp($1) }) }
            #expect(distance(x.logSumExp(dimension).doubles(), logs) < tolerance)
        }
        #expect(distance([x.sum().scalar], [values.reduce(0, +)]) < 8 * tolerance)
        #expect(x.max().scalar == values.max()!)
        #expect(x.min().scalar == values.min()!)
        #expect(distance(x.sum(0, 2).doubles(), x.sum(2).sum(0).doubles()) < 4 * tolerance)
    }

    @Test("Softmax rows and log-sum-exp survive large numbers")
    func softmax() {
        let x = Tensor([1000.0, 1001, 999, -1000, 0, 1000], shape: [2, 3])
        let total = exp(-1.0) + 1 + exp(-2.0)
        let expected = [exp(-1.0) / total, 1 / total, exp(-2.0) / total, 0, 0, 1]
        #expect(distance(x.softmax(1).doubles(), expected) < 1e-14)
        #expect(distance(x.logSumExp(1).doubles(), [1001 + log(total), 1000]) < 1e-14)
    }

    @Test("Sums and dot products of float32 numbers are accumulated in double precision")
    func doubleAccumulation() {
        // 2^24 is where float32 stops counting by one.
        let x = Tensor([Float](repeating: 1, count: 1000) + [16_777_216])
        #expect(x.sumInDouble() == 16_778_216)
        var random = RandomSource(4)
        let (a, b) = (random.tensor([5000], dtype: .float32), random.tensor([5000], dtype: .float32))
        let exact = zip(a.doubles(), b.doubles()).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(a.dot(b) - exact) < 1e-4)
        #expect(abs(a.norm - a.doubles().reduce(0) { $0 + $1 * $1 }.squareRoot()) < 1e-5)
    }

    @Test("One NaN or infinity makes a tensor not finite")
    func finiteness() {
        #expect(Tensor([1.0, -2, 0]).isFinite)
        #expect(!Tensor([1.0, .nan]).isFinite)
        #expect(!Tensor([1.0, -.infinity]).isFinite)
        #expect(Tensor([Double](), shape: [0, 3]).isFinite)
    }
}
