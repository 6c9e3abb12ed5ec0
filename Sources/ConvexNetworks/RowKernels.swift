import Dispatch
import Torch

// The element-wise work between two matrix products, fused into one pass over a chunk of rows that is still in
// cache. LibTorch would take one pass for each operation. On other devices `PatternOperator` composes tensor
// operators instead; a test compares the two.

/// A float type that the kernels are specialised for.
protocol KernelScalar: BinaryFloatingPoint, TensorElement {}
extension Float: KernelScalar {}
extension Double: KernelScalar {}

/// Sums that a cone update reports.
struct ConeSums {
    /// `‖Gu − s‖²` after the update.
    var primal = 0.0
    /// `‖s − s_previous‖²`
    var change = 0.0
    /// `‖Gu‖²`
    var size = 0.0
    /// `‖min(Gu, 0)‖²`: how far `u` leaves its cones.
    var violation = 0.0

    static func += (a: inout ConeSums, b: ConeSums) {
        a.primal += b.primal
        a.change += b.change
        a.size += b.size
        a.violation += b.violation
    }
}

enum RowKernels {
    /// Runs `body` on slices of `0..<rows`, one a thread.
    static func parallel(_ rows: Int, _ body: @Sendable (Range<Int>, Int) -> Void) {
        let threads = max(1, min(Runtime.threads, rows / 16))
        guard threads > 1 else { return body(0..<rows, 0) }
        DispatchQueue.concurrentPerform(iterations: threads) { t in
            body(rows * t / threads..<rows * (t + 1) / threads, t)
        }
    }

    /// `out[j, c] = Σ_i D[j, i] y[j, i, c]` for `y` of shape rows × P × C.
    static func contract<T: KernelScalar>(
        _ y: UnsafePointer<T>, _ mask: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<T>, rows: Int, patterns: Int,
        outputs: Int
    ) {
        nonisolated(unsafe) let (y, mask, out) = (y, mask, out)
        parallel(rows) { range, _ in
            for j in range {
                let result = out + j * outputs
                for c in 0..<outputs { result[c] = 0 }
                for i in 0..<patterns where mask[j * patterns + i] != 0 {
                    let source = y + (j * patterns + i) * outputs
                    for c in 0..<outputs { result[c] += source[c] }
                }
            }
        }
    }

    /// `out[j, i, c] = D[j, i] r[j, c]`.
    static func expand<T: KernelScalar>(
        _ r: UnsafePointer<T>, _ mask: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<T>, rows: Int, patterns: Int,
        outputs: Int
    ) {
        nonisolated(unsafe) let (r, mask, out) = (r, mask, out)
        parallel(rows) { range, _ in
            for j in range {
                let source = r + j * outputs
                for i in 0..<patterns {
                    let target = out + (j * patterns + i) * outputs
                    if mask[j * patterns + i] != 0 {
                        for c in 0..<outputs { target[c] = source[c] }
                    } else {
                        for c in 0..<outputs { target[c] = 0 }
                    }
                }
            }
        }
    }

    /// `y[j, i] = D[j, i] y[j, i]` in place.
    static func mask<T: KernelScalar>(
        _ y: UnsafeMutablePointer<T>, _ mask: UnsafePointer<UInt8>, rows: Int, patterns: Int
    ) {
        nonisolated(unsafe) let (y, mask) = (y, mask)
        parallel(rows) { range, _ in
            for k in range.lowerBound * patterns..<range.upperBound * patterns {
                y[k] = mask[k] != 0 ? y[k] : 0
            }
        }
    }

    /// `out[j, i, b] += scale[j] E[j, i] |w[j, i, b]|`: the cone part of the right-hand side, `s − ν = |w|`.
    static func addCone<T: KernelScalar>(
        _ w: UnsafePointer<T>, _ mask: UnsafePointer<UInt8>, _ scale: UnsafePointer<T>,
        _ out: UnsafeMutablePointer<T>, rows: Int, patterns: Int, width: Int
    ) {
        nonisolated(unsafe) let (w, mask, scale, out) = (w, mask, scale, out)
        parallel(rows) { range, _ in
            for j in range {
                for i in 0..<patterns {
                    let k = j * patterns + i
                    let e = mask[k] != 0 ? scale[j] : -scale[j]
                    for b in k * width..<(k + 1) * width { out[b] += e * w[b].magnitude }
                }
            }
        }
    }

    /// The over-relaxed cone update `w ← α Gu + (1 − α) max(w, 0) + min(w, 0)` with `Gu = scale E y`.
    static func updateCone<T: KernelScalar>(
        _ y: UnsafePointer<T>, _ mask: UnsafePointer<UInt8>, _ scale: UnsafePointer<T>,
        _ w: UnsafeMutablePointer<T>, rows: Int, patterns: Int, width: Int, relaxation: Double
    ) -> ConeSums {
        let threads = max(1, Runtime.threads)
        let partial = UnsafeMutablePointer<ConeSums>.allocate(capacity: threads)
        partial.initialize(repeating: ConeSums(), count: threads)
        defer { partial.deallocate() }
        nonisolated(unsafe) let (y, mask, scale, w, sums) = (y, mask, scale, w, partial)
        let alpha = T(relaxation)
        parallel(rows) { range, thread in
            var total = ConeSums()
            for j in range {
                // Sums in the working type over one row, in double over rows: exact enough and vectorisable.
                var primal: T = 0
                var change: T = 0
                var size: T = 0
                var violation: T = 0
                for i in 0..<patterns {
                    let k = j * patterns + i
                    let e = mask[k] != 0 ? scale[j] : -scale[j]
                    for b in k * width..<(k + 1) * width {
                        let g = e * y[b]
                        let old = w[b]
                        let s = old > 0 ? old : 0
                        let new = alpha * g + (1 - alpha) * s + (old - s)
                        w[b] = new
                        let sNew = new > 0 ? new : 0
                        let below = g < 0 ? g : 0
                        primal += (g - sNew) * (g - sNew)
                        change += (sNew - s) * (sNew - s)
                        size += g * g
                        violation += below * below
                    }
                }
                total += ConeSums(
                    primal: Double(primal), change: Double(change), size: Double(size), violation: Double(violation))
            }
            sums[thread] = total
        }
        return (0..<threads).reduce(into: ConeSums()) { $0 += partial[$1] }
    }
}
