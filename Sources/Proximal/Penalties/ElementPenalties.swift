import Foundation
import Settings
import Torch

/// `λ ‖w‖₁`
public struct L1Penalty: ScaledPenalty, DiagonalPenalty, SubdifferentiablePenalty {
    /// Name on the command line.
    public static let name = "l1"
    /// One line of help.
    public static let summary = "sum of magnitudes: single weights become zero"
    /// Where the method was published.
    public static let citation = "Tibshirani, JRSS B 1996"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.strength]

    /// λ.
    public var strength = 1e-3

    /// Creates the default penalty.
    public init() {}

    /// `λ ‖w‖₁`
    public func value(_ w: Tensor) -> Double { strength * w.absolute().sumInDouble() }

    /// Soft thresholding.
    public func prox(_ w: Tensor, step: Double) -> Tensor { w.softThresholded(strength * step) }

    /// Soft thresholding of `z`, over D.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        z.softThresholded(strength * step) / metric
    }

    /// Distance of `−g` from `λ ∂‖w‖₁`.
    public func distanceToSubdifferential(_ g: Tensor, at w: Tensor) -> Double {
        let active = (g + w.sign() * strength).selecting(
            where: w.absolute().isAbove(0), otherwise: g.softThresholded(strength))
        return active.norm
    }
}

/// `½ λ ‖w‖²`
public struct SquaredL2Penalty: ScaledPenalty, DiagonalPenalty, SubdifferentiablePenalty {
    /// Name on the command line.
    public static let name = "squared_l2"
    /// One line of help.
    public static let summary = "half the sum of squares: weight decay"
    /// Where the method was published.
    public static let citation = "Hoerl and Kennard, Technometrics 1970"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [.strength]

    /// λ.
    public var strength = 1e-3

    /// Creates the default penalty.
    public init() {}

    /// `½ λ ‖w‖²`
    public func value(_ w: Tensor) -> Double { 0.5 * strength * w.squareSum }

    /// `w / (1 + step λ)`
    public func prox(_ w: Tensor, step: Double) -> Tensor { w / (1 + step * strength) }

    /// `z / (D + step λ)`
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor { z / (metric + step * strength) }

    /// `‖g + λ w‖`
    public func distanceToSubdifferential(_ g: Tensor, at w: Tensor) -> Double { g.adding(w, scaledBy: strength).norm }
}

/// `λ (α ‖w‖₁ + ½ (1 − α) ‖w‖²)`
public struct ElasticNetPenalty: ScaledPenalty, DiagonalPenalty, SubdifferentiablePenalty {
    /// Name on the command line.
    public static let name = "elastic_net"
    /// One line of help.
    public static let summary = "a mixture of l1 and squared l2"
    /// Where the method was published.
    public static let citation = "Zou and Hastie, JRSS B 2005"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .strength, Setting("l1_ratio", \.l1Ratio, .share, "share α of the l1 part"),
    ]

    /// λ.
    public var strength = 1e-3
    /// Share α of the ℓ1 part.
    public var l1Ratio = 0.5

    /// Creates the default penalty.
    public init() {}

    private var thresholds: (l1: Double, l2: Double) { (strength * l1Ratio, strength * (1 - l1Ratio)) }

    /// `λ (α ‖w‖₁ + ½ (1 − α) ‖w‖²)`
    public func value(_ w: Tensor) -> Double {
        thresholds.l1 * w.absolute().sumInDouble() + 0.5 * thresholds.l2 * w.squareSum
    }

    /// Soft thresholding, then shrinking.
    public func prox(_ w: Tensor, step: Double) -> Tensor {
        w.softThresholded(step * thresholds.l1) / (1 + step * thresholds.l2)
    }

    /// Soft thresholding of `z`, over `D + step λ (1 − α)`.
    public func prox(_ z: Tensor, metric: Tensor, step: Double) -> Tensor {
        z.softThresholded(step * thresholds.l1) / (metric + step * thresholds.l2)
    }

    /// Distance of `−g` from the subdifferential.
    public func distanceToSubdifferential(_ g: Tensor, at w: Tensor) -> Double {
        var l1 = L1Penalty()
        l1.strength = thresholds.l1
        return l1.distanceToSubdifferential(g.adding(w, scaledBy: thresholds.l2), at: w)
    }
}

extension Tensor {
    /// `sign(w) max(|w| − threshold, 0)`
    func softThresholded(_ threshold: Double) -> Tensor { sign() * (absolute() - threshold).relu() }
}
