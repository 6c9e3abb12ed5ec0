// Element-wise arithmetic, reductions and comparisons. Shapes broadcast as in NumPy.

extension Tensor {
    /// The element-wise sum.
    public static func + (a: Tensor, b: Tensor) -> Tensor { Op.add(.tensor(a), .tensor(b)) }
    /// The element-wise difference.
    public static func - (a: Tensor, b: Tensor) -> Tensor { Op.sub(.tensor(a), .tensor(b)) }
    /// The element-wise product.
    public static func * (a: Tensor, b: Tensor) -> Tensor { Op.mul(.tensor(a), .tensor(b)) }
    /// The element-wise quotient.
    public static func / (a: Tensor, b: Tensor) -> Tensor { Op.div(.tensor(a), .tensor(b)) }
    /// Adds a number to every element.
    public static func + (a: Tensor, b: Double) -> Tensor { Op.addScalar(.tensor(a), .double(a.dtype.rounded(b))) }
    /// Subtracts a number from every element.
    public static func - (a: Tensor, b: Double) -> Tensor { Op.addScalar(.tensor(a), .double(a.dtype.rounded(-b))) }
    /// Multiplies every element by a number.
    public static func * (a: Tensor, b: Double) -> Tensor { Op.mulScalar(.tensor(a), .double(a.dtype.rounded(b))) }
    /// Multiplies every element by a number.
    public static func * (a: Double, b: Tensor) -> Tensor { b * a }
    /// Divides every element by a number.
    public static func / (a: Tensor, b: Double) -> Tensor { Op.mulScalar(.tensor(a), .double(a.dtype.rounded(1 / b))) }
    /// The negated elements.
    public static prefix func - (a: Tensor) -> Tensor { Op.neg(.tensor(a)) }

    /// Returns `self + scale * other` in one pass.
    public func adding(_ other: Tensor, scaledBy scale: Double) -> Tensor {
        Op.add(.tensor(self), .tensor(other), .double(dtype.rounded(scale)))
    }

    /// Adds `scale * other` in place when nothing else shares the storage.
    public mutating func add(_ other: Tensor, scaledBy scale: Double = 1) {
        makeExclusive()
        _ = Op.addInPlace(.tensor(self), .tensor(other), .double(dtype.rounded(scale)))
    }

    /// Multiplies by a number in place when nothing else shares the storage.
    public mutating func scale(by factor: Double) {
        makeExclusive()
        _ = Op.mulInPlaceScalar(.tensor(self), .double(dtype.rounded(factor)))
    }

    /// Adds the matrix product `a b` in place when nothing else shares the storage.
    public mutating func addProduct(_ a: Tensor, _ b: Tensor) {
        makeExclusive()
        _ = Op.addmmInPlace(.tensor(self), .tensor(a), .tensor(b))
    }

    /// Overwrites the rows from `start` on with `rows`, in place when nothing else shares the storage.
    public mutating func setRows(from start: Int, to rows: Tensor) {
        makeExclusive()
        let target = Op.narrow(.tensor(self), .int(0), .int(start), .int(rows.shape[0]))
        _ = Op.copyInPlace(.tensor(target), .tensor(rows))
    }

    /// The absolute values.
    public func absolute() -> Tensor { Op.abs(.tensor(self)) }
    /// The exponentials.
    public func exp() -> Tensor { Op.exp(.tensor(self)) }
    /// The natural logarithms.
    public func log() -> Tensor { Op.log(.tensor(self)) }
    /// The values of log(1 + x).
    public func log1p() -> Tensor { Op.log1p(.tensor(self)) }
    /// The square roots.
    public func squareRoot() -> Tensor { Op.sqrt(.tensor(self)) }
    /// The squares.
    public func squared() -> Tensor { Op.square(.tensor(self)) }
    /// The powers `xᵉ`.
    public func power(_ exponent: Double) -> Tensor { Op.powScalar(.tensor(self), .double(dtype.rounded(exponent))) }
    /// The signs: -1, 0 or 1.
    public func sign() -> Tensor { Op.sign(.tensor(self)) }
    /// The logistic function.
    public func sigmoid() -> Tensor { Op.sigmoid(.tensor(self)) }
    /// The reciprocals.
    public func reciprocal() -> Tensor { Op.reciprocal(.tensor(self)) }
    /// The positive part max(x, 0).
    public func relu() -> Tensor { Op.relu(.tensor(self)) }
    /// The elements, at least `minimum`.
    public func clamped(min minimum: Double) -> Tensor { Op.clampMin(.tensor(self), .double(dtype.rounded(minimum))) }
    /// The elements within `range`.
    public func clamped(to range: ClosedRange<Double>) -> Tensor {
        Op.clamp(
            .tensor(self), .double(dtype.rounded(range.lowerBound)),
            .double(dtype.rounded(range.upperBound)))
    }
    /// The element-wise maximum.
    public func maximum(_ other: Tensor) -> Tensor { Op.maximum(.tensor(self), .tensor(other)) }
    /// The element-wise minimum.
    public func minimum(_ other: Tensor) -> Tensor { Op.minimum(.tensor(self), .tensor(other)) }

