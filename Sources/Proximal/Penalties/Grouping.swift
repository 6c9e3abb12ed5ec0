import Settings
import Torch

/// A partition of a tensor's elements: slices along one dimension, some neighbours to a group.
///
/// Of a convolution (`out × in × …`) or a linear map (`out × in`), `inputs` makes a group of all weights that read one
/// channel or feature, `outputs` of all that write one. Wider groups are heads of attention, or the columns that a
/// flattened channel has become.
public struct Grouping: Sendable, Equatable, Codable {
    /// The dimension of the slices.
    public enum Axis: String, Sendable, Codable, CaseIterable, SettingConvertible {
        /// Dimension 1: input channels, columns.
        case inputs
        /// Dimension 0: filters, rows.
        case outputs
        /// All elements in one group.
        case whole
    }

    /// The dimension of the slices.
    public var axis: Axis
    /// Neighbouring slices in one group, ≥ 1.
    public var width: Int

    /// Creates a grouping.
    public init(_ axis: Axis, width: Int = 1) { (self.axis, self.width) = (axis, width) }

    /// What is wrong with this grouping of a shape; nil where it fits.
    public func fault(for shape: [Int]) -> String? {
        switch axis {
        case .whole: return nil
        case .inputs where shape.count < 2:
            return "a tensor of shape \(shape) has no inputs to group: it needs two dimensions"
        case .outputs where shape.isEmpty: return "a number has no outputs to group"
        default:
            let slices = shape[axis == .inputs ? 1 : 0]
            return slices % width == 0 ? nil : "\(slices) slices are no whole number of groups of \(width)"
        }
    }

    /// Number of groups.
    public func count(in shape: [Int]) -> Int { split(shape).groups }

    /// Elements of one group.
    public func size(in shape: [Int]) -> Int { shape.reduce(1, *) / max(1, count(in: shape)) }

    /// `before × groups × within`: the shape in which the middle dimension counts groups.
    func split(_ shape: [Int]) -> (before: Int, groups: Int, within: Int) {
        if let fault = fault(for: shape) { fatalError(fault) }
        let dimension = axis == .inputs ? 1 : 0
        guard axis != .whole else { return (1, 1, shape.reduce(1, *)) }
        let groups = shape[dimension] / width
        return (
            shape[..<dimension].reduce(1, *), groups, width * shape[(dimension + 1)...].reduce(1, *)
        )
    }

    /// The elements as `before × groups × within`.
    func view(_ w: Tensor) -> Tensor {
        let (before, groups, within) = split(w.shape)
        return w.reshaped(before, groups, within)
    }

    /// Sums over each group of what ``view(_:)`` gave, `1 × groups × 1`.
    static func sums(_ view: Tensor) -> Tensor { view.sum(0, 2, keepingRank: true) }

    /// Each group's norm lowered by `threshold`, zero where it is below: block soft thresholding.
    func softThresholded(_ w: Tensor, _ threshold: Double) -> Tensor {
        let view = view(w)
        let norms = Self.sums(view.squared()).squareRoot()
        // Where nothing is kept the divisor does not matter; it only keeps 0/0 out.
        let divisor = norms.clamped(min: w.dtype == .float64 ? 1e-300 : 1e-37)
        return (view * ((norms - threshold).relu() / divisor)).reshaped(w.shape)
    }

    /// Euclidean norms of the groups, shape `groups`.
    public func norms(_ w: Tensor) -> Tensor { Self.sums(view(w).squared()).squareRoot().reshaped(-1) }

    /// Which groups have an element that is not zero, shape `groups`: by elements, since squares underflow.
    public func isActive(_ w: Tensor) -> [Bool] { view(w).absolute().max(0, 2).reshaped(-1).doubles().map { $0 > 0 } }
}
