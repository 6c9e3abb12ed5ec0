// Products, factorisations and triangular solves.

extension Tensor {
    /// The matrix product.
    public func times(_ other: Tensor) -> Tensor { Op.mm(.tensor(self), .tensor(other)) }

    /// The matrix product `self' other`.
    public func transposedTimes(_ other: Tensor) -> Tensor { Op.mm(.tensor(transposed()), .tensor(other)) }

    /// The lower Cholesky factor of a symmetric positive definite matrix.
    ///
    /// - Throws: `TorchError` naming the failing leading minor when the matrix is not positive definite.
    public func cholesky() throws(TorchError) -> Tensor {
        let results = try Op.choleskyEx.call([.tensor(self)])
        guard case .tensor(let factor) = results[0], case .tensor(let info) = results[1] else {
            throw TorchError(operation: "cholesky", operands: [summary], message: "unexpected results")
        }
        let minor = Int(info.to(.float64).scalar)
        guard minor == 0 else {
            throw TorchError(
                operation: "cholesky", operands: [summary],
                message: "the leading minor of order \(minor) is not positive definite")
        }
        return factor
    }

    /// Solves `L L' x = rhs` where `self` is the lower factor L.
    ///
    /// Two triangular solves: LAPACK's own routine takes ten times as long where `rhs` has few columns.
    public func choleskySolve(_ rhs: Tensor) -> Tensor {
        lowerTriangularSolve(lowerTriangularSolve(rhs), transposedFactor: true)
    }

    /// Solves `L x = rhs` where `self` is the lower triangular L; `L' x = rhs` when `transposedFactor`.
    public func lowerTriangularSolve(_ rhs: Tensor, transposedFactor: Bool = false) -> Tensor {
        Op.solveTriangular(
            .tensor(transposedFactor ? transposed() : self), .tensor(rhs), .bool(transposedFactor))
    }

    /// Eigenvalues in ascending order and orthonormal eigenvectors (columns) of a symmetric matrix.
    ///
    /// - Throws: `TorchError` when the iteration fails or the matrix holds NaN.
    public func symmetricEigen() throws(TorchError) -> (values: Tensor, vectors: Tensor) {
        try pair(Op.eigh, [.tensor(self)])
    }

    /// The reduced QR factorisation.
    ///
    /// - Throws: `TorchError` when the engine refuses the matrix.
    public func qr() throws(TorchError) -> (q: Tensor, r: Tensor) {
        let (q, r) = try pair(Op.qr, [.tensor(self)])
        return (q, r)
    }

    /// The reduced singular value decomposition `U diag(s) V'`.
    ///
    /// - Throws: `TorchError` when the iteration fails.
    public func svd() throws(TorchError) -> (u: Tensor, s: Tensor, vTransposed: Tensor) {
        let results = try Op.svd.call([.tensor(self), .bool(false)])
        guard results.count == 3, case .tensor(let u) = results[0], case .tensor(let s) = results[1],
            case .tensor(let v) = results[2]
        else { throw TorchError(operation: "svd", operands: [summary], message: "unexpected results") }
        return (u, s, v)
    }

    private func pair(_ op: Operator, _ arguments: [Value]) throws(TorchError) -> (Tensor, Tensor) {
        let results = try op.call(arguments)
        guard results.count == 2, case .tensor(let first) = results[0], case .tensor(let second) = results[1] else {
            throw TorchError(operation: op.name, operands: [summary], message: "unexpected results")
        }
        return (first, second)
    }
}
