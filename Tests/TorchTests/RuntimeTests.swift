import Dispatch
import TestSupport
import Testing
import Torch

@Suite("The engine: calls, errors, lifetimes, seeds")
struct RuntimeTests {
    @Test("A refused call throws an error that names the operation and both shapes")
    func shapes() {
        let product = Operator("aten::mm")
        let (a, b) = (Tensor.zeros([2, 3]), Tensor.zeros([4, 5], dtype: .float64))
        let error = #expect(throws: TorchError.self) { try product.call([.tensor(a), .tensor(b)]) }
        #expect(error?.operation == "aten::mm")
        #expect(error?.operands == ["float32[2, 3]", "float64[4, 5]"])
        #expect(error?.message.isEmpty == false)
        #expect(error?.description.hasPrefix("aten::mm(float32[2, 3], float64[4, 5]): ") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test("Calls with too many, too few or ill-typed arguments throw")
    func arguments() {
        let t = Value.tensor(Tensor.zeros([2, 2]))
        #expect(throws: TorchError.self) { try Operator("aten::neg").call([t, t]) }
        #expect(throws: TorchError.self) { try Operator("aten::mm").call([t]) }
        #expect(throws: TorchError.self) { try Operator("aten::mm").call([t, .int(3)]) }
        #expect(throws: TorchError.self) { try Operator("aten::cat").call([.tensors([])]) }
    }

    @Test("Operators with several results return all of them")
    func results() throws {
        let results = try Operator("aten::max", "dim").call([.tensor(Tensor([1.0, 5, 3])), .int(0)])
        guard results.count == 2, case .tensor(let value) = results[0], case .tensor(let index) = results[1] else {
            Issue.record("unexpected results")
            return
        }
        #expect(value.scalar == 5)
        #expect(index.scalar == 1)
        let list = try Operator("aten::unbind", "int").call([.tensor(Tensor.identity(3)), .int(0)])
        #expect(list.count == 3)
    }

    @Test("Seeds reproduce random numbers and permutations, and different seeds differ")
    func seeds() {
        Engine.exclusively {
            func draw(_ seed: UInt64) -> [Double] {
                Runtime.seed(seed)
                return Tensor.randomNormal([50], dtype: .float64).doubles() + Tensor.randomPermutation(20).doubles()
            }
            #expect(draw(7) == draw(7))
            #expect(draw(7) != draw(8))
            #expect(draw(7).suffix(20).sorted() == (0..<20).map(Double.init))
            Runtime.seed(9)
            let narrow = Tensor.randomNormal([40])
            Runtime.seed(9)
            #expect(narrow.floats() == Tensor.randomNormal([40], dtype: .float64).to(.float32).floats())
        }
    }

    @Test("Random normal numbers have mean 0 and variance 1")
    func moments() {
        let values = Engine.exclusively {
            Runtime.seed(3)
            return Tensor.randomNormal([200_000], dtype: .float64)
        }
        #expect(abs(values.mean(0).scalar) < 0.01)
        #expect(abs(values.squared().mean(0).scalar - 1) < 0.02)
    }

    @Test("The engine tells its version, instruction set and folder")
    func facts() {
        #expect(Runtime.version.hasPrefix("2."))
        #expect(!Runtime.cpuCapability.isEmpty)
        #expect(Runtime.libraryFolder.hasPrefix("/"))
        #expect(Runtime.threads >= 1)
    }

    /// Nested expressions, lists, views, in-place work and refused calls: some 30 temporaries.
    private static func work(_ seed: UInt64) -> Double {
        var random = RandomSource(seed)
        let a = random.tensor([16, 16])
        let b = ((a + a.transposed()) * 0.5 - a.squared().sum(0, keepingRank: true)).relu().times(a.absolute() + 1)
        var list = (0..<4).map { a.rows($0 * 4..<$0 * 4 + 4) * Double($0) }
        let joined = Tensor.concatenate(list + [b], dimension: 0)
        list[1].add(list[2], scaledBy: 2)
        list[1].scale(by: 0.5)
        _ = try? Operator("aten::mm").call([.tensor(a), .tensor(joined.rows(0..<3))])
        _ = try? (a - a.transposed()).cholesky()
        _ = try? a.svd()
        return joined.sumInDouble() + list[1].norm + Tensor.stack(list, dimension: 0).max().scalar
    }

    @Test("What ends a program says why, in release builds too")
    func texts() async throws {
        let wrong = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).times(Tensor.zeros([2, 3]))
        }
        #expect(
            String(decoding: try #require(wrong).standardErrorContent, as: UTF8.self).contains("aten::mm(float32[2, 3]")
        )
        let few = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor([1.0, 2.0]).scalar
        }
        #expect(
            String(decoding: try #require(few).standardErrorContent, as: UTF8.self).contains(
                "scalar of a tensor of shape [2]"))
        let count = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor([1.0, 2.0, 3.0], shape: [2, 2])
        }
        #expect(
            String(decoding: try #require(count).standardErrorContent, as: UTF8.self).contains("Tensor(shape: [2, 2])"))
    }

    @Test("Tens of thousands of temporaries in several threads neither crash nor stay in memory")
    func lifetimes() async {
        // In a process of its own, so that no other test's memory is counted.
        await #expect(processExitsWith: .success) {
            let expected = (0..<8).map { RuntimeTests.work(UInt64($0)) }
            func run(_ repetitions: Int) {
                DispatchQueue.concurrentPerform(iterations: 8) { worker in
                    for _ in 0..<repetitions {
                        precondition(RuntimeTests.work(UInt64(worker)) == expected[worker], "a result changed")
                    }
                }
            }
            run(100)
            let before = Engine.residentBytes
            run(400)
            guard let before, let after = Engine.residentBytes else { return }
            // 3200 rounds of 30 temporaries of 2 KiB: a leak of one in ten would show as 20 MB.
            precondition(after - before < 12_000_000, "resident memory grew by \(after - before) bytes")
        }
    }
}
