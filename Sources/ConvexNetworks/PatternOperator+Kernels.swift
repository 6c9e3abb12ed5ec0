import Torch

// The element-wise work of one chunk: fused kernels on the CPU, tensor operators elsewhere.

extension PatternOperator {
    /// `Σ_i D_i y_i`, or `(D ∘ y) A` for shared neurons.
    func contract(_ y: consuming Tensor, _ mask: Tensor, rows: Int) -> Tensor {
        if let directions = layout.directions { return masked(y, mask).thinProduct(directions) }
        let (p, c) = (layout.patterns, layout.outputs)
        guard usesKernels else {
            return (y.reshaped(rows, p, c) * mask.unsqueezed(2).to(y.dtype)).sum(1)
        }
        var result = Tensor.empty(like: y, shape: [rows, c])
        func run<T: KernelScalar>(_: T.Type, _ y: Tensor) {
            y.withPointer(T.self) { y in
                mask.withPointer(UInt8.self) { mask in
                    result.withMutablePointer(T.self) {
                        RowKernels.contract(y, mask, $0, rows: rows, patterns: p, outputs: c)
                    }
                }
            }
        }
        y.dtype == .float64 ? run(Double.self, y) : run(Float.self, y)
        return result
    }

    /// `(D_i r)_i`, or `D ∘ (r A')` for shared neurons.
    func expand(_ r: Tensor, _ mask: Tensor, rows: Int) -> Tensor {
        if let directions = layout.directions { return masked(r.thinProduct(directions.transposed()), mask) }
        return repeated(r, mask, rows: rows)
    }

    /// `expand` in full columns: the negative half gets the opposite sign.
    func signedExpand(_ r: Tensor, _ mask: Tensor, rows: Int) -> Tensor {
        guard layout.isSigned else { return expand(r, mask, rows: rows) }
        return repeated(Tensor.concatenate([r, -r], dimension: 1), mask, rows: rows)
    }

    private func repeated(_ r: Tensor, _ mask: Tensor, rows: Int) -> Tensor {
        let (p, c) = (layout.patterns, r.shape[1])
        guard usesKernels else {
            return (r.unsqueezed(1) * mask.unsqueezed(2).to(r.dtype)).reshaped(rows, p * c)
        }
        var result = Tensor.empty(like: r, shape: [rows, p * c])
        func run<T: KernelScalar>(_: T.Type) {
            r.withPointer(T.self) { r in
                mask.withPointer(UInt8.self) { mask in
                    result.withMutablePointer(T.self) {
                        RowKernels.expand(r, mask, $0, rows: rows, patterns: p, outputs: c)
                    }
                }
            }
        }
        r.dtype == .float64 ? run(Double.self) : run(Float.self)
        return result
    }

    private func masked(_ y: consuming Tensor, _ mask: Tensor) -> Tensor {
        guard usesKernels else { return y * mask.to(y.dtype) }
        let (rows, p) = (y.shape[0], layout.patterns)
        func run<T: KernelScalar>(_: T.Type, _ y: inout Tensor) {
            mask.withPointer(UInt8.self) { mask in
                y.withMutablePointer(T.self) { RowKernels.mask($0, mask, rows: rows, patterns: p) }
            }
        }
        if y.dtype == .float64 { run(Double.self, &y) } else { run(Float.self, &y) }
        return y
    }

    /// The columns that `F` sees, from products in full columns.
    func coupledProducts(_ y: consuming Tensor, rows: Int) -> Tensor {
        guard layout.isSigned else { return y }
        let split = y.reshaped(rows, layout.patterns, 2, layout.outputs)
        return (split.select(2, 0) - split.select(2, 1)).reshaped(rows, layout.coupledColumns)
    }

    /// Adds `r E |w|` to a chunk of the right-hand side.
    func addCone(_ piece: inout Tensor, _ w: Tensor, _ mask: Tensor, _ scale: Tensor, rows: Int) {
        let (p, b) = (layout.patterns, layout.columnsPerPattern)
        guard usesKernels else {
            let e = ((mask.to(w.dtype) * 2 - 1) * scale.unsqueezed(1)).unsqueezed(2)
            piece = piece + (w.absolute().reshaped(rows, p, b) * e).reshaped(rows, p * b)
            return
        }
        func run<T: KernelScalar>(_: T.Type, _ piece: inout Tensor) {
            w.withPointer(T.self) { w in
                mask.withPointer(UInt8.self) { mask in
                    scale.withPointer(T.self) { scale in
                        piece.withMutablePointer(T.self) {
                            RowKernels.addCone(w, mask, scale, $0, rows: rows, patterns: p, width: b)
                        }
                    }
                }
            }
        }
        if w.dtype == .float64 { run(Double.self, &piece) } else { run(Float.self, &piece) }
    }

    /// Updates the rows `range` of the cone variable from `y = X u`.
    func updateCone(
        _ y: Tensor, _ w: inout Tensor, _ mask: Tensor, _ range: Range<Int>, relaxation: Double
    ) -> ConeSums {
        let (p, b, rows) = (layout.patterns, layout.columnsPerPattern, range.count)
        let scale = rowScale.rows(range)
        guard usesKernels else {
            let e = ((mask.to(y.dtype) * 2 - 1) * scale.unsqueezed(1)).unsqueezed(2)
            let g = (y.reshaped(rows, p, b) * e).reshaped(rows, p * b)
            let old = w.rows(range)
            let s = old.relu()
            let new = g * relaxation + s * (1 - relaxation) + (old - s)
            w.setRows(from: range.lowerBound, to: new)
            let sNew = new.relu()
            return ConeSums(
                primal: (g - sNew).squareSum, change: (sNew - s).squareSum,
                size: g.squareSum, violation: (-g).relu().squareSum)
        }
        func run<T: KernelScalar>(_: T.Type, _ w: inout Tensor) -> ConeSums {
            y.withPointer(T.self) { y in
                mask.withPointer(UInt8.self) { mask in
                    scale.withPointer(T.self) { scale in
                        w.withMutablePointer(T.self) {
                            RowKernels.updateCone(
                                y, mask, scale, $0 + range.lowerBound * p * b, rows: rows, patterns: p, width: b,
                                relaxation: relaxation)
                        }
                    }
                }
            }
        }
        return y.dtype == .float64 ? run(Double.self, &w) : run(Float.self, &w)
    }
}

extension Tensor {
    /// Calls `body` with the elements in C order in host memory.
    fileprivate func withPointer<T: TensorElement, R>(_: T.Type, _ body: (UnsafePointer<T>) -> R) -> R {
        demand(dtype == T.dtype, "\(T.self) access to a \(dtype) tensor")
        return withBytes { body($0.baseAddress!.assumingMemoryBound(to: T.self)) }
    }

    /// Calls `body` with the writable elements in C order in host memory.
    fileprivate mutating func withMutablePointer<T: TensorElement, R>(
        _: T.Type, _ body: (UnsafeMutablePointer<T>) -> R
    ) -> R {
        demand(dtype == T.dtype, "\(T.self) access to a \(dtype) tensor")
        return withMutableBytes { body($0.baseAddress!.assumingMemoryBound(to: T.self)) }
    }
}
