import CKernels
import Dispatch
import Torch

/// Whole optimizer steps in one pass over memory, for those that LibTorch has no fused kernel of, on the CPU.
///
/// Composed of tensor operators a step reads and writes each array several times, and memory bandwidth is what limits
/// it. Elsewhere the optimizers compose operators; a test compares the two.
enum FusedKernels {
    @TaskLocal private static var isEnabled = true

    /// Whether LibTorch's fused kernels can step this parameter.
    static func engineCovers(_ parameter: Tensor) -> Bool {
        isEnabled && (parameter.dtype == .float32 || parameter.dtype == .float64)
    }

    /// Whether the kernels here can step this parameter.
    static func covers(_ parameter: Tensor) -> Bool {
        isEnabled && parameter.device.kind == .cpu && (parameter.dtype == .float32 || parameter.dtype == .float64)
    }

    /// Runs `body` with composed operators only.
    static func disabled<R>(_ body: () throws -> R) rethrows -> R { try $isEnabled.withValue(false, operation: body) }

    /// Coefficients of Adam-like steps.
    struct Moments: Sendable {
        /// Learning rate over the first moment's correction.
        var rate: Double
        var beta1: Double
        var beta2: Double
        /// Root of the second moment's correction.
        var root: Double
        var eps: Double
        /// Factor of the weights before the step.
        var shrink: Double
    }

    /// Yogi.
    static func yogi(_ p: inout Tensor, _ g: Tensor, _ m: inout Tensor, _ v: inout Tensor, _ c: Moments) {
        var states = [taken(&m), taken(&v)]
        if p.dtype == .float64 {
            pass(Double.self, &p, [g], &states) { count, p, reads, writes in
                ck_yogi_f64(
                    p, reads[0], writes[0], writes[1], count, c.rate, c.beta1, 1 - c.beta1, 1 - c.beta2, 1 / c.root,
                    c.eps, c.shrink)
            }
        } else {
            pass(Float.self, &p, [g], &states) { count, p, reads, writes in
                ck_yogi_f32(
                    p, reads[0], writes[0], writes[1], count, Float(c.rate), Float(c.beta1), Float(1 - c.beta1),
                    Float(1 - c.beta2),
                    Float(1 / c.root), Float(c.eps), Float(c.shrink))
            }
        }
        (m, v) = (states[0], states[1])
    }

    /// Lion.
    static func lion(
        _ p: inout Tensor, _ g: Tensor, _ m: inout Tensor, rate: Double, beta1: Double, beta2: Double, shrink: Double
    ) {
        var states = [taken(&m)]
        if p.dtype == .float64 {
            pass(Double.self, &p, [g], &states) { count, p, reads, writes in
                ck_lion_f64(p, reads[0], writes[0], count, rate, beta1, 1 - beta1, beta2, 1 - beta2, shrink)
            }
        } else {
            pass(Float.self, &p, [g], &states) { count, p, reads, writes in
                ck_lion_f32(
                    p, reads[0], writes[0], count, Float(rate), Float(beta1), Float(1 - beta1), Float(beta2),
                    Float(1 - beta2), Float(shrink))
            }
        }
        m = states[0]
    }

    /// MADGRAD.
    static func madgrad(
        _ p: inout Tensor, _ g: Tensor, _ s: inout Tensor, _ v: inout Tensor, _ x0: Tensor, lambda: Double,
        momentum: Double, eps: Double, weightDecay: Double
    ) {
        var states = [taken(&s), taken(&v)]
        if p.dtype == .float64 {
            pass(Double.self, &p, [g, x0], &states) { count, p, reads, writes in
                ck_madgrad_f64(
                    p, reads[0], writes[0], writes[1], reads[1], count, lambda, momentum, 1 - momentum, eps, weightDecay
                )
            }
        } else {
            pass(Float.self, &p, [g, x0], &states) { count, p, reads, writes in
                ck_madgrad_f32(
                    p, reads[0], writes[0], writes[1], reads[1], count, Float(lambda), Float(momentum),
                    Float(1 - momentum), Float(eps),
                    Float(weightDecay))
            }
        }
        (s, v) = (states[0], states[1])
    }

    private static let nothing = Tensor([Float](), shape: [0])

    /// Moves a tensor out, so that its only reference can be written in place.
    static func taken(_ tensor: inout Tensor) -> Tensor {
        defer { tensor = nothing }
        return tensor
    }

    /// Runs `body` on slices of the arrays, one a thread.
    private static func pass<T: TensorElement>(
        _: T.Type, _ parameter: inout Tensor, _ reads: [Tensor], _ writes: inout [Tensor],
        _ body: @Sendable (Int, UnsafeMutablePointer<T>, [UnsafePointer<T>], [UnsafeMutablePointer<T>]) -> Void
    ) {
        let count = parameter.count
        for tensor in reads + writes {
            demand(tensor.count == count && tensor.dtype == T.dtype, "\(tensor.shape) with \(parameter.shape)")
        }
        let contiguous = reads.map { $0.contiguous() }
        withExtendedLifetime(contiguous) {
            nonisolated(unsafe) let sources = contiguous.map { tensor in
                tensor.withBytes { $0.baseAddress!.assumingMemoryBound(to: T.self) }
            }
            nonisolated(unsafe) let targets = writes.indices.map { index in
                writes[index].withMutableBytes { $0.baseAddress!.assumingMemoryBound(to: T.self) }
            }
            parameter.withMutableBytes { bytes in
                nonisolated(unsafe) let p = bytes.baseAddress!.assumingMemoryBound(to: T.self)
                let threads = max(1, min(Runtime.threads, count / 32_768))
                guard threads > 1 else { return body(count, p, sources, targets) }
                DispatchQueue.concurrentPerform(iterations: threads) { t in
                    let start = count * t / threads
                    body(
                        count * (t + 1) / threads - start, p + start, sources.map { $0 + start },
                        targets.map { $0 + start })
                }
            }
        }
    }
}
