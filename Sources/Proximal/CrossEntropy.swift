import Torch

/// `Σ log(1 + exp(−y z))` with targets ±1, one column per class.
public struct LogisticLoss: Loss {
    public static let name = "logistic"
    public static let summary = "log(1 + exp(-y z)) for targets of -1 and 1, each class against the rest"
    public static let encoding = TargetEncoding.signs

    /// Creates the loss.
    public init() {}

    public func value(_ z: Tensor, _ y: Tensor) -> Double { softplus(-(z * y)).sumInDouble() }
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { -(y * (-(z * y)).sigmoid()) }

    /// Safeguarded Newton steps on `m − m₀ − step·σ(−m)` for the margin `m = y z`. The root lies in `[m₀, m₀ + step]`.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        let start = point * y
        var low = start
        var high = start + step
        var m = start.adding((-start).sigmoid(), scaledBy: step / (1 + step / 4))
        for _ in 0..<12 {
            let s = (-m).sigmoid()
            let residual = (m - start).adding(s, scaledBy: -step)
            let positive = residual.isAbove(0)
            high = m.selecting(where: positive, otherwise: high)
            low = low.selecting(where: positive, otherwise: m)
            let slope = (s - s.squared()) * step + 1
            m = (m - residual / slope).maximum(low).minimum(high)
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
    public static let name = "softmax"
    public static let summary = "cross-entropy of the softmax over classes"
    public static let encoding = TargetEncoding.simplex

    /// Creates the loss.
    public init() {}

    public func value(_ z: Tensor, _ y: Tensor) -> Double {
        z.logSumExp(1).sumInDouble() - z.dot(y)
    }
    public func gradient(_ z: Tensor, _ y: Tensor) -> Tensor { z.softmax(1) - y }

    /// Damped Newton steps per row. The Hessian `1/step + diag(p) − pp'` is inverted by Sherman–Morrison.
    public func prox(_ point: Tensor, _ y: Tensor, step: Double) -> Tensor {
        var z = point
        for iteration in 0..<30 {
            let p = z.softmax(1)
            let g = (z - point) * (1 / step) + p - y
            // The rows decouple, so one bad row costs the others only time.
            if iteration >= 3, g.absolute().max().scalar <= 20 * z.dtype.epsilon * max(1, 1 / step) { break }
            let inverse = (p + 1 / step).reciprocal()
            let ig = inverse * g
            let ip = inverse * p
            let denominator = -(p * ip).sum(1, keepingRank: true) + 1
            let delta = ig + ip * ((p * ig).sum(1, keepingRank: true) / denominator)
            // The third derivative is bounded by the second along δ: a step of length ≤ 2 stays in Newton's basin.
            let length = delta.absolute().max(1, keepingRank: true)
            z = z - delta * (length.clamped(min: 2).reciprocal() * 2)
        }
        return z
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
