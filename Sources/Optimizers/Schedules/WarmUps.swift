import Foundation
import Settings

/// A schedule that rises along a line at first and then takes a course of a given length.
public protocol WarmedSchedule: Schedule {
    /// Length of a linear rise at first.
    var warmup: Double { get set }
    /// Factor of the rate when it begins.
    var warmupStart: Double { get set }
    /// Length of the course, warm-up not counted; 0 for the rest of the run.
    var length: Double { get set }
    /// The rate when a share of the course, in [0, 1], is done.
    func rate(atShare share: Double, base: Double) -> Double
}

extension WarmedSchedule {
    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        guard time >= warmup else { return base * (warmupStart + (1 - warmupStart) * time / warmup) }
        let end = length > 0 ? length : max(1, total - warmup)
        return rate(atShare: min(1, (time - warmup) / end), base: base)
    }
}

extension Setting where Root: WarmedSchedule {
    fileprivate static var warmUp: [Setting] {
        [
            Setting("warmup", \.warmup, .atLeast(0), "length of a linear rise at first"),
            Setting("warmup_start", \.warmupStart, .share, "factor of the rate when it begins"),
        ]
    }

    fileprivate static func length(_ name: String) -> Setting {
        Setting(name, \.length, .atLeast(0), "length of the fall, warm-up not counted; 0 for the rest of the run")
    }
}

/// A line from `start_factor · base` to `end_factor · base`, behind a warm-up.
public struct LinearSchedule: WarmedSchedule {
    /// Name on the command line.
    public static let name = "linear"
    /// One line of help.
    public static let summary = "falls, or rises, along a line"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.LinearLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        Setting.warmUp + [
            Setting("start_factor", \.startFactor, .atLeast(0), "factor when the line begins"),
            Setting("end_factor", \.endFactor, .atLeast(0), "factor when it ends"),
            .length("total_iters"),
        ]

    /// Length of a linear rise at first.
    public var warmup = 0.0
    /// Factor of the rate when it begins.
    public var warmupStart = 0.0
    /// Factor when the line begins.
    public var startFactor = 1.0
    /// Factor when it ends.
    public var endFactor = 0.0
    /// Length of the fall, warm-up not counted; 0 for the rest of the run.
    public var length = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate when a share of the course is done.
    public func rate(atShare share: Double, base: Double) -> Double {
        base * (startFactor + (endFactor - startFactor) * share)
    }
}

/// Half a cosine from `base` to `eta_min`, behind a warm-up.
public struct CosineSchedule: WarmedSchedule {
    /// Name on the command line.
    public static let name = "cosine"
    /// One line of help.
    public static let summary = "falls along half a cosine"
    /// Where it comes from.
    public static let citation = "Loshchilov and Hutter, ICLR 2017, arXiv:1608.03983, equation 5 without restarts"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        Setting.warmUp + [
            Setting("eta_min", \.minimum, .atLeast(0), "rate at the end"),
            .length("T_max"),
        ]

    /// Length of a linear rise at first.
    public var warmup = 0.0
    /// Factor of the rate when it begins.
    public var warmupStart = 0.0
    /// Rate at the end.
    public var minimum = 0.0
    /// Length of the fall, warm-up not counted; 0 for the rest of the run.
    public var length = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate when a share of the course is done.
    public func rate(atShare share: Double, base: Double) -> Double {
        minimum + (base - minimum) * (1 + cos(.pi * share)) / 2
    }
}

/// `base · (1 − t / end)^power`, behind a warm-up.
public struct PolynomialSchedule: WarmedSchedule {
    /// Name on the command line.
    public static let name = "polynomial"
    /// One line of help.
    public static let summary = "falls to zero along a power of the time left"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.PolynomialLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] =
        Setting.warmUp + [
            Setting("power", \.power, .atLeast(0), "the power"),
            .length("total_iters"),
        ]

    /// Length of a linear rise at first.
    public var warmup = 0.0
    /// Factor of the rate when it begins.
    public var warmupStart = 0.0
    /// The power.
    public var power = 1.0
    /// Length of the fall, warm-up not counted; 0 for the rest of the run.
    public var length = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate when a share of the course is done.
    public func rate(atShare share: Double, base: Double) -> Double {
        base * pow(1 - share, power)
    }
}

/// `base · min(t / warmup, √(warmup / t))`.
public struct InverseSquareRootSchedule: Schedule {
    /// Name on the command line.
    public static let name = "inverse_sqrt"
    /// One line of help.
    public static let summary = "falls with the root of time, behind a linear rise"
    /// Where it comes from.
    public static let citation =
        "Vaswani et al., NeurIPS 2017, arXiv:1706.03762, equation 3, scaled to peak at the base rate"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("warmup", \.warmup, .above(0), "length of the linear rise")
    ]

    /// Length of the linear rise.
    public var warmup = 400.0

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        let t = max(time, 1)
        return base * min(t / warmup, (warmup / t).squareRoot())
    }
}