    /// Element-wise `self >= number`, as `bool`.
    public func isAtLeast(_ number: Double) -> Tensor { Op.geScalar(.tensor(self), .double(dtype.rounded(number))) }
    /// Element-wise `self > number`, as `bool`.
    public func isAbove(_ number: Double) -> Tensor { Op.gtScalar(.tensor(self), .double(dtype.rounded(number))) }
    /// Element-wise `self == other`, as `bool`.
    public func isEqual(to other: Tensor) -> Tensor { Op.eq(.tensor(self), .tensor(other)) }
    /// Elements of `self` where `mask` holds, else of `other`.
    public func selecting(where mask: Tensor, otherwise other: Tensor) -> Tensor {
        Op.whereOp(.tensor(mask), .tensor(self), .tensor(other))
    }

    /// The sum of all elements.
    public func sum() -> Tensor { Op.sumAll(.tensor(self)) }
    /// The sum over some dimensions.
    public func sum(_ dimensions: Int..., keepingRank: Bool = false) -> Tensor {
        Op.sum(.tensor(self), .ints(dimensions), .bool(keepingRank))
    }
    /// The mean over some dimensions.
    public func mean(_ dimensions: Int..., keepingRank: Bool = false) -> Tensor {
        mean(dimensions, keepingRank: keepingRank)
    }
    /// The mean over some dimensions.
    public func mean(_ dimensions: [Int], keepingRank: Bool = false) -> Tensor {
        Op.mean(.tensor(self), .ints(dimensions), .bool(keepingRank))
    }
    /// The largest element over some dimensions; over all when none is named. Minus infinity where there is none.
    public func max(_ dimensions: Int..., keepingRank: Bool = false) -> Tensor {
        extreme(Op.amax, dimensions, keepingRank, ofNone: -.infinity)
    }
    /// The smallest element over some dimensions; over all when none is named. Infinity where there is none.
    public func min(_ dimensions: Int..., keepingRank: Bool = false) -> Tensor {
        extreme(Op.amin, dimensions, keepingRank, ofNone: .infinity)
    }
    /// The engine refuses to look for the largest of no elements, which data can bring about.
    private func extreme(_ op: Operator, _ dimensions: [Int], _ keepingRank: Bool, ofNone: Double) -> Tensor {
        guard count == 0, dtype.isFloatingPoint else {
            return op(.tensor(self), .ints(dimensions), .bool(keepingRank))
        }
        return Op.sum(.tensor(self), .ints(dimensions), .bool(keepingRank)) + ofNone
    }
    /// Index of the largest element along a dimension, `int64`.
    public func argmax(_ dimension: Int) -> Tensor { Op.argmax(.tensor(self), .int(dimension)) }
    /// log Σ exp along a dimension, without overflow.
    public func logSumExp(_ dimension: Int, keepingRank: Bool = false) -> Tensor {
        Op.logsumexp(.tensor(self), .ints([dimension]), .bool(keepingRank))
    }
    /// The softmax along a dimension.
    public func softmax(_ dimension: Int) -> Tensor { Op.softmax(.tensor(self), .int(dimension)) }

    /// Sum of products of corresponding elements, accumulated in double precision for tensors of any float type.
    public func dot(_ other: Tensor) -> Double {
        if dtype.isComplex, other.dtype == dtype { return viewAsReal().dot(other.viewAsReal()) }
        guard mayUseBlocks, dtype == other.dtype, shape == other.shape, device == other.device
        else { return (self * other).sumInDouble() }
        return zip(blocks, other.blocks).reduce(0) { $0 + Op.dot(.tensor($1.0), .tensor($1.1)).scalar }
    }
    /// Sum of all elements, accumulated in double precision.
    public func sumInDouble() -> Double {
        guard mayUseBlocks, dtype == .float32 else { return Op.sumAll(.tensor(self), .dtype(.float64)).scalar }
        return blocks.reduce(0) { $0 + Op.sumAll(.tensor($1)).scalar }
    }
    /// Sum of the squares of all elements, accumulated in double precision.
    public var squareSum: Double {
        if dtype.isComplex { return viewAsReal().squareSum }
        guard mayUseBlocks else { return squared().sumInDouble() }
        return blocks.reduce(0) { $0 + Op.dot(.tensor($1), .tensor($1)).scalar }
    }
    /// The Euclidean norm of all elements.
    public var norm: Double { squareSum.squareRoot() }

    private var mayUseBlocks: Bool { device.kind == .cpu && (dtype == .float32 || dtype == .float64) }

    /// The elements in double precision, in pieces that stay in the cache: LibTorch's own sum of another type is scalar
    /// code, forty times slower.
    private var blocks: some Sequence<Tensor> {
        let flat = contiguous().reshaped(-1)
        let (total, size) = (flat.count, 1 << 18)
        return stride(from: 0, to: total, by: size).lazy.map { start in
            (total <= size ? flat : flat.rows(start..<Swift.min(total, start + size))).to(.float64)
        }
    }
    /// Whether every element is finite.
    public var isFinite: Bool {
        // The test makes copies of what it looks at, which large tensors should not pay for at once.
        guard rank > 0, count > 16_000_000 else {
            return Op.all(.tensor(Op.isfinite(.tensor(self)))).to(.float64).scalar != 0
        }
        let step = Swift.max(1, shape[0] * 8_000_000 / count)
        return stride(from: 0, to: shape[0], by: step).allSatisfy { start in
            let part = rows(start..<Swift.min(shape[0], start + step))
            return Op.all(.tensor(Op.isfinite(.tensor(part)))).to(.float64).scalar != 0
        }
    }
}
