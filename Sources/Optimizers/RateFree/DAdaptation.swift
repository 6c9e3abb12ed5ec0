import Settings
import Torch

/// D-Adapted Adam (Defazio and Mishchenko 2023, Algorithm 5): the scale `d` of the rate is estimated while training.
///
/// `d` is a lower bound on the distance from the start to a solution. `lr` stays 1 unless a schedule lowers it.
public struct DAdaptAdam: RateFindingOptimizer {
    /// Name on the command line.
    public static let name = "dadapt_adam"
    /// One line of help.
    public static let summary = "Adam that finds its own learning rate"
    /// Where the method was published.
    public static let citation = "Defazio and Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .weightDecay(\.weightDecay),
        Setting("d0", \.d0, .above(0), "first estimate of the distance"),
        Setting("growth_rate", \.growthRate, .atLeast(1), "largest growth of d in one step"),
    ]

    /// Factor of the estimated rate.
    public var lr = 1.0
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// L2 penalty.
    public var weightDecay = 0.0
    /// First estimate of the distance.
    public var d0 = 1e-6
    /// Largest growth of d in one step.
    public var growthRate = 1e300

    /// Creates the default optimizer.
    public init() {}

    /// Moves all parameters; the estimate couples them.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        state.begin(parameters, gradients)
        let d = state.shared.numbers["d"] ?? d0
        let beta3 = betas[1].squareRoot()
        let rate = d * lr
        var (numerator, length) = (0.0, 0.0)
        for i in parameters.indices {
            let g = gradients[i].adding(weightDecay: weightDecay, of: parameters[i])
            let zero = { Tensor.zeros(like: g) }
            let m = (state.slots[i].take("exp_avg", zero()) * betas[0]).adding(g, scaledBy: rate * (1 - betas[0]))
            let old = state.slots[i].take("exp_avg_sq", zero())
            let s = state.slots[i].take("s", zero())
            // The numerator takes the sum and the scale as they were before this gradient.
            numerator += rate * g.dot(s / (old.squareRoot() + eps))
            let v = old.moved(towards: g.squared(), by: 1 - betas[1])
            let sum = (s * beta3).adding(g, scaledBy: rate * (1 - beta3))
            length += sum.absolute().sumInDouble()
            state.slots[i].tensors = ["exp_avg": m, "exp_avg_sq": v, "s": sum]
        }
        guard length > 0 else { return }
        let weighted = (state.shared.numbers["numerator"] ?? 0) * beta3 + numerator * (1 - beta3)
        state.shared.numbers["numerator"] = weighted
        let estimate = weighted / ((1 - beta3) * length)
        state.shared.numbers["d"] = lr > 0 ? max(d, min(estimate, d * growthRate)) : d
        for i in parameters.indices {
            let slot = state.slots[i].tensors
            guard let m = slot["exp_avg"], let v = slot["exp_avg_sq"] else { continue }
            parameters[i].add(m / (v.squareRoot() + eps), scaledBy: -1)
        }
    }
}

/// D-Adapted SGD (Defazio and Mishchenko 2023, Algorithm 4), with primal averaging as its momentum.
public struct DAdaptSGD: RateFindingOptimizer {
    /// Name on the command line.
    public static let name = "dadapt_sgd"
    /// One line of help.
    public static let summary = "SGD that finds its own learning rate"
    /// Where the method was published.
    public static let citation = "Defazio and Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 4"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .momentum(\.momentum), .weightDecay(\.weightDecay),
        Setting("d0", \.d0, .above(0), "first estimate of the distance"),
        Setting("growth_rate", \.growthRate, .atLeast(1), "largest growth of d in one step"),
    ]

    /// Factor of the estimated rate.
    public var lr = 1.0
    /// Decay rate of the average.
    public var momentum = 0.9
    /// L2 penalty.
    public var weightDecay = 0.0
    /// First estimate of the distance.
    public var d0 = 1e-6
    /// Largest growth of d in one step.
    public var growthRate = 1e300

    /// Creates the default optimizer.
    public init() {}

    /// Moves all parameters; the estimate couples them.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        state.begin(parameters, gradients)
        let g = parameters.indices.map { gradients[$0].adding(weightDecay: weightDecay, of: parameters[$0]) }
        let d = state.shared.numbers["d"] ?? d0
        let first = state.shared.numbers["g0_norm"] ?? g.reduce(0) { $0 + $1.squareSum }.squareRoot()
        guard first > 0 else { return }
        state.shared.numbers["g0_norm"] = first
        let rate = d * lr / first
        var numerator = state.shared.numbers["numerator"] ?? 0
        var square = 0.0
        for i in parameters.indices {
            var s = state.slots[i].take("s", Tensor.zeros(like: parameters[i]))
            numerator += rate * g[i].dot(s)
            s.add(g[i], scaledBy: rate)
            square += s.squareSum
            let x0 = state.slots[i].take("x0", parameters[i] + 0)
            parameters[i] = parameters[i].moved(towards: x0 - s, by: 1 - momentum)
            state.slots[i].tensors = ["s": s, "x0": x0]
        }
        state.shared.numbers["numerator"] = numerator
        let estimate = square > 0 ? 2 * numerator / square.squareRoot() : d
        state.shared.numbers["d"] = lr > 0 ? max(d, min(estimate, d * growthRate)) : d
    }
}

