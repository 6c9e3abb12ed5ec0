import Foundation
import Settings
import Torch

/// `Σ log(1 + exp(−y z))` with targets ±1, one column per class.
public struct LogisticLoss: Loss {
    /// Name on the command line.
    public static let name = "logistic"
    /// One line of help.
    public static let summary = "log(1 + exp(-y z)) for targets of -1 and 1, each class against the rest"
    /// Where the method was published.
    public static let citation = "Berkson, JASA 1944"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// How class labels become targets.
    public static let encoding = TargetEncoding.signs
    /// Probabilities near 0 and 1 leave little: measured as the best of five values on fifteen programs.
    public static let typicalCurvature = 1.0 / 15

    /// Creates the loss.
    public init() {}

    /// The summed loss.
    public func value(_ z: Tensor, _ y: Tensor) -> Double { softplus(-(z * y)).sumInDouble() }
    /// The gradient in `z`.
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { -(y * (-(z * y)).sigmoid()) }

    /// Newton steps on `m − m₀ − step·σ(−m)` for the margin `m = y z`.
    ///
    /// The function is convex below 0 and concave above, so that from the point of `[m₀, m₀ + step]` nearest to 0 the
    /// steps approach the root from one side and need no safeguard. Twelve reach round-off up to a step of 1e5.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let start = point * y
        let end = start + step
        var m = (-(-end).relu()).maximum(start)
        for _ in 0..<12 {
            let s = (-m).sigmoid()
            let residual = (m - start).adding(s, scaledBy: -step)
            let slope = (s - s.squared()) * step + 1
            m = (m - residual / slope).maximum(start).minimum(end)
        }
        return m * y
    }

    /// With `a = −η y ∈ [0, 1]`: `a log a + (1 − a) log(1 − a)`.
    public func conjugate(_ eta: Tensor, _ y: Tensor) -> Double {
        let a = (-(eta * y)).clamped(to: 0...1)
        return negativeEntropy(a).sumInDouble() + negativeEntropy(-a + 1).sumInDouble()
    }
}

/// `Σ log Σ_c exp(z_c) − z_y`: the cross-entropy of the softmax, one column per class.
public struct SoftmaxLoss: Loss {
    /// Name on the command line.
    public static let name = "softmax"
    /// One line of help.
    public static let summary = "cross-entropy of the softmax over classes"
    /// Where the method was published.
    public static let citation = "Bridle, NeurIPS 1989"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = []
    /// How class labels become targets.
    public static let encoding = TargetEncoding.simplex
    /// Probabilities near 0 and 1 leave little: measured as the best of five values on fifteen programs.
    public static let typicalCurvature = 1.0 / 15

    /// Creates the loss.
    public init() {}

    /// The summed loss.
    public func value(_ z: Tensor, _ y: Tensor) -> Double {
        z.logSumExp(1).sumInDouble() - z.dot(y)
    }
    /// The gradient in `z`.
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { z.softmax(1) - y }

    /// With `q = point + step·y` the probabilities `p = softmax(z)` solve `log p + step·p = q − λ`, where `λ` is the
    /// root of `Σ p(λ) = 1`.
    ///
    /// The sum is convex and decreasing in λ, so that Newton's method from its left rises to the root; the inner
    /// equation `x + exp x = b` for `x = log(step·p)` is convex and increasing and is solved from its right.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let q = point.adding(y, scaledBy: step)
        var b = q - q.max(1, keepingRank: true) + (step + Foundation.log(step))
        var x = b.clamped(min: 1).log().selecting(where: b.isAbove(1), otherwise: b)
        for iteration in 0..<16 {
            for _ in 0..<(iteration == 0 ? 5 : 3) {
                let e = x.exp()
                x = x - (x + e - b) / (e + 1)
            }
            let e = x.exp()
            let excess = e.sum(1, keepingRank: true) - step
            if excess.absolute().max().scalar <= 4 * q.dtype.epsilon * step { break }
            let slope = (e + 1).reciprocal()
            let move = excess / (e * slope).sum(1, keepingRank: true)
            b = b - move
            x = x - move * slope
        }
        return q - x.exp()
    }

    /// `Σ q log q` with `q = η + y` in the simplex.
    public func conjugate(_ eta: Tensor, _ y: Tensor) -> Double {
        negativeEntropy((eta + y).clamped(min: 0)).sumInDouble()
    }
}

/// `a log a`, 0 at 0.
private func negativeEntropy(_ a: Tensor) -> Tensor { a * a.clamped(min: 1e-37).log() }

/// `log(1 + exp(x))` without overflow.
private func softplus(_ x: Tensor) -> Tensor { x.relu() + (-x.absolute()).exp().log1p() }
