import Proximal
import TestSupport
import Testing
import Torch

@Suite("The group-lasso penalty")
struct GroupLassoTests {
    static let floats: [(DType, Double)] = [(.float64, 1e-13), (.float32, 2e-6)]

    /// Group norms by loops: groups of `width` consecutive columns of a `d × M` matrix.
    private func norms(_ u: Tensor, width: Int) -> [Double] {
        let m = Matrix(u)
        return (0..<m.columns / width).map { group in
            var sum = 0.0
            for column in group * width..<(group + 1) * width {
                for row in 0..<m.rows { sum += m[row, column] * m[row, column] }
            }
            return sum.squareRoot()
        }
    }

    @Test("Norms, value and shrinkage equal plain loops for groups of any width", arguments: floats, [1, 2, 3, 6])
    func loops(kind: (dtype: DType, tolerance: Double), width: Int) {
        var random = RandomSource(1)
        let u = random.tensor([5, 12], dtype: kind.dtype)
        let penalty = GroupLasso(strength: 0.8, columnsPerGroup: width)
        let expected = norms(u, width: width)
        #expect(distance(penalty.norms(u).doubles(), expected) < kind.tolerance)
        #expect(abs(penalty.value(u) - 0.8 * expected.reduce(0, +)) < 20 * kind.tolerance)
        for step in [0.01, 1, 2.5, 100] {
            let v = penalty.prox(u, step: step)
            #expect(v.dtype == kind.dtype)
            // The shrunk norm is max(norm - step * strength, 0), and the direction stays.
            let shrunk = expected.map { max($0 - 0.8 * step, 0) }
            #expect(distance(norms(v, width: width), shrunk) < kind.tolerance)
            var wanted = Matrix(u)
            for row in 0..<5 {
                for column in 0..<12 { wanted[row, column] *= shrunk[column / width] / expected[column / width] }
            }
            #expect(distance(v, wanted) < kind.tolerance)
        }
    }

    @Test("Groups at or below the threshold become exact zeros, and zero groups stay zero")
    func zeros() {
        for dtype in [DType.float64, .float32] {
            let u = Tensor([3.0, 0.3, 0, 4, 0.4, 0], shape: [2, 3]).to(dtype)
            let v = GroupLasso(strength: 1).prox(u, step: 0.6)
            #expect(v.isFinite)
            #expect(v.columns(1..<3).doubles() == [0, 0, 0, 0])
            #expect(distance(v.columns(0..<1).doubles(), [3 * 4.4 / 5, 4 * 4.4 / 5]) < 1e-6)
            #expect(GroupLasso(strength: 1).prox(u, step: 1e9).doubles() == [0, 0, 0, 0, 0, 0])
        }
    }

    @Test("A strength or a step of zero changes nothing")
    func noPenalty() {
        var random = RandomSource(2)
        let u = random.tensor([4, 6])
        #expect(distance(GroupLasso(strength: 0).prox(u, step: 3), u) < 1e-15)
        #expect(distance(GroupLasso(strength: 2, columnsPerGroup: 3).prox(u, step: 0), u) < 1e-15)
    }

    @Test("Moreau's identity holds with the projection on the dual ball", arguments: [1, 4])
    func moreau(width: Int) {
        var random = RandomSource(3)
        let u = random.tensor([3, 8], scale: 2)
        let (strength, step) = (0.7, 1.9)
        let radius = strength * step
        // The projection on {norm of each group at most radius}, by loops.
        let sizes = norms(u, width: width)
        var projected = Matrix(u)
        for row in 0..<3 {
            for column in 0..<8 { projected[row, column] *= min(1, radius / sizes[column / width]) }
        }
        let shrunk = GroupLasso(strength: strength, columnsPerGroup: width).prox(u, step: step)
        #expect(distance(shrunk + projected.tensor, u) < 1e-14)
    }

    @Test("The shrunk point beats random perturbations and contracts distances")
    func optimal() {
        var random = RandomSource(4)
        for width in [1, 2] {
            let penalty = GroupLasso(strength: 0.5, columnsPerGroup: width)
            let (a, b) = (random.tensor([4, 6]), random.tensor([4, 6]))
            for step in [1e-3, 0.5, 3, 1e3] {
                let (v, w) = (penalty.prox(a, step: step), penalty.prox(b, step: step))
                func objective(_ x: Tensor) -> Double {
                    let move = x - a
                    return step * penalty.value(x) + 0.5 * move.dot(move)
                }
                let best = objective(v)
                for _ in 0..<200 {
                    let move = random.tensor([4, 6], scale: random.uniform(0..<1))
                    #expect(objective(v + move) >= best + 0.5 * move.dot(move) - 1e-9 * (1 + best))
                }
                #expect((v - w).dot(v - w) <= (v - w).dot(a - b) + 1e-12)
            }
        }
    }
}