/// Prodigy (Mishchenko and Defazio 2024, Algorithm 4): D-Adaptation that weights later gradients more.
public struct Prodigy: RateFindingOptimizer {
    /// Name on the command line.
    public static let name = "prodigy"
    /// One line of help.
    public static let summary = "Adam that finds its own learning rate, faster than D-Adaptation"
    /// Where the method was published.
    public static let citation = "Mishchenko and Defazio, ICML 2024, arXiv:2306.06101, Algorithm 4"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .betas(\.betas), .eps(\.eps), .decoupledWeightDecay(\.weightDecay),
        Setting("d0", \.d0, .above(0), "first estimate of the distance"),
        Setting("d_coef", \.dCoef, .above(0), "factor of the estimate"),
        Setting("growth_rate", \.growthRate, .atLeast(1), "largest growth of d in one step"),
        Setting(
            "safeguard_warmup", \.safeguardWarmup, .flag,
            "keep the rate out of the estimate's denominator, for warm-ups"),
        Setting("slice_p", \.sliceP, .count(1), "estimate from every p-th entry of a tensor, with less memory"),
    ]

    /// Factor of the estimated rate.
    public var lr = 1.0
    /// Decay rates of the first and second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator, times d.
    public var eps = 1e-8
    /// Decoupled weight decay.
    public var weightDecay = 0.0
    /// First estimate of the distance.
    public var d0 = 1e-6
    /// Factor of the estimate.
    public var dCoef = 1.0
    /// Largest growth of d in one step.
    public var growthRate = 1e300
    /// Whether the rate stays out of the estimate's denominator, as suits a warm-up.
    public var safeguardWarmup = false
    /// Distance of the entries that the estimate looks at, in C order.
    public var sliceP = 1

    /// The entries that the estimate looks at.
    private func slice(_ x: Tensor) -> Tensor {
        guard sliceP > 1 else { return x }
        return x.reshaped(-1).gathering(Array(stride(from: 0, to: x.count, by: sliceP)))
    }

    /// Creates the default optimizer.
    public init() {}

    /// Moves all parameters; the estimate couples them.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        state.begin(parameters, gradients)
        guard lr > 0 else { return }
        var d = state.shared.numbers["d"] ?? d0
        let beta3 = betas[1].squareRoot()
        let rate = d * lr
        var numerator = (state.shared.numbers["numerator"] ?? 0) * beta3
        var denominator = 0.0
        for i in parameters.indices {
            let g = gradients[i]
            let zero = { Tensor.zeros(like: g) }
            let part = slice(g)
            let x0 = state.slots[i].take("x0", slice(parameters[i]) + 0)
            numerator += d / d0 * rate * part.dot(x0 - slice(parameters[i]))
            let m = (state.slots[i].take("exp_avg", zero()) * betas[0]).adding(g, scaledBy: d * (1 - betas[0]))
            let v = (state.slots[i].take("exp_avg_sq", zero()) * betas[1])
                .adding(g.squared(), scaledBy: d * d * (1 - betas[1]))
            let s = (state.slots[i].take("s", Tensor.zeros(like: part)) * beta3)
                .adding(part, scaledBy: d / d0 * (safeguardWarmup ? d : rate))
            denominator += s.absolute().sumInDouble()
            state.slots[i].tensors = ["x0": x0, "exp_avg": m, "exp_avg_sq": v, "s": s]
        }
        state.shared.numbers["numerator"] = numerator
        guard denominator > 0 else { return }
        let estimate = dCoef * numerator / denominator
        if d == d0 { d = max(d, estimate) }
        let largest = max(state.shared.numbers["d_max"] ?? d0, estimate)
        d = min(largest, d * growthRate)
        state.shared.numbers["d_max"] = largest
        state.shared.numbers["d"] = d
        for i in parameters.indices {
            let slot = state.slots[i].tensors
            guard let m = slot["exp_avg"], let v = slot["exp_avg_sq"] else { continue }
            parameters[i].scale(by: 1 - rate * weightDecay)
            parameters[i].add(m / (v.squareRoot() + d * eps), scaledBy: -rate)
        }
    }
}
