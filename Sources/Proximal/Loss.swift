import Settings
import Torch

/// A convex loss `L(z, y) = Σ_j ℓ(z_j, y_j)` over rows, without a factor 1/n.
///
/// Predictions `z` and targets `y` are `n × C`. A solver needs the value, the gradient, the proximal operator and
/// the convex conjugate; from these follow the ADMM split `z = Fu` and the dual bound.
public protocol Loss: Configurable {
    /// How class labels become targets.
    static var encoding: TargetEncoding { get }
    /// Whether targets may be any real numbers, as in regression.
    static var acceptsValues: Bool { get }
    /// A typical second derivative near a solution: solvers scale their step parameters by it.
    static var typicalCurvature: Double { get }

    /// The summed loss.
    func value(_ z: Tensor, _ y: Tensor) -> Double
    /// The gradient in `z`; a subgradient where the loss has a kink.
    func gradient(_ z: Tensor, _ y: Tensor) -> Tensor
    /// `argmin_z L(z, y) + ‖z − point‖² / (2 step)`.
    func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor
    /// The conjugate `L*(η) = sup_z ⟨η, z⟩ − L(z, y)`. `eta` must be `t` times a (sub)gradient with `0 ≤ t ≤ 1`.
    func conjugate(_ eta: Tensor, _ y: Tensor) -> Double
}

extension Loss {
    /// Most losses are for class labels.
    public static var acceptsValues: Bool { false }
    /// That of a quadratic.
    public static var typicalCurvature: Double { 1 }
}

/// How class labels become the columns of the target matrix.
public enum TargetEncoding: Sendable {
    /// Two classes: one column of −1 and 1. More: one column per class of 0 and 1.
    case oneHot
    /// Two classes: one column of −1 and 1. More: one column per class of −1 and 1.
    case signs
    /// One column per class of 0 and 1, for two classes too.
    case simplex
    /// Real targets.
    case values
}

/// The losses by name. A new loss is one file and one line here.
public enum LossCatalogue {
    /// The entries, to which a user's own may be added; other names are those of `descent train` and PyTorch.
    public static let catalogue = Catalogue<any Loss>(
        "loss", [SquaredLoss.self, SoftmaxLoss.self, LogisticLoss.self, HingeLoss.self, HuberLoss.self],
        synonyms: ["mse": "squared", "cross_entropy": "softmax", "bce": "logistic"])

    /// All losses, with their default settings.
    public static var all: [any Loss] { catalogue.all.compactMap { $0.init() as? any Loss } }

    /// Finds a loss by its name, or by that of PyTorch.
    public static func named(_ name: String) -> (any Loss)? { try? catalogue.make(name) }
}

/// `½ Σ (z − y)²`, the loss of the CRONOS paper.
public struct SquaredLoss: Loss {
    /// Name on the command line.
    public static let name = "squared"
    /// One line of help.
    public static let summary = "half the sum of squared differences"
    /// Where the method was published.
    public static let citation = "Gauss 1809"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// How class labels become targets.
    public static let encoding = TargetEncoding.oneHot
    /// Whether targets may be any real numbers.
    public static let acceptsValues = true

    /// Creates the loss.
    public init() {}

    /// The summed loss.
    public func value(_ z: Tensor, _ y: Tensor) -> Double { 0.5 * (z - y).squareSum }
    /// The gradient in `z`.
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { z - y }
    /// The proximal operator.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        (point + y * step) * (1 / (1 + step))
    }
    /// The convex conjugate.
    public func conjugate(_ eta: Tensor, _ y: Tensor) -> Double {
        0.5 * eta.squareSum + eta.dot(y)
    }
}

/// `Σ max(0, 1 − y z)` with targets ±1, one column per class.
public struct HingeLoss: Loss {
    /// Name on the command line.
    public static let name = "hinge"
    /// One line of help.
    public static let summary = "max(0, 1 - y z) for targets of -1 and 1, each class against the rest"
    /// Where the method was published.
    public static let citation = "Cortes and Vapnik, Machine Learning 1995"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// How class labels become targets.
    public static let encoding = TargetEncoding.signs

    /// Creates the loss.
    public init() {}

    /// The summed loss.
    public func value(_ z: Tensor, _ y: Tensor) -> Double { (-(z * y) + 1).relu().sumInDouble() }
    /// The gradient in `z`.
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor {
        -(y * (-(z * y) + 1).isAbove(0).to(y.dtype))
    }
    /// The proximal operator.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let margin = -(point * y) + 1
        return point + y * margin.clamped(to: 0...step)
    }
    /// The convex conjugate.
    public func conjugate(_ eta: Tensor, _ y: Tensor) -> Double { eta.dot(y) }
}

/// `Σ h(z − y)` with `h(r) = r²/2` for `|r| ≤ δ` and `δ|r| − δ²/2` beyond: squared near, absolute far.
public struct HuberLoss: Loss {
    /// Name on the command line.
    public static let name = "huber"
    /// One line of help.
    public static let summary = "squared for small residuals, absolute beyond delta: regression with outliers"
    /// Where the method was published.
    public static let citation = "Huber, Annals of Mathematical Statistics 1964"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("delta", \.delta, .above(0), "residual at which it turns from squares to absolute values")
    ]
    /// How class labels become targets.
    public static let encoding = TargetEncoding.oneHot
    /// Whether targets may be any real numbers.
    public static let acceptsValues = true

    /// Residual at which the loss turns from quadratic to linear; > 0.
    public var delta = 1.0

    /// Creates the loss.
    public init() {}

    /// Creates the loss with a residual δ > 0.
    public init(delta: Double) { self.delta = delta }

    /// The summed loss.
    public func value(_ z: Tensor, _ y: Tensor) -> Double {
        let r = (z - y).absolute()
        let near = r.clamped(to: 0...delta)
        return (near.squared() * 0.5 + (r - near) * delta).sumInDouble()
    }
    /// The gradient in `z`.
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { (z - y).clamped(to: -delta...delta) }
    /// The proximal operator.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let r = point - y
        // The quadratic branch shrinks by 1/(1 + step); beyond δ(1 + step) the move is the constant step·δ.
        return point - (r * (step / (1 + step))).clamped(to: -(step * delta)...(step * delta))
    }
    /// The convex conjugate.
    public func conjugate(_ eta: Tensor, _ y: Tensor) -> Double {
        0.5 * eta.squareSum + eta.dot(y)
    }
}
