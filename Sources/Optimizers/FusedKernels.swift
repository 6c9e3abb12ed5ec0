import Dispatch
import Foundation
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
                    p[i] = shrink * p[i] - rate * first / (T.root(second) * inverse + eps)
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
    static func taken(_ tensor: inout Tensor) -> Tensor {
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
    /// `√x` of a number ≥ 0.
    static func root(_ x: Self) -> Self
}

extension Float: FusedScalar {
    /// A third of the exponent from the bits, then Newton's method for `1/∛x`: it vectorises, as `cbrtf` does not.
    @inline(__always)
    static func cubeRoot(_ x: Float) -> Float {
        // Shifts that sum to a third, since vectors have no division of integers.
        let quarters = x.bitPattern &>> 2 &+ x.bitPattern &>> 4
        let nearly = quarters &+ quarters &>> 4
        var y = Float(bitPattern: 0x548C_2B4B &- (nearly &+ nearly &>> 8))
        for _ in 0..<3 { y *= (4 - x * y * y * y) * (1 / 3) }
        return x * y * y
    }

    /// Half of the exponent from the bits, then Newton's method for `1/√x`: it vectorises, as `sqrtf` with its error
    /// number does not.
    @inline(__always)
    static func root(_ x: Float) -> Float {
        let bounded = Swift.min(x, Float.greatestFiniteMagnitude)
        var y = Float(bitPattern: 0x5F37_59DF &- bounded.bitPattern >> 1)
        for _ in 0..<3 { y *= 1.5 - 0.5 * bounded * y * y }
        return bounded * y
    }
}

extension Double: FusedScalar {
    @inline(__always)
    static func cubeRoot(_ x: Double) -> Double { cbrt(x) }

    @inline(__always)
    static func root(_ x: Double) -> Double { x.squareRoot() }
}
