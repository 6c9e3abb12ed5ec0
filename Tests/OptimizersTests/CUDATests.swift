import TestSupport
import Testing
import Torch

@testable import Optimizers

@Suite("CUDA: optimizers agree with the CPU", .enabled(if: Device.cuda.isAvailable))
struct CUDATests {
    @Test("Every optimizer takes the same steps there", arguments: ConformanceTests.names)
    func steps(name: String) throws {
        let optimizer = try ConformanceTests.tuned(name)
        let problem = ConformanceTests.Quadratic()
        /// The problem where its argument is.
        func evaluate(_ x: [Tensor]) -> (loss: Double, gradients: [Tensor]) {
            let device = x[0].device
            let found = problem.evaluate(x.map { $0.to(device: .cpu) })
            return (found.loss, found.gradients.map { $0.to(device: device) })
        }
        let ends = try [Device.cpu, .cuda].map { device in
            var (x, state) = (problem.start.map { $0.to(device: device) }, OptimizerState())
            for _ in 0..<10 {
                if let closure = optimizer as? any ClosureOptimizer {
                    try closure.step(&x, start: evaluate(x), state: &state, evaluate: evaluate)
                } else {
                    optimizer.step(&x, gradients: evaluate(x).gradients, state: &state)
                }
            }
            #expect(x.allSatisfy { $0.device.kind == device.kind })
            return optimizer.evaluationParameters(x, state: state).flatMap { $0.to(device: .cpu).doubles() }
        }
        for (host, device) in zip(ends[0], ends[1]) { #expect(abs(host - device) < 1e-9 * max(1, abs(host))) }
    }
}
