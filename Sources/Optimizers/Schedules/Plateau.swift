import Settings

/// What a plateau controller remembers.
public struct PlateauState: Sendable, Codable, Equatable {
    /// Smallest metric so far.
    public var best = Double.infinity
    /// Evaluations without improvement.
    public var waiting = 0
    /// Evaluations to wait after a change.
    public var cooldown = 0
    /// Present factor of the base rate.
    public var factor = 1.0

    /// Creates the state before the first metric.
    public init() {}

    private enum CodingKeys: String, CodingKey { case best, waiting, cooldown, factor }

    /// Reads a state; a missing best means none so far, which JSON has no number for.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        best = try container.decodeIfPresent(Double.self, forKey: .best) ?? .infinity
        waiting = try container.decode(Int.self, forKey: .waiting)
        cooldown = try container.decode(Int.self, forKey: .cooldown)
        factor = try container.decode(Double.self, forKey: .factor)
    }

    /// Writes the state.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if best.isFinite { try container.encode(best, forKey: .best) }
        try container.encode(waiting, forKey: .waiting)
        try container.encode(cooldown, forKey: .cooldown)
        try container.encode(factor, forKey: .factor)
    }
}

/// The base rate times a factor that ``factor(after:base:state:)`` lowers.
public struct Plateau: MetricSchedule {
    /// Name on the command line.
    public static let name = "plateau"
    /// One line of help.
    public static let summary = "lowers the rate when the metric stops falling"
    /// Where it comes from.
    public static let citation = "torch.optim.lr_scheduler.ReduceLROnPlateau"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("factor", \.reduction, .decay, "factor of each change"),
        Setting("patience", \.patience, .count(0), "evaluations without improvement that are let pass"),
        Setting("threshold", \.threshold, .atLeast(0), "relative improvement that counts"),
        Setting("cooldown", \.cooldown, .count(0), "evaluations to wait after a change"),
        Setting("min_lr", \.minimum, .atLeast(0), "smallest rate"),
    ]

    /// Factor of each change.
    public var reduction = 0.1
    /// Evaluations without improvement that are let pass.
    public var patience = 10
    /// Relative improvement that counts.
    public var threshold = 1e-4
    /// Evaluations to wait after a change.
    public var cooldown = 0
    /// Smallest rate.
    public var minimum = 0.0

    /// Creates the default schedule.
    public init() {}

    /// The rate at a time.
    public func rate(at time: Double, base: Double, total: Double) -> Double {
        base
    }

    /// State before the first metric.
    public var initialState: PlateauState { PlateauState() }

    /// Takes a metric, smaller being better, and returns the factor for what comes.
    public func factor(after metric: Double, base: Double, state: inout PlateauState) -> Double {
        if metric < state.best * (1 - threshold) || (state.best == .infinity && metric.isFinite) {
            state.best = metric
            state.waiting = 0
        } else {
            state.waiting += 1
        }
        if state.cooldown > 0 {
            state.cooldown -= 1
            state.waiting = 0
        }
        if state.waiting > patience {
            let lowered = max(base * state.factor * reduction, minimum)
            // PyTorch leaves changes below 1e-8 alone.
            if base * state.factor - lowered > 1e-8 { state.factor = lowered / base }
            state.cooldown = cooldown
            state.waiting = 0
        }
        return state.factor
    }
}
