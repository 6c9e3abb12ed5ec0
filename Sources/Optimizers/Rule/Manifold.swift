import Settings
import Torch

/// A set that a parameter stays on; without one it is free.
///
/// A rule takes the tangential part of a gradient before the optimizer reads it, and the nearest point of the set behind
/// every step, average and trial point. Momenta are not transported: what of them leaves the tangent space goes with the
/// next projection (projected steps; Absil, Mahony and Sepulchre 2008, sections 3.6 and 4.1).
public protocol Manifold: Configurable {
    /// The nearest point of the set.
    func projected(_ point: Tensor) -> Tensor
    /// The part of a gradient that lies in the tangent space at a point of the set.
    func tangential(_ gradient: Tensor, at point: Tensor) -> Tensor
    /// What is wrong with this set for a shape; nil where it fits.
    func fault(for shape: [Int]) -> String?
}

extension Manifold {
    /// Every shape fits.
    public func fault(for shape: [Int]) -> String? { nil }
}

/// The manifolds by name.
public enum ManifoldCatalogue {
    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any Manifold>("manifold", [Sphere.self, Stiefel.self])
}

/// All elements together have one norm.
public struct Sphere: Manifold {
    /// Name in settings.
    public static let name = "sphere"
    /// One line of help.
    public static let summary = "all elements together have a norm of the radius"
    /// Where it is described.
    public static let citation = "Absil, Mahony and Sepulchre 2008, section 3.6.1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [Setting("radius", \.radius, .above(0), "the norm")]

    /// The norm.
    public var radius = 1.0

    /// Creates the unit sphere.
    public init() {}

    /// `r x / ‖x‖`; zero becomes a point with equal elements.
    public func projected(_ point: Tensor) -> Tensor {
        let norm = point.norm
        guard norm > 0 else { return point + radius / Double(max(1, point.count)).squareRoot() }
        return point * (radius / norm)
    }

    /// `g − ⟨g, x⟩ x / ‖x‖²`
    public func tangential(_ gradient: Tensor, at point: Tensor) -> Tensor {
        gradient.adding(point, scaledBy: -gradient.dot(point) / max(point.squareSum, 1e-300))
    }
}

/// Matrices with orthonormal columns, or orthonormal rows where they are wider than high.
public struct Stiefel: Manifold {
    /// Name in settings.
    public static let name = "stiefel"
    /// One line of help.
    public static let summary = "matrices with orthonormal columns; with orthonormal rows where they are wide"
    /// Where it is described.
    public static let citation = "Edelman, Arias and Smith, SIAM J. Matrix Anal. Appl. 1998, arXiv:physics/9806030"
    /// It has no hyperparameters.
    public static let settings: [Setting<Self>] = []

    /// Creates the manifold.
    public init() {}

    /// Matrices alone.
    public func fault(for shape: [Int]) -> String? { shape.count == 2 ? nil : "is for matrices, not \(shape)" }

    /// The polar factor `U V'` of `U Σ V'`.
    public func projected(_ point: Tensor) -> Tensor {
        // Where the numbers are none the run ends at its next check.
        guard let (u, _, vTransposed) = try? point.svd() else { return point }
        return u.times(vTransposed)
    }

    /// `G − X sym(X' G)`
    public func tangential(_ gradient: Tensor, at point: Tensor) -> Tensor {
        let isWide = point.shape[0] < point.shape[1]
        let (x, g) = isWide ? (point.transposed(), gradient.transposed()) : (point, gradient)
        let inner = x.transposedTimes(g)
        let tangent = g - x.times(inner + inner.transposed()) * 0.5
        return isWide ? tangent.transposed().contiguous() : tangent
    }
}

extension UpdateRule {
    /// The parameters, each on its manifold.
    func onManifolds(_ parameters: [Tensor]) -> [Tensor] {
        guard !manifolds.isEmpty else { return parameters }
        var result = parameters
        for (place, manifold) in manifolds { result[place] = manifold.projected(result[place]) }
        return result
    }

    /// The tangential parts of gradients at parameters.
    func tangential(_ gradients: [Tensor], at parameters: [Tensor]) -> [Tensor] {
        var result = gradients
        for (place, manifold) in manifolds {
            result[place] = manifold.tangential(result[place], at: parameters[place])
        }
        return result
    }
}
