import CKernels
import Dispatch
import Torch

/// Whole steps under a group lasso in a diagonal metric, in one pass over memory, on the CPU.
package enum GroupKernels {
    @TaskLocal private static var isEnabled = true

    /// Runs `body` with composed operators only.
    package static func disabled<R>(_ body: () throws -> R) rethrows -> R {
        try $isEnabled.withValue(false, operation: body)
    }

    /// Whether the kernels take this tensor.
    package static func covers(_ tensor: Tensor) -> Bool {
        isEnabled && tensor.device.kind == .cpu && (tensor.dtype == .float32 || tensor.dtype == .float64)
            && tensor.count > 0
    }

    /// Norms before the first step.
    package static func noNorms(_ w: Tensor, _ grouping: Grouping) -> Tensor {
        Tensor.zeros(like: w, shape: [grouping.count(in: w.shape)])
    }

    /// The minimiser of `½ ⟨v, D ∘ v⟩ − ⟨z, v⟩ + τ Σ ‖v_g‖`.
    static func minimise(_ z: Tensor, _ d: Tensor, _ grouping: Grouping, threshold τ: Double) -> Tensor {
        var v = [Tensor.empty(like: z, shape: z.shape)]
        var norms = noNorms(z, grouping)
        if z.dtype == .float64 {
            run(Double.self, grouping, &v, [z, d], &norms) { groups, v, x, norms, scratch in
                ck_group_prox_f64(v[0], x[0], x[1], groups, τ, norms, scratch)
            }
        } else {
            run(Float.self, grouping, &v, [z, d], &norms) { groups, v, x, norms, scratch in
                ck_group_prox_f32(v[0], x[0], x[1], groups, Float(τ), norms, scratch)
            }
        }
        return v[0]
    }

    /// A step along a mean or a sum of gradients: RMDA and ProxSGD.
    ///
    /// - Parameters:
    ///   - tensors: parameter and mean m; moved out by the caller.
    ///   - start: where the step begins; nil for the parameter itself.
    ///   - numbers: factors of m and of the gradient in the new m, the metric D, factor of m in the step.
    ///   - norms: as for ``ramda(_:_:start:_:threshold:share:weight:eps:norms:)``.
    package static func mean(
        _ tensors: inout [Tensor], _ gradient: Tensor, start: Tensor?, _ grouping: Grouping, threshold τ: Double,
        share: Double, numbers: [Double], norms: inout Tensor
    ) {
        let reads = [gradient] + (start.map { [$0] } ?? [])
        if gradient.dtype == .float64 {
            run(Double.self, grouping, &tensors, reads, &norms) { groups, w, x, norms, scratch in
                let start = x.count > 1 ? x[1] : UnsafePointer(w[0])
                ck_group_mean_f64(w[0], x[0], w[1], start, groups, τ, share, numbers, norms, scratch)
            }
        } else {
            let single = numbers.map(Float.init)
            run(Float.self, grouping, &tensors, reads, &norms) { groups, w, x, norms, scratch in
                let start = x.count > 1 ? x[1] : UnsafePointer(w[0])
                ck_group_mean_f32(w[0], x[0], w[1], start, groups, Float(τ), Float(share), single, norms, scratch)
            }
        }
    }

    /// A step of RAMDA: the sums V and U take the gradient with weight s, the parameter moves to the minimiser.
    ///
    /// - Parameters:
    ///   - tensors: parameter, V and U; moved out by the caller, so that they are written in place.
    ///   - start: W⁰.
    ///   - share: c, the share of the minimiser in the new parameter.
    ///   - norms: those of the minimiser's groups one step before, from which the search begins; ``noNorms(_:_:)`` first.
    package static func ramda(
        _ tensors: inout [Tensor], _ gradient: Tensor, start: Tensor, _ grouping: Grouping, threshold τ: Double,
        share: Double, weight: Double, eps: Double, norms: inout Tensor
    ) {
        let numbers = [weight, eps]
        if gradient.dtype == .float64 {
            run(Double.self, grouping, &tensors, [gradient, start], &norms) { groups, w, x, norms, scratch in
                ck_group_ramda_f64(w[0], x[0], w[1], w[2], x[1], groups, τ, share, numbers, norms, scratch)
            }
        } else {
            let single = numbers.map(Float.init)
            run(Float.self, grouping, &tensors, [gradient, start], &norms) { groups, w, x, norms, scratch in
                ck_group_ramda_f32(w[0], x[0], w[1], w[2], x[1], groups, Float(τ), Float(share), single, norms, scratch)
            }
        }
    }

    /// A proximal step of Adam.
    ///
    /// - Parameters:
    ///   - tensors: parameter, first and second moment; moved out by the caller.
    ///   - numbers: β₁, 1 − β₁, β₂, 1 − β₂, factor of √v, ε, factor of the parameter, factor of m.
    ///   - norms: as for ``ramda(_:_:start:_:threshold:share:weight:eps:norms:)``.
    package static func adam(
        _ tensors: inout [Tensor], _ gradient: Tensor, _ grouping: Grouping, threshold τ: Double, numbers: [Double],
        norms: inout Tensor
    ) {
        if gradient.dtype == .float64 {
            run(Double.self, grouping, &tensors, [gradient], &norms) { groups, w, x, norms, scratch in
                ck_group_adam_f64(w[0], x[0], w[1], w[2], groups, τ, numbers, norms, scratch)
            }
        } else {
            let single = numbers.map(Float.init)
            run(Float.self, grouping, &tensors, [gradient], &norms) { groups, w, x, norms, scratch in
                ck_group_adam_f32(w[0], x[0], w[1], w[2], groups, Float(τ), single, norms, scratch)
            }
        }
    }

    private typealias Body<T> =
        @Sendable (
            ck_groups, [UnsafeMutablePointer<T>], [UnsafePointer<T>], _ norms: UnsafeMutablePointer<T>,
            _ scratch: UnsafeMutablePointer<T>
        ) -> Void

    /// Runs `body` on ranges of groups, one a thread.
    private static func run<T: TensorElement>(
        _: T.Type, _ grouping: Grouping, _ writes: inout [Tensor], _ reads: [Tensor],
        _ norms: inout Tensor, _ body: Body<T>
    ) {
        let shape = writes[0].shape
        for tensor in writes + reads {
            demand(tensor.shape == shape && tensor.dtype == T.dtype, "\(tensor.shape) with \(shape)")
        }
        let (before, groups, within) = grouping.split(shape)
        let contiguous = reads.map { $0.contiguous() }
        withExtendedLifetime(contiguous) {
            nonisolated(unsafe) let sources = contiguous.map { tensor in
                tensor.withBytes { UnsafePointer($0.baseAddress!.assumingMemoryBound(to: T.self)) }
            }
            nonisolated(unsafe) let targets = writes.indices.map { index in
                writes[index].withMutableBytes { $0.baseAddress!.assumingMemoryBound(to: T.self) }
            }
            nonisolated(unsafe) let norms = norms.withMutableBytes {
                $0.baseAddress!.assumingMemoryBound(to: T.self)
            }
            let bytes = MemoryLayout<T>.stride
            let tile = ck_group_tile(before, groups, within, bytes)
            let scratch = ck_group_scratch(before, groups, within, bytes)
            let tiles = (groups + tile - 1) / tile
            let threads = max(1, min(Runtime.threads, tiles, writes[0].count / 32_768))
            @Sendable func work(_ t: Int) {
                let first = tiles * t / threads * tile
                let last = min(groups, tiles * (t + 1) / threads * tile)
                withUnsafeTemporaryAllocation(of: T.self, capacity: scratch) { memory in
                    body(
                        ck_groups(before: before, groups: groups, within: within, first: first, last: last), targets,
                        sources, norms, memory.baseAddress!)
                }
            }
            if threads == 1 { work(0) } else { DispatchQueue.concurrentPerform(iterations: threads, execute: work) }
        }
    }
}
