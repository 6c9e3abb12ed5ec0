import Settings
import Torch

/// `λ ‖W‖_*`, the sum of singular values of a matrix.
public struct NuclearNormPenalty: ScaledPenalty {
    /// Name on the command line.
    public static let name = "nuclear"
    /// One line of help.
    public static let summary = "sum of singular values of matrices: the rank falls"
    /// Where the method was published.
    public static let citation = "Cai, Candès and Shen, SIAM J. Optim. 2010"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.strength]

    /// λ.
    public var strength = 1e-3

    /// Creates the default penalty.
    public init() {}

    /// Matrices.
    public func applies(to shape: [Int]) -> Bool { shape.count == 2 }

    /// Only matrices have singular values.
    public func fault(for shape: [Int]) -> String? {
        shape.count == 2 ? nil : "a tensor of shape \(shape) is no matrix"
    }

    /// `λ ‖W‖_*`
    public func value(_ w: Tensor) -> Double {
        guard let (_, s, _) = try? w.svd() else { return .nan }
        return strength * s.sumInDouble()
    }

    /// Singular value thresholding.
    public func prox(_ w: Tensor, step: Double) -> Tensor { Self.thresholded(w, step * strength).matrix }

    /// The thresholded matrix and its singular values, exact zeros included, largest first.
    ///
    /// From the eigenvectors of the Gram matrix of the smaller side, at a fraction of the cost of a singular value
    /// decomposition; in double precision where the threshold is small beside the largest singular value, whose square
    /// would drown it. Where it is smaller still it is a decomposition.
    public static func thresholded(_ w: Tensor, _ threshold: Double) -> (matrix: Tensor, singularValues: Tensor) {
        demand(w.rank == 2, "the nuclear norm is that of a matrix, not of a tensor of shape \(w.shape)")
        let isTall = w.shape[0] >= w.shape[1]
        let a = isTall ? w : w.transposed()
        let precise = threshold > 3e-3 * w.norm ? a : a.to(.float64)
        if let (values, vectors) = try? precise.transposedTimes(precise).symmetricEigen() {
            let s = values.clamped(min: 0).squareRoot()
            let largest = s.max().scalar
            if threshold > 1e-6 * largest || largest == 0 {
                let kept = (s - threshold).relu()
                let factors = kept / s.clamped(min: precise.dtype == .float64 ? 1e-300 : 1e-37)
                let map = (vectors * factors).times(vectors.transposed()).to(w.dtype)
                let product = a.times(map)
                let order = Array((0..<s.count).reversed())
                return (isTall ? product : product.transposed(), kept.gathering(order).to(w.dtype))
            }
        }
        guard let (u, s, v) = try? a.svd() else { return (w, Tensor.zeros(like: w, shape: [a.shape[1]])) }
        let kept = (s - threshold).relu()
        let product = (u * kept).times(v)
        return (isTall ? product : product.transposed(), kept)
    }
}
