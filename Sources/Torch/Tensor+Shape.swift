// Creation, conversion, views and indexing.

extension Tensor {
    /// Creates a tensor of zeros.
    public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
        Op.zeros(.ints(shape), .dtype(dtype), .none, .device(device))
    }
    /// Creates a tensor of zeros with the type and device of another, and its shape unless one is given.
    public static func zeros(like other: Tensor, shape: [Int]? = nil) -> Tensor {
        zeros(shape ?? other.shape, dtype: other.dtype, device: other.device)
    }
    /// Creates a tensor with undefined elements, of the type and device of another.
    public static func empty(like other: Tensor, shape: [Int]) -> Tensor {
        Op.empty(.ints(shape), .dtype(other.dtype), .none, .device(other.device))
    }
    /// Creates a tensor filled with one number.
    public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
        Op.full(.ints(shape), .double(dtype.rounded(value)), .dtype(dtype), .none, .device(device))
    }
    /// Creates the identity matrix of `count` rows.
    public static func identity(_ count: Int, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
        Op.eye(.int(count), .dtype(dtype), .none, .device(device))
    }
    /// Creates standard normal numbers from the engine's generator: seed it with `Runtime.seed`.
    public static func randomNormal(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
        // Drawn in double precision on the host, so that types and devices see the same numbers.
        Op.randn(.ints(shape), .dtype(.float64)).to(dtype).to(device: device)
    }
    /// Creates a random permutation of `0..<count`, `int64`.
    public static func randomPermutation(_ count: Int) -> Tensor { Op.randperm(.int(count), .dtype(.int64)) }
    /// Creates the integers `0..<count`, `int64`.
    public static func range(_ count: Int, device: Device = .cpu) -> Tensor {
        Op.arange(.int(count), .dtype(.int64), .none, .device(device))
    }

    /// Joins tensors along an existing dimension.
    public static func concatenate(_ tensors: [Tensor], dimension: Int) -> Tensor {
        Op.cat(.tensors(tensors), .int(dimension))
    }
    /// Joins tensors along a new dimension.
    public static func stack(_ tensors: [Tensor], dimension: Int) -> Tensor {
        Op.stack(.tensors(tensors), .int(dimension))
    }

    /// Converts the element type; returns the same storage when it already fits.
    ///
    /// - Precondition: numbers with an imaginary part stay such: take ``real`` or ``imaginary`` first.
    public func to(_ dtype: DType) -> Tensor {
        demand(!self.dtype.isComplex || dtype.isComplex, "\(self.dtype) to \(dtype) loses imaginary parts")
        return dtype == self.dtype ? self : Op.to(.tensor(self), .dtype(dtype))
    }
    /// Moves to a device; returns the same storage when already there.
    public func to(device: Device) -> Tensor {
        if device.kind == self.device.kind, device.index < 0 || device.index == self.device.index { return self }
        return Op.toDevice(.tensor(self), .device(device), .dtype(dtype))
    }
    /// Returns the elements in C order without gaps.
    public func contiguous() -> Tensor { isContiguous ? self : Op.contiguous(.tensor(self)) }

    /// Returns the same elements in another shape; one length may be -1.
    public func reshaped(_ shape: Int...) -> Tensor { Op.reshape(.tensor(self), .ints(shape)) }
    /// Returns the same elements in another shape; one length may be -1.
    public func reshaped(_ shape: [Int]) -> Tensor { Op.reshape(.tensor(self), .ints(shape)) }
    /// Swaps two dimensions.
    public func transposed(_ first: Int = 0, _ second: Int = 1) -> Tensor {
        Op.transpose(.tensor(self), .int(first), .int(second))
    }
    /// Reorders the dimensions.
    public func permuted(_ order: Int...) -> Tensor { Op.permute(.tensor(self), .ints(order)) }
    /// Inserts a dimension of length 1.
    public func unsqueezed(_ dimension: Int) -> Tensor { Op.unsqueeze(.tensor(self), .int(dimension)) }
    /// Repeats dimensions of length 1 without copying.
    public func expanded(_ shape: Int...) -> Tensor { Op.expand(.tensor(self), .ints(shape)) }
    /// A view of `range` along the first dimension.
    public func rows(_ range: Range<Int>) -> Tensor {
        Op.narrow(.tensor(self), .int(0), .int(range.lowerBound), .int(range.count))
    }
    /// A view of `range` along the second dimension.
    public func columns(_ range: Range<Int>) -> Tensor {
        Op.narrow(.tensor(self), .int(1), .int(range.lowerBound), .int(range.count))
    }
    /// A view at one position of a dimension; the dimension disappears.
    public func select(_ dimension: Int, _ index: Int) -> Tensor {
        Op.select(.tensor(self), .int(dimension), .int(index))
    }
    /// Copies the given positions along a dimension.
    public func gathering(_ indices: [Int], dimension: Int = 0) -> Tensor {
        let index = Tensor(indices.map(Int64.init)).to(device: device)
        return Op.indexSelect(.tensor(self), .int(dimension), .tensor(index))
    }
    /// Copies the positions in an `int64` tensor along a dimension.
    public func gathering(_ indices: Tensor, dimension: Int = 0) -> Tensor {
        Op.indexSelect(.tensor(self), .int(dimension), .tensor(indices))
    }
    /// A view of the main diagonal.
    public var diagonal: Tensor { Op.diagonal(.tensor(self)) }
    /// One-hot rows of `int64` labels in `0..<classes`, `int64`.
    public func oneHot(_ classes: Int) -> Tensor { Op.oneHot(.tensor(self), .int(classes)) }
}
