import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("Activation patterns")
struct PatternTests {
    /// The columns of a mask as strings.
    private func columns(_ mask: Tensor) -> [String] {
        let (n, p) = (mask.shape[0], mask.shape[1])
        let bytes = mask.array(of: UInt8.self)
        return (0..<p).map { i in (0..<n).map { bytes[$0 * p + i] == 0 ? "0" : "1" }.joined() }
    }

    @Test("The mask is 1 exactly where a row meets its gate, zero products included")
    func mask() {
        var random = RandomSource(1)
        let (x, gates) = (Matrix(9, 3, random.normals(27)), Matrix(3, 5, random.normals(15)))
        let expected = (x * gates).values.map { UInt8($0 >= 0 ? 1 : 0) }
        #expect(ActivationPatterns.mask(x.tensor, gates.tensor).array(of: UInt8.self) == expected)
        let edge = ActivationPatterns.mask(Tensor([1.0, 0, 0, 1], shape: [2, 2]), Tensor([0.0, -1], shape: [2, 1]))
        #expect(edge.array(of: UInt8.self) == [1, 0])
    }

    @Test("Chunks of rows give the same mask")
    func chunks() {
        var random = RandomSource(2)
        // So many gates that a chunk holds 256 rows.
        let x = random.tensor([600, 2])
        let gates = random.tensor([2, 16_000])
        let mask = ActivationPatterns.mask(x, gates)
        let expected = (Matrix(x) * Matrix(gates)).values.map { UInt8($0 >= 0 ? 1 : 0) }
        #expect(mask.shape == [600, 16_000])
        #expect(mask.array(of: UInt8.self) == expected)
    }

    @Test("Duplicates and the all-zero pattern are dropped, the first of each kept in order")
    func distinct() {
        let x = Tensor([1.0, 2, 3], shape: [3, 1])
        let patterns = ActivationPatterns(x: x, gates: Tensor([-1.0, 2, 5, -3, 0], shape: [1, 5]))
        // Positive and zero gates open every row; negative gates open none.
        #expect(patterns.kept == [1])
        #expect(patterns.count == 1)
        #expect(patterns.gates.doubles() == [2])
        #expect(patterns.mask.array(of: UInt8.self) == [1, 1, 1])
        #expect(ActivationPatterns(x: x, gates: Tensor([-1.0], shape: [1, 1])).count == 0)
    }

    @Test("Rows beyond a machine word count")
    func words() {
        // 130 rows take three words; the gates differ in the last row alone.
        var x = Matrix(130, 2)
        for j in 0..<130 { x[j, 0] = 1 }
        x[129, 0] = 0
        x[129, 1] = 1
        let patterns = ActivationPatterns(x: x.tensor, gates: Tensor([1.0, 1, 1, 1, -1, 2], shape: [2, 3]))
        #expect(patterns.kept == [0, 1])
        #expect(patterns.gates.doubles() == [1, 1, 1, -1])
    }

    @Test("Sampling finds all sixteen patterns of eight points in the plane, and no other")
    func exhaustive() {
        let oracle = Oracle.exhaustive
        let patterns = Engine.exclusively { ActivationPatterns.sampled(x: oracle.x, count: 500, seed: 3) }
        let found = columns(patterns.mask)
        #expect(Set(found).count == found.count)
        #expect(!found.contains(String(repeating: "0", count: oracle.n)))
        let expected = Set(columns(oracle.d01)).subtracting([String(repeating: "0", count: oracle.n)])
        #expect(Set(found).isSubset(of: expected))
        #expect(found.count >= expected.count - 1)
    }

    @Test("Sampling gives the wanted number, reproducibly, with gates that belong to the masks")
    func seeds() {
        var random = RandomSource(4)
        let x = random.tensor([50, 6])
        Engine.exclusively {
            let one = ActivationPatterns.sampled(x: x, count: 40, seed: 7)
            let two = ActivationPatterns.sampled(x: x, count: 40, seed: 7)
            let other = ActivationPatterns.sampled(x: x, count: 40, seed: 8)
            #expect(one.count == 40)
            #expect(one.gates.shape == [6, 40])
            #expect(one.gates.doubles() == two.gates.doubles())
            #expect(one.mask.doubles() == two.mask.doubles())
            #expect(one.gates.doubles() != other.gates.doubles())
            #expect(ActivationPatterns.mask(x, one.gates).doubles() == one.mask.doubles())
            // The same gates for single precision: they are drawn in double.
            let single = ActivationPatterns.sampled(x: x.to(.float32), count: 40, seed: 7)
            #expect(single.gates.floats() == one.gates.floats())
        }
    }

    @Test("Duplicates are drawn again while the data has more patterns to give")
    func redraws() {
        // In one dimension with both signs there are two patterns, whatever the number of draws.
        let x = Tensor([1.0, -1, 2], shape: [3, 1])
        let patterns = Engine.exclusively { ActivationPatterns.sampled(x: x, count: 10, seed: 1) }
        #expect(Set(columns(patterns.mask)) == ["101", "010"])
    }
}
