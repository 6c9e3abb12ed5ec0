import Settings

/// A learning rate as a function of time: a value without state.
///
/// Time is counted in steps or epochs from 0, as the trainer is told; fractions are allowed.
public protocol Schedule: Configurable {
    /// The rate in force at a time.
    ///
    /// - Parameters:
    ///   - time: steps or epochs done.
    ///   - base: the optimizer's own learning rate.
    ///   - total: length of the run in the same unit.
    func rate(at time: Double, base: Double, total: Double) -> Double
}

/// A learning rate that follows a metric: a controller with state of its own.
public protocol MetricSchedule: Schedule {
    /// State before the first metric.
    var initialState: PlateauState { get }
    /// Takes the metric of an evaluation, smaller being better, and returns the factor for what comes.
    func factor(after metric: Double, base: Double, state: inout PlateauState) -> Double
}

/// The schedules by name.
public enum ScheduleCatalogue {
    /// All schedules.
    public static var all: [any Schedule.Type] { catalogue.all.compactMap { $0 as? any Schedule.Type } }

    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any Schedule>(
        "schedule",
        [
            ConstantSchedule.self, StepSchedule.self, MultiStepSchedule.self, ExponentialSchedule.self,
            PolynomialSchedule.self, LinearSchedule.self, CosineSchedule.self, InverseSquareRootSchedule.self,
            OneCycleSchedule.self, WarmRestarts.self, EqualStages.self, Plateau.self,
        ])

    /// Creates a schedule with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` with the nearest names, or with the range that a value is outside of.
    public static func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> any Schedule {
        try catalogue.make(name, settings: settings)
    }
}
