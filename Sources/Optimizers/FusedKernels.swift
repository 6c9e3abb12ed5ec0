import Dispatch
import Foundation
import Torch

/// Whole optimizer steps in one pass over memory, for tensors on the CPU.
///
/// Composed of tensor operators a step reads and writes each array several times, and memory bandwidth is what limits
/// it. Elsewhere the optimizers compose operators; a test compares the two.
enum FusedKernels {
    @TaskLocal private static var isEnabled = true

    /// Whether the kernels can step this parameter.
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
        /// L2 penalty.
        var coupled: Double
        /// Factor of the weights before the step.
        var shrink: Double
    }

    /// SGD with momentum, from the second step on.
    static func momentum(
        _ p: inout Tensor, _ g: Tensor, _ buffer: inout Tensor, rate: Double, momentum: Double, dampening: Double,
        nesterov: Bool, weightDecay: Double
    ) {
        func loop<T: FusedScalar>(_: T.Type) {
            let (rate, m, fresh, decay) = (T(rate), T(momentum), T(1 - dampening), T(weightDecay))
            // The step is −lr (keep · g + look · b).
            let (keep, look): (T, T) = nesterov ? (1, m) : (0, 1)
            var states = [taken(&buffer)]
            pass(T.self, &p, [g], &states) { range, p, reads, writes in
                let (g, b) = (reads[0], writes[0])
                for i in range {
                    let gradient = g[i] + decay * p[i]
                    let new = m * b[i] + fresh * gradient
                    b[i] = new
                    p[i] -= rate * (keep * gradient + look * new)
                }
            }
            buffer = states[0]
        }
        p.dtype == .float64 ? loop(Double.self) : loop(Float.self)
    }

    /// Adam and AdamW.
    static func adam(_ p: inout Tensor, _ g: Tensor, _ m: inout Tensor, _ v: inout Tensor, _ c: Moments) {
        func loop<T: FusedScalar>(_: T.Type) {
            let (rate, b1, b2, inverse) = (T(c.rate), T(c.beta1), T(c.beta2), T(1 / c.root))
            let (f1, f2, eps) = (T(1 - c.beta1), T(1 - c.beta2), T(c.eps))
            let (decay, shrink) = (T(c.coupled), T(c.shrink))
            var states = [taken(&m), taken(&v)]
            pass(T.self, &p, [g], &states) { range, p, reads, writes in
                let (g, m, v) = (reads[0], writes[0], writes[1])
                for i in range {
                    let gradient = g[i] + decay * p[i]
                    let first = b1 * m[i] + f1 * gradient
                    let second = b2 * v[i] + f2 * gradient * gradient
                    m[i] = first
                    v[i] = second
                    p[i] = shrink * p[i] - rate * first / (second.squareRoot() * inverse + eps)
                }
            }
            (m, v) = (states[0], states[1])
        }
        p.dtype == .float64 ? loop(Double.self) : loop(Float.self)
    }

    /// Yogi.
    static func yogi(_ p: inout Tensor, _ g: Tensor, _ m: inout Tensor, _ v: inout Tensor, _ c: Moments) {
        func loop<T: FusedScalar>(_: T.Type) {
            let (rate, b1, inverse, shrink) = (T(c.rate), T(c.beta1), T(1 / c.root), T(c.shrink))
            let (f1, f2, eps) = (T(1 - c.beta1), T(1 - c.beta2), T(c.eps))
            var states = [taken(&m), taken(&v)]
            pass(T.self, &p, [g], &states) { range, p, reads, writes in
                let (g, m, v) = (reads[0], writes[0], writes[1])
                for i in range {
                    let square = g[i] * g[i]
                    let first = b1 * m[i] + f1 * g[i]
                    let sign: T = v[i] > square ? 1 : v[i] < square ? -1 : 0
                    let second = v[i] - f2 * sign * square
                    m[i] = first
                    v[i] = second
                    p[i] = shrink * p[i] - rate * first / (second.squareRoot() * inverse + eps)
                }
            }
            (m, v) = (states[0], states[1])
        }
        p.dtype == .float64 ? loop(Double.self) : loop(Float.self)
    }

    /// Lion.
    static func lion(
        _ p: inout Tensor, _ g: Tensor, _ m: inout Tensor, rate: Double, beta1: Double, beta2: Double, shrink: Double
    ) {
        func loop<T: FusedScalar>(_: T.Type) {
            let (rate, b1, b2, shrink) = (T(rate), T(beta1), T(beta2), T(shrink))
            let (f1, f2) = (T(1 - beta1), T(1 - beta2))
            var states = [taken(&m)]
            pass(T.self, &p, [g], &states) { range, p, reads, writes in
                let (g, m) = (reads[0], writes[0])
                for i in range {
                    let c = b1 * m[i] + f1 * g[i]
                    let sign: T = c > 0 ? 1 : c < 0 ? -1 : 0
                    p[i] = shrink * p[i] - rate * sign
                    m[i] = b2 * m[i] + f2 * g[i]
                }
            }
            m = states[0]
        }
        p.dtype == .float64 ? loop(Double.self) : loop(Float.self)
    }

    /// MADGRAD.
    static func madgrad(
        _ p: inout Tensor, _ g: Tensor, _ s: inout Tensor, _ v: inout Tensor, _ x0: Tensor, lambda: Double,
        momentum: Double, eps: Double, weightDecay: Double
    ) {
        func loop<T: FusedScalar>(_: T.Type) {
            let (lambda, keep, fresh) = (T(lambda), T(momentum), T(1 - momentum))
            let (eps, decay) = (T(eps), T(weightDecay))
            var states = [taken(&s), taken(&v)]
            pass(T.self, &p, [g, x0], &states) { range, p, reads, writes in
                let (g, x0, s, v) = (reads[0], reads[1], writes[0], writes[1])
                for i in range {
                    let gradient = g[i] + decay * p[i]
                    let sum = s[i] + lambda * gradient
                    let square = v[i] + lambda * gradient * gradient
                    s[i] = sum
                    v[i] = square
                    p[i] = keep * p[i] + fresh * (x0[i] - sum / (T.cubeRoot(square) + eps))
                }
            }
            (s, v) = (states[0], states[1])
        }
        p.dtype == .float64 ? loop(Double.self) : loop(Float.self)
    }

    private static let nothing = Tensor([Float](), shape: [0])

    /// Moves a tensor out, so that its only reference can be written in place.
    private static func taken(_ tensor: inout Tensor) -> Tensor {
        defer { tensor = nothing }
        return tensor
    }

    /// Runs `body` on slices of the elements, one a thread.
    private static func pass<T: FusedScalar>(
        _: T.Type, _ parameter: inout Tensor, _ reads: [Tensor], _ writes: inout [Tensor],
        _ body: @Sendable (Range<Int>, UnsafeMutablePointer<T>, [UnsafePointer<T>], [UnsafeMutablePointer<T>]) -> Void
    ) {
        let count = parameter.count
        for tensor in reads + writes {
            precondition(tensor.count == count && tensor.dtype == T.dtype, "\(tensor.shape) with \(parameter.shape)")
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
                guard threads > 1 else { return body(0..<count, p, sources, targets) }
                DispatchQueue.concurrentPerform(iterations: threads) { t in
                    body(count * t / threads..<count * (t + 1) / threads, p, sources, targets)
                }
            }
        }
    }
}

/// A float type that the kernels are specialised for.
protocol FusedScalar: BinaryFloatingPoint, TensorElement {
    /// `∛x` of a number ≥ 0.
    static func cubeRoot(_ x: Self) -> Self
}

extension Float: FusedScalar {
    /// A third of the exponent from the bits, then Newton's method: it vectorises, as `cbrtf` does not.
    @inline(__always)
    static func cubeRoot(_ x: Float) -> Float {
        var y = Float(bitPattern: x.bitPattern / 3 &+ 709_921_077)
        for _ in 0..<3 { y = (2 * y + x / (y * y)) * (1 / 3) }
        return y
    }
}

extension Double: FusedScalar {
    @inline(__always)
    static func cubeRoot(_ x: Double) -> Double { cbrt(x) }
}
