import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("The linear maps of the convex program")
struct OperatorTests {
    static let floats: [(DType, Double)] = [(.float64, 1e-13), (.float32, 3e-6)]

    @Test("Forward, adjoint and normal products equal dense matrices", arguments: Layouts.names, floats)
    func coupledProducts(name: String, kind: (dtype: DType, tolerance: Double)) {
        let maps = Layouts.maps(name, dtype: kind.dtype, seed: 1)
        let f = DenseProgram(maps).dataMatrix(coupled: true)
        var random = RandomSource(2)
        let q = random.tensor([maps.d, maps.layout.coupledColumns], dtype: kind.dtype)
        let r = random.tensor([maps.n, maps.layout.outputs], dtype: kind.dtype)
        #expect(maps.forward(q).dtype == kind.dtype)
        #expect(distance(maps.forward(q), f * DenseProgram.flat(q)) < kind.tolerance)
        #expect(distance(maps.adjoint(r), f.transposed * DenseProgram.flat(r)) < kind.tolerance)
        #expect(distance(maps.normal(q), f.transposed * (f * DenseProgram.flat(q))) < kind.tolerance)
    }

    @Test("The right-hand side equals F'r + G'|w|", arguments: Layouts.names, floats)
    func rightHandSide(name: String, kind: (dtype: DType, tolerance: Double)) {
        let maps = Layouts.maps(name, dtype: kind.dtype, seed: 3)
        let dense = DenseProgram(maps)
        var random = RandomSource(4)
        let r = random.tensor([maps.n, maps.layout.outputs], dtype: kind.dtype)
        let data = dense.dataMatrix().transposed * DenseProgram.flat(r)
        #expect(distance(maps.rightHandSide(data: r, cone: nil), data) < kind.tolerance)
        let w = random.tensor([maps.n, maps.layout.columns], dtype: kind.dtype)
        let expected = data + dense.coneMatrix().transposed * DenseProgram.flat(w.absolute())
        #expect(distance(maps.rightHandSide(data: r, cone: w), expected) < kind.tolerance)
    }

    @Test("The cone update equals its formulas, sums included", arguments: Layouts.names, floats)
    func cone(name: String, kind: (dtype: DType, tolerance: Double)) {
        let maps = Layouts.maps(name, dtype: kind.dtype, seed: 5)
        let dense = DenseProgram(maps)
        var random = RandomSource(6)
        let u = random.tensor([maps.d, maps.layout.columns], dtype: kind.dtype)
        let before = random.tensor([maps.n, maps.layout.columns], dtype: kind.dtype)
        let g = (dense.coneMatrix() * DenseProgram.flat(u)).values
        #expect(distance(maps.cone(u).doubles(), g) < kind.tolerance)
        for alpha in [1, 1.6] {
            var w = before
            let (fitted, sums) = maps.updateCone(u, &w, relaxation: alpha)
            let old = before.doubles()
            let s = old.map { max($0, 0) }
            // s + nu after the step: the relaxed product plus the old multiplier.
            let new = g.indices.map { alpha * g[$0] + (1 - alpha) * s[$0] + min(old[$0], 0) }
            let sNew = new.map { max($0, 0) }
            #expect(distance(w.doubles(), new) < kind.tolerance)
            #expect(distance(fitted, dense.dataMatrix() * DenseProgram.flat(u)) < kind.tolerance)
            func squares(_ term: (Int) -> Double) -> Double { g.indices.reduce(0) { $0 + term($1) * term($1) } }
            let expected = [
                squares { g[$0] - sNew[$0] }, squares { sNew[$0] - s[$0] }, squares { g[$0] },
                squares { min(g[$0], 0) },
            ]
            #expect(distance([sums.primal, sums.change, sums.size, sums.violation], expected) < kind.tolerance)
            #expect(before.doubles() == old, "the caller's copy changed")
        }
    }

    @Test("Halves, their join and the coupled combination follow the column order")
    func halves() {
        let layout = BlockLayout(patterns: 2, outputs: 3, formulation: .relu)
        let u = Tensor((0..<12).map(Double.init), shape: [1, 12])
        let (positive, negative) = layout.halves(u)
        #expect(positive.doubles() == [0, 1, 2, 6, 7, 8])
        #expect(negative.doubles() == [3, 4, 5, 9, 10, 11])
        #expect(layout.joined(positive, negative).doubles() == u.doubles())
        #expect(layout.coupled(u).doubles() == [Double](repeating: -3, count: 6))
        #expect(BlockLayout(patterns: 2, outputs: 6, formulation: .gated).coupled(u).doubles() == u.doubles())
    }

