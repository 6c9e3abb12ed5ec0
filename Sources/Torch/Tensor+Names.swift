// What a user of PyTorch or NumPy writes: subscripts, batched products, trigonometry.

extension Tensor {
    /// A view at one position of the first dimension, which disappears; from the end where it is negative.
    public subscript(index: Int) -> Tensor { select(0, index) }
    /// A view of a range of positions along the first dimension.
    public subscript(range: Range<Int>) -> Tensor { rows(range) }
    /// A view of a range of positions along the first two dimensions.
    public subscript(rows: Range<Int>, columns: Range<Int>) -> Tensor { self.rows(rows).columns(columns) }
    /// One element of a matrix, in double precision.
    public subscript(row: Int, column: Int) -> Double { select(0, row).select(0, column).to(.float64).scalar }

    /// The product of matrices in the last two dimensions, for each index of those before, which broadcast; as
    /// `torch.matmul`, products with vectors included.
    public func matmul(_ other: Tensor) -> Tensor { Op.matmul(.tensor(self), .tensor(other)) }

    /// The hyperbolic tangent of every element.
    public func tanh() -> Tensor { Op.tanh(.tensor(self)) }
    /// The sine of every element.
    public func sin() -> Tensor { Op.sin(.tensor(self)) }
    /// The cosine of every element.
    public func cos() -> Tensor { Op.cos(.tensor(self)) }
    /// The mean of all elements.
    public func mean() -> Tensor { mean(Array(0..<rank)) }
}
