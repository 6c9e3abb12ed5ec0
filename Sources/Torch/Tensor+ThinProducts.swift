/// Products of a tall matrix with a thin one, which solvers repeat by the thousand.
///
/// LibTorch multiplies with MKL, which packs the tall factor anew each time and slows down greatly below some twenty
/// columns. oneDNN, the other library inside LibTorch, does not, and is taken where it is the faster one: float32 on a
/// CPU. The choice depends on shapes alone, so that a run repeats to the bit. Neither way has derivatives.
extension Tensor {
    private static let linear = Operator(ifKnown: "mkldnn::_linear_pointwise")

    /// `self · otherᵀ` by oneDNN.
    private func linear(_ other: Tensor) -> Tensor? {
        Self.linear?(.tensor(self), .tensor(other), .none, .string("none"), .tensors([]), .string(""))
    }

    private func mayBeThin(_ other: Tensor, rows: Int) -> Bool {
        device.kind == .cpu && dtype == .float32 && other.dtype == .float32 && rank == 2 && other.rank == 2
            && rows >= 1024
    }

    /// `self · other`, as `times`, for many rows here and few columns there.
    public func thinProduct(_ other: Tensor) -> Tensor {
        let (depth, columns) = (shape[1], other.shape[1])
        guard mayBeThin(other, rows: shape[0]), columns > 1, depth > 1, columns <= 16 || depth <= 16 || depth >= 128,
            let result = linear(other.transposed())
        else { return times(other) }
        return result
    }

    /// Adds `rowsᵀ · other`, for many rows and few columns of `other`.
    ///
    /// - Parameter copy: `rowsᵀ` in C order, which makes it twice as fast; see ``gainsFromCopy``.
    public mutating func addThinProduct(transposed rows: Tensor, _ other: Tensor, copy: Tensor? = nil) {
        let (depth, columns) = (rows.shape[1], other.shape[1])
        guard rows.mayBeThin(other, rows: rows.shape[0]), columns > 1 else {
            return addProduct(rows.transposed(), other)
        }
        if let copy, let result = copy.linear(other.transposed()) { return add(result) }
        guard columns <= 16 || depth >= 200 && columns <= 64 || depth >= 2000,
            let result = other.transposed().linear(rows.transposed())
        else { return addProduct(rows.transposed(), other) }
        add(result.transposed())
    }

    /// Whether products with the transpose gain from a copy of it.
    public var gainsFromCopy: Bool { mayBeThin(self, rows: shape[0]) && shape[1] >= 64 && Self.linear != nil }
}
