import TestSupport
import Testing
import Torch

@Suite("Tensors are values")
struct ValueSemanticsTests {
    typealias Alias = (name: String, make: @Sendable (Tensor) -> Tensor)
    typealias Mutation = (
        name: String, apply: @Sendable (inout Tensor) -> Void, plain: @Sendable ([Double]) -> [Double]
    )

    /// All ways to get a second tensor that may share the storage of a 4 × 4 matrix.
    static let aliases: [Alias] = [
        ("copy", { $0 }),
        ("same type", { $0.to(.float64) }),
        ("same device", { $0.to(device: .cpu) }),
        ("contiguous", { $0.contiguous() }),
        ("rows", { $0.rows(1..<3) }),
        ("columns", { $0.columns(0..<2) }),
        ("transpose", { $0.transposed() }),
        ("reshape", { $0.reshaped(2, 8) }),
        ("same reshape", { $0.reshaped(4, 4) }),
        ("select", { $0.select(0, 2) }),
        ("diagonal", { $0.diagonal }),
        ("unsqueezed", { $0.unsqueezed(0) }),
        ("expanded", { $0.unsqueezed(0).expanded(3, 4, 4) }),
        ("same expanded", { $0.expanded(4, 4) }),
        ("view of a view", { $0.transposed().rows(1..<2).reshaped(4) }),
    ]

    static let mutations: [Mutation] = [
        ("add", { $0.add(Tensor.full($0.shape, 2, dtype: .float64), scaledBy: 3) }, { $0.map { $0 + 6 } }),
        ("scale", { $0.scale(by: -2) }, { $0.map { $0 * -2 } }),
        ("addProduct", { addOnes(&$0) }, { $0.map { $0 + 1 } }),
        ("setRows", { $0.setRows(from: 0, to: Tensor.full($0.shape, 9, dtype: .float64)) }, { $0.map { _ in 9 } }),
        ("withMutableBytes", { number(&$0) }, { $0.enumerated().map { $1 * 10 + Double($0) } }),
    ]

    private static func addOnes(_ t: inout Tensor) {
        t.addProduct(Tensor.identity(t.shape[0], dtype: .float64), Tensor.full(t.shape, 1, dtype: .float64))
    }

    private static func number(_ t: inout Tensor) {
        t.withMutableBytes { bytes in
            let values = bytes.bindMemory(to: Double.self)
            for k in values.indices { values[k] = values[k] * 10 + Double(k) }
        }
    }

    private func matrix() -> Tensor { Tensor((0..<16).map { Double($0) - 5 }, shape: [4, 4]) }

    @Test("Changing a tensor in place never changes a copy or a view of it")
    func originals() {
        for (aliasName, make) in Self.aliases {
            for (name, apply, plain) in Self.mutations {
                var original = matrix()
                let before = original.doubles()
                let alias = make(original)
                let seen = alias.doubles()
                apply(&original)
                #expect(alias.doubles() == seen, "\(name) showed through \(aliasName)")
                #expect(original.doubles() == plain(before), "\(name) beside \(aliasName)")
            }
        }
    }

    @Test("Changing a copy or a view in place never changes the original")
    func views() {
        for (aliasName, make) in Self.aliases {
            for (name, apply, plain) in Self.mutations {
                let original = matrix()
                let before = original.doubles()
                var alias = make(original)
                guard name != "addProduct" || alias.rank == 2 else { continue }
                let seen = alias.doubles()
                apply(&alias)
                #expect(original.doubles() == before, "\(name) of \(aliasName) wrote to the original")
                #expect(alias.doubles() == plain(seen), "\(name) of \(aliasName)")
            }
        }
    }

    @Test("A view that outlives its original can be changed in place")
    func orphans() {
        for (aliasName, make) in Self.aliases where !aliasName.contains("expanded") {
            for (name, apply, plain) in Self.mutations {
                var orphan = make(matrix())
                guard name != "addProduct" || orphan.rank == 2 else { continue }
                let seen = orphan.doubles()
                apply(&orphan)
                #expect(orphan.doubles() == plain(seen), "\(name) of \(aliasName)")
            }
        }
    }

    @Test("A repeated view that outlives its original is copied before it is changed")
    func repeatedOrphans() async {
        // In a process of its own, because a refused in-place operation traps.
        for name in ["add", "scale", "addProduct", "setRows"] {
            await #expect(processExitsWith: .success, "\(name)") { [name = name as String] in
                var orphan = Tensor([1.0, 2, 3, 4], shape: [1, 4]).expanded(4, 4)
                ValueSemanticsTests.mutations.first { $0.name == name }!.apply(&orphan)
            }
        }
    }

    @Test("Mutation in place reuses storage that nobody shares")
    func inPlace() {
        var t = matrix()
        let before = t.withBytes { $0.baseAddress! }
        t.add(matrix())
        t.scale(by: 2)
        #expect(t.withBytes { $0.baseAddress! } == before)
    }

    @Test("Tensors inside arrays and structures are values too")
    func containers() {
        var list = [matrix(), matrix()]
        let copy = list
        list[0].scale(by: 0)
        #expect(copy[0].doubles() == matrix().doubles())
        #expect(list[0].doubles().allSatisfy { $0 == 0 })
        #expect(list[1].doubles() == matrix().doubles())
        let captured = list[1]
        let read = { captured.doubles() }
        list[1].add(list[1])
        #expect(read() == matrix().doubles())
        #expect(list[1].doubles() == matrix().doubles().map { 2 * $0 })
    }

    @Test("The caller's bytes are copied, not borrowed")
    func bytes() {
        var values = [1.0, 2, 3]
        let t = Tensor(values)
        values[0] = 100
        #expect(t.doubles() == [1, 2, 3])
    }
}
