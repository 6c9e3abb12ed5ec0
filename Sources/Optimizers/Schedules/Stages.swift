import Foundation
import Settings

/// A rate that is constant for a while and then falls: what optimizers with stages start afresh at.
public protocol StagedSchedule: Schedule {
    /// Times at which the rate changes, ascending, between 0 and `total`.
    func milestones(total: Double) -> [Double]
    /// Factor of each change.
    var gamma: Double { get }
}

extension StagedSchedule {
    /// `base · γ^(milestones passed)`
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        base * pow(gamma, Double(milestones(total: total).count { $0 <= time }))
    }
}

extension StepSchedule: StagedSchedule {
    /// Multiples of the interval.
    public func milestones(total: Double) -> [Double] {
        let count = Int(min(1e6, (total / interval).rounded(.up))) - 1
        return (0..<max(0, count)).map { Double($0 + 1) * interval }
    }
}

extension MultiStepSchedule: StagedSchedule {
    /// The given times.
    public func milestones(total: Double) -> [Double] { milestones }
}

/// `base · γ^⌊stages · t / total⌋`: equal parts of the run, however long it is.
public struct EqualStages: StagedSchedule {
    /// Name on the command line.
    public static let name = "stages"
    /// One line of help.
    public static let summary = "multiplies the rate by gamma after each of some equal parts of the run"
    /// Where it comes from.
    public static let citation = "the schedules of RAMDA's experiments, arXiv:2403.14398"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("stages", \.stages, .count(1), "number of equal parts"),
        Setting("gamma", \.gamma, .atLeast(0), "factor of each change"),
    ]

    /// Number of equal parts.
    public var stages = 5
    /// Factor of each change.
    public var gamma = 0.1

    /// Creates the paper's schedule.
    public init() {}

    /// The ends of all parts but the last.
    public func milestones(total: Double) -> [Double] {
        (1..<max(1, stages)).map { total * Double($0) / Double(stages) }
    }
}

extension Stage {
    /// The stage of a step.
    ///
    /// - Parameters:
    ///   - step: steps done before.
    ///   - starts: the first step of each stage but the first, ascending.
    ///   - total: steps of the run.
    public init(step: Int, starts: [Int], total: Int, gamma: Double) {
        let index = starts.count { $0 <= step }
        let start = index == 0 ? 0 : starts[index - 1]
        let end = index < starts.count ? min(starts[index], total) : total
        self.init(
            index: index, decay: pow(gamma, Double(index)), step: step - start + 1, length: max(1, end - start),
            isLast: index == starts.count)
    }
}
