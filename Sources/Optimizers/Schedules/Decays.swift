import Foundation
import Settings

/// `base`, after `factor · base` for a time.
public struct ConstantSchedule: Schedule {
    /// Name on the command line.
    public static let name = "constant"
    /// One line of help.
    public static let summary = "the same rate throughout, with another one at first if wanted"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.ConstantLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("factor", \.factor, .atLeast(0), "factor of the rate at first"),
        Setting("total_iters", \.initialTime, .atLeast(0), "how long that holds"),
    ]

    /// Factor of the rate at first.
    public var factor = 1.0
    /// How long that holds.
    public var initialTime = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        time < initialTime ? base * factor : base
    }
}

/// `base · γ^⌊t / interval⌋`.
public struct StepSchedule: Schedule {
    /// Name on the command line.
    public static let name = "step"
    /// One line of help.
    public static let summary = "multiplies the rate by gamma at equal intervals"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.StepLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("step_size", \.interval, .above(0), "time between changes"),
        Setting("gamma", \.gamma, .atLeast(0), "factor of each change"),
    ]

    /// Time between changes.
    public var interval = 30.0
    /// Factor of each change.
    public var gamma = 0.1

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        base * pow(gamma, (time / interval).rounded(.down))
    }
}

/// `base · γ^(milestones passed)`.
public struct MultiStepSchedule: Schedule {
    /// Name on the command line.
    public static let name = "multi_step"
    /// One line of help.
    public static let summary = "multiplies the rate by gamma at given times"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.MultiStepLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("milestones", \.milestones, .milestones, "times of the changes"),
        Setting("gamma", \.gamma, .atLeast(0), "factor of each change"),
    ]

    /// Times of the changes.
    public var milestones = [Double]()
    /// Factor of each change.
    public var gamma = 0.1

    /// Creates the default schedule.
    public init() {}
}

/// `base · γᵗ`.
public struct ExponentialSchedule: Schedule {
    /// Name on the command line.
    public static let name = "exponential"
    /// One line of help.
    public static let summary = "multiplies the rate by gamma at every time"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.ExponentialLR"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("gamma", \.gamma, .atLeast(0), "factor for one unit of time")
    ]

    /// Factor for one unit of time.
    public var gamma = 0.95

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        base * pow(gamma, time)
    }
}