    @Test("Several chunks of rows give what loops over all rows give")
    func chunks() {
        // So many columns that a chunk holds 64 rows.
        let (n, d, p) = (150, 2, 20_000)
        let maps = Layouts.maps("relu", n: n, d: d, patterns: p, seed: 7)
        #expect(maps.chunk == 64)
        var random = RandomSource(8)
        let u = random.tensor([d, 2 * p])
        let w = random.tensor([n, 2 * p])
        let r = random.tensor([n, 1])
        let (x, uv, wv, rv) = (maps.x.doubles(), u.doubles(), w.doubles(), r.doubles())
        let (mask, scale) = (maps.mask.array(of: UInt8.self), maps.rowScale.doubles())
        var fitted = [Double](repeating: 0, count: n)
        var rhs = [Double](repeating: 0, count: d * 2 * p)
        for j in 0..<n {
            for column in 0..<2 * p {
                let isOpen = mask[j * p + column / 2] != 0
                let sign = column % 2 == 0 ? 1.0 : -1
                let product = x[j * d] * uv[column] + x[j * d + 1] * uv[2 * p + column]
                if isOpen { fitted[j] += sign * product }
                let piece = (isOpen ? sign * rv[j] : 0) + (isOpen ? scale[j] : -scale[j]) * abs(wv[j * 2 * p + column])
                for i in 0..<d { rhs[i * 2 * p + column] += x[j * d + i] * piece }
            }
        }
        #expect(distance(maps.forward(maps.layout.coupled(u)).doubles(), fitted) < 1e-11)
        #expect(distance(maps.rightHandSide(data: r, cone: w).doubles(), rhs) < 1e-11)
        var cone = w
        #expect(distance(maps.updateCone(u, &cone, relaxation: 1.3).fitted.doubles(), fitted) < 1e-11)
        #expect(maps.flops > 0)
    }

    @Test("The fused kernels give what tensor operators give", arguments: Layouts.names, floats)
    func kernels(name: String, kind: (dtype: DType, tolerance: Double)) {
        let fused = Layouts.maps(name, n: 200, dtype: kind.dtype, seed: 1)
        let composed = PatternOperator(
            x: fused.x, mask: fused.mask, layout: fused.layout, rowScale: fused.rowScale, usesKernels: false)
        #expect(fused.usesKernels)
        expectSamePasses(composed, fused, tolerance: 10 * kind.tolerance)
    }

    @Test("Kept transposes change no pass, over more chunks than one")
    func transposes() {
        var random = RandomSource(12)
        let x = random.tensor([2_500, 64], dtype: .float32, scale: 0.2)
        let mask = random.mask(2_500, 600)
        let layout = BlockLayout(patterns: 600, outputs: 1, formulation: .relu, coupling: .perOutput)
        let scale = random.tensor([2_500], dtype: .float32).absolute()
        func maps(_ isRepeated: Bool) -> PatternOperator {
            PatternOperator(x: x, mask: mask, layout: layout, rowScale: scale, isRepeated: isRepeated)
        }
        #if arch(x86_64) && os(Linux)
            #expect(maps(true).transposes.map(\.shape) == [[64, 1666], [64, 834]])
        #endif
        #expect(maps(false).transposes.isEmpty)
        expectSamePasses(maps(false), maps(true), tolerance: 1e-4)
        let wide = BlockLayout(patterns: 1_200, outputs: 1, formulation: .relu, coupling: .perOutput)
        let chunked = PatternOperator(x: x, mask: random.mask(2_500, 1_200), layout: wide, rowScale: scale)
        #expect(chunked.chunk < 1024 && chunked.transposes.isEmpty)
    }

    @Test("One thread and two threads agree to round-off", arguments: Layouts.names)
    func threads(name: String) {
        var random = RandomSource(9)
        func run(_ threads: Int, _ u: Tensor, _ w: Tensor, _ r: Tensor) -> [[Double]] {
            Engine.withThreads(threads) {
                let maps = Layouts.maps(name, n: 300, seed: 10)
                var w = w
                let (fitted, sums) = maps.updateCone(u, &w, relaxation: 1.6)
                return [
                    fitted.doubles(), w.doubles(), maps.rightHandSide(data: r, cone: w).doubles(),
                    maps.normal(maps.layout.coupled(u)).doubles(),
                    [sums.primal, sums.change, sums.size, sums.violation],
                ]
            }
        }
        let layout = Layouts.maps(name, n: 300, seed: 10).layout
        let u = random.tensor([4, layout.columns])
        let (w, r) = (random.tensor([300, layout.columns]), random.tensor([300, layout.outputs]))
        for (one, two) in zip(run(1, u, w, r), run(2, u, w, r)) { #expect(distance(one, two) < 1e-12) }
    }
}

/// Expects every pass of two operators on the same problem to agree, on whatever devices they are.
func expectSamePasses(_ other: PatternOperator, _ reference: PatternOperator, tolerance: Double) {
    var random = RandomSource(2)
    let (layout, dtype) = (reference.layout, reference.x.dtype)
    let q = random.tensor([reference.d, layout.coupledColumns], dtype: dtype)
    let u = random.tensor([reference.d, layout.columns], dtype: dtype)
    let r = random.tensor([reference.n, layout.outputs], dtype: dtype)
    let w = random.tensor([reference.n, layout.columns], dtype: dtype)
    func there(_ tensor: Tensor) -> Tensor { tensor.to(device: other.x.device) }
    #expect(distance(other.forward(there(q)), reference.forward(q)) < tolerance)
    #expect(distance(other.adjoint(there(r)), reference.adjoint(r)) < tolerance)
    #expect(distance(other.normal(there(q)), reference.normal(q)) < tolerance)
    #expect(
        distance(other.rightHandSide(data: there(r), cone: there(w)), reference.rightHandSide(data: r, cone: w))
            < tolerance)
    var (one, two) = (w, there(w))
    let (fitted, sums) = reference.updateCone(u, &one, relaxation: 1.6)
    let (otherFitted, otherSums) = other.updateCone(there(u), &two, relaxation: 1.6)
    #expect(distance(otherFitted, fitted) < tolerance)
    #expect(distance(two, one) < tolerance)
    let list = { (s: ConeSums) in [s.primal, s.change, s.size, s.violation] }
    #expect(distance(list(otherSums), list(sums)) < tolerance)
}
