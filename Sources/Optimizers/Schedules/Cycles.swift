import Foundation
import Settings

/// One rise to the base rate and one fall; the length is the run's.
public struct OneCycleSchedule: Schedule {
    /// Name on the command line.
    public static let name = "one_cycle"
    /// One line of help.
    public static let summary = "rises to the base rate and falls far below its start"
    /// Where it comes from.
    public static let citation = "Smith and Topin 2019, arXiv:1708.07120; torch.optim.lr_scheduler.OneCycleLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("pct_start", \.riseShare, .decay, "share of the run that rises"),
        Setting("div_factor", \.initialDivisor, .above(0), "base rate over the first one"),
        Setting("final_div_factor", \.finalDivisor, .above(0), "first rate over the last one"),
        Setting("anneal_strategy", \.annealing, .oneOf(["cos", "linear"]), "shape of rise and fall"),
        Setting("three_phase", \.hasThreePhases, .flag, "fall back to the first rate before the last fall"),
    ]

    /// Share of the run that rises.
    public var riseShare = 0.3
    /// Base rate over the first one.
    public var initialDivisor = 25.0
    /// First rate over the last one.
    public var finalDivisor = 1e4
    /// Shape of rise and fall.
    public var annealing = "cos"
    /// Fall back to the first rate before the last fall.
    public var hasThreePhases = false

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        let first = base / initialDivisor
        let last = first / finalDivisor
        let peak = riseShare * total - 1
        let corners: [(time: Double, rate: Double)] =
            hasThreePhases
            ? [(0, first), (peak, base), (2 * peak, first), (total - 1, last)]
            : [(0, first), (peak, base), (total - 1, last)]
        guard let next = corners.firstIndex(where: { $0.time >= time && $0.time > 0 }) else { return last }
        let (start, end) = (corners[max(0, next - 1)], corners[next])
        let share = end.time > start.time ? (time - start.time) / (end.time - start.time) : 1
        return annealing == "cos"
            ? end.rate + (start.rate - end.rate) * (1 + cos(.pi * share)) / 2
            : start.rate + (end.rate - start.rate) * share
    }
}

/// SGDR: `η_min + (η_max − η_min)(1 + cos(π T_cur / T_i)) / 2`, with `T_i` growing by `T_mult` at each restart.
public struct WarmRestarts: Schedule {
    /// Name on the command line.
    public static let name = "cosine_restarts"
    /// One line of help.
    public static let summary = "cosines that start again, each longer than the last"
    /// Where it comes from.
    public static let citation = "Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983, equation 5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("T_0", \.firstLength, .above(0), "length of the first cosine"),
        Setting("T_mult", \.growth, .count(1), "factor from one length to the next"),
        Setting("eta_min", \.minimum, .atLeast(0), "rate at the end of each"),
    ]

    /// Length of the first cosine.
    public var firstLength = 10.0
    /// Factor from one length to the next.
    public var growth = 1.0
    /// Rate at the end of each.
    public var minimum = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        var start = 0.0
        var length = firstLength
        if growth == 1 {
            start = (time / length).rounded(.down) * length
        } else {
            // Times of restart are T₀ (Tᵏ − 1) / (T − 1).
            let k = (Foundation.log(time / firstLength * (growth - 1) + 1) / Foundation.log(growth) + 1e-12)
                .rounded(.down)
            start = firstLength * (pow(growth, k) - 1) / (growth - 1)
            length = firstLength * pow(growth, k)
        }
        return minimum + (base - minimum) * (1 + cos(.pi * (time - start) / length)) / 2
    }
}
