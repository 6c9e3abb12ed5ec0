// Complex numbers within a module, and Fourier transforms. Parameters, gradients and files stay real.

/// What a Fourier transform is divided by: with ``orthonormal`` it keeps norms, and its adjoint is its inverse.
public enum FourierNorm: String, Sendable {
    /// Nothing; the inverse by the number of elements. PyTorch's `backward`.
    case inverse = "backward"
    /// The root of the number of elements, both ways. PyTorch's `ortho`.
    case orthonormal = "ortho"
    /// The number of elements; the inverse by nothing. PyTorch's `forward`.
    case forward
}

extension Tensor {
    /// Pairs in the last dimension, of length 2, as complex numbers: `… × 2` to `…`.
    public func viewAsComplex() -> Tensor { Op.viewAsComplex(.tensor(contiguous())) }
    /// Complex numbers as pairs of real and imaginary parts: `…` to `… × 2`.
    public func viewAsReal() -> Tensor { Op.viewAsReal(.tensor(Op.resolveConj(.tensor(self)))) }
    /// Complex numbers of their parts.
    public static func complex(_ real: Tensor, _ imaginary: Tensor) -> Tensor {
        stack([real, imaginary], dimension: real.rank).viewAsComplex()
    }
    /// The real parts.
    public var real: Tensor { Op.real(.tensor(self)) }
    /// The imaginary parts.
    ///
    /// - Precondition: the tensor is complex.
    public var imaginary: Tensor { Op.resolveNeg(.tensor(Op.imag(.tensor(self)))) }
    /// The complex conjugates.
    public func conjugated() -> Tensor { Op.conj(.tensor(self)) }
    /// The angles of complex numbers, in (−π, π].
    public func angle() -> Tensor { Op.angle(.tensor(self)) }

    /// `Σ conj(aᵢ) bᵢ`, the Hermitian inner product of all elements, in double precision.
    public func hermitianDot(_ other: Tensor) -> (real: Double, imaginary: Double) {
        let (a, b) = (viewAsReal().reshaped(-1, 2), other.viewAsReal().reshaped(-1, 2))
        let (ar, ai) = (a.columns(0..<1), a.columns(1..<2))
        let (br, bi) = (b.columns(0..<1), b.columns(1..<2))
        return (ar.dot(br) + ai.dot(bi), ar.dot(bi) - ai.dot(br))
    }

    /// Dimensions as an argument: none stand for all.
    private static func over(_ dimensions: [Int]) -> Value { dimensions.isEmpty ? .none : .ints(dimensions) }

    /// The discrete Fourier transform over some dimensions, or all when none is named; complex.
    public func fft(_ dimensions: Int..., norm: FourierNorm = .inverse) -> Tensor {
        Op.fft(.tensor(self), .none, Self.over(dimensions), .string(norm.rawValue))
    }
    /// The inverse of ``fft(_:norm:)``.
    public func inverseFFT(_ dimensions: Int..., norm: FourierNorm = .inverse) -> Tensor {
        Op.inverseFFT(.tensor(self), .none, Self.over(dimensions), .string(norm.rawValue))
    }
    /// The Fourier transform of real numbers: the half that the other follows from, along the last of the dimensions.
    public func realFFT(_ dimensions: Int..., norm: FourierNorm = .inverse) -> Tensor {
        Op.realFFT(.tensor(self), .none, Self.over(dimensions), .string(norm.rawValue))
    }
    /// The inverse of ``realFFT(_:norm:)``.
    ///
    /// - Parameter lengths: of the result in those dimensions, since odd and even ones have one half.
    public func inverseRealFFT(_ dimensions: Int..., lengths: [Int], norm: FourierNorm = .inverse) -> Tensor {
        Op.inverseRealFFT(.tensor(self), .ints(lengths), Self.over(dimensions), .string(norm.rawValue))
    }
    /// Moves the zero frequency to the middle of some dimensions; of all when none is named.
    public func fftShifted(_ dimensions: Int...) -> Tensor { Op.fftShift(.tensor(self), Self.over(dimensions)) }
    /// The inverse of ``fftShifted(_:)``.
    public func inverseFFTShifted(_ dimensions: Int...) -> Tensor {
        Op.inverseFFTShift(.tensor(self), Self.over(dimensions))
    }

    /// The parts along a dimension, which disappears.
    public func unbound(_ dimension: Int = 0) -> [Tensor] {
        do {
            return try Op.unbind.call([.tensor(self), .int(dimension)]).map { value in
                guard case .tensor(let part) = value else { fatalError("unbind gives tensors") }
                return part
            }
        } catch {
            Runtime.fail(error)
        }
    }
}
