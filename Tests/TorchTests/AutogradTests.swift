import TestSupport
import Testing
import Torch

@Suite("Gradients")
struct AutogradTests {
    private static let functions: [(name: String, body: @Sendable ([Tensor]) -> Tensor)] = [
        ("a product", { ($0[0].times($0[1])).squared().sum() }),
        ("softmax of sums", { ($0[0].softmax(1) * $0[0]).sum() + $0[1].exp().sum() }),
        ("roots", { ($0[0].squared() + 1.0).squareRoot().log().sum() * $0[1].sigmoid().sum() }),
    ]

    @Test("They equal differences of the function", arguments: [0, 1, 2])
    func differences(index: Int) throws {
        let body = Self.functions[index].body
        var random = RandomSource(UInt64(index))
        let inputs = [random.tensor([3, 4]), random.tensor([4, 2])]
        let found = try valueAndGradients(at: inputs, of: body)
        #expect(found.value.scalar == body(inputs).scalar)
        for place in inputs.indices {
            let direction = random.tensor(inputs[place].shape)
            func moved(_ t: Double) -> Double {
                var copy = inputs
                copy[place] = inputs[place].adding(direction, scaledBy: t)
                return body(copy).scalar
            }
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
            #expect(abs(found.gradients[place].dot(direction) - slope) < 1e-7 * (1 + abs(slope)))
        }
    }

    @Test("Products with the Hessian equal differences of gradients", arguments: [0, 1, 2])
    func hessian(index: Int) throws {
        let body = Self.functions[index].body
        var random = RandomSource(UInt64(10 + index))
        let inputs = [random.tensor([3, 4]), random.tensor([4, 2])]
        let vectors = inputs.map { random.tensor($0.shape) }
        let (differential, products) = try hessianVectorProducts(at: inputs, vectors: vectors, of: body)
        #expect(differential.gradients[0].shape == [3, 4])
        func gradients(_ t: Double) throws -> [Tensor] {
            try valueAndGradients(at: zip(inputs, vectors).map { $0.adding($1, scaledBy: t) }, of: body).gradients
        }
        let (ahead, behind) = (try gradients(1e-5), try gradients(-1e-5))
        for place in inputs.indices {
            let slope = (ahead[place] - behind[place]) * (1 / 2e-5)
            #expect((slope - products[place]).norm < 1e-6 * (1 + slope.norm))
        }
    }

    @Test("An input that the value does not depend on has gradient zero")
    func unused() throws {
        let found = try valueAndGradients(at: [Tensor([1.0, 2.0]), Tensor([3.0])]) { $0[0].sum() }
        #expect(found.gradients[0].doubles() == [1, 1] && found.gradients[1].doubles() == [0])
    }

    @Test("Values outside stay without a record, and may be changed in place afterwards")
    func release() throws {
        var parameter = Tensor([1.0, 2.0])
        let address = parameter.withMutableBytes { $0.baseAddress }
        let found = try valueAndGradients(at: [parameter]) { $0[0].squared().sum() }
        // A tensor that a graph still held would be copied by the next write.
        #expect(parameter.withMutableBytes { $0.baseAddress } == address)
        parameter.add(found.gradients[0], scaledBy: -0.5)
        #expect(parameter.doubles() == [0, 0])
        let second = try valueAndGradients(at: [parameter]) { inputs in
            withoutGradients { inputs[0].sum() } + inputs[0].sum()
        }
        #expect(second.gradients[0].doubles() == [1, 1])
    }
}
