/// A two-layer head that is solved as a convex program between epochs of the features (CRONOS-AM; Feng, Frangella and
/// Pilanci 2024, arXiv:2411.01088, Algorithm 4).
public struct ConvexHead: Sendable, Codable, Equatable {
    /// When the head is solved.
    public enum Solves: String, Sendable, Codable, CaseIterable {
        /// At the start, every interval, and at the end of a run that was not cut.
        case every
        /// At the start alone; the features are then trained against it.
        case first
        /// Never: the optimizer trains the whole network, for comparison.
        case never
    }

    /// Hidden units of the head.
    public var units = 20
    /// When the head is solved.
    public var solves = Solves.every
    /// Epochs of the features between solves.
    public var interval = 2.0
    /// Most ADMM iterations of one solve.
    public var iterations = 20
    /// Relative gap at which a solve ends early.
    public var tolerance = 1e-2
    /// Penalty β for each row of the solve.
    public var penalty = 3e-2
    /// Whether the penalty is chosen, from `penalty` on, by the loss on the validation rows, which it needs.
    ///
    /// At the second, fourth, eighth solve and so on, three times and a third of the last penalty are tried beside it.
    public var choosesPenalty = false
    /// Rows that the solves use, a seeded draw; nil for all.
    public var rows: Int?
    /// Factor by which the rows of an update of the features grow from one solve to the next, ≥ 1.
    public var batchGrowth = 1.0

    /// Creates the default head.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case units, solves, interval, iterations, tolerance, penalty, choosesPenalty, rows, batchGrowth
    }

    /// Reads a head; what is missing has its default.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        units = try container.decodeIfPresent(Int.self, forKey: .units) ?? units
        solves = try container.decodeIfPresent(Solves.self, forKey: .solves) ?? solves
        interval = try container.decodeIfPresent(Double.self, forKey: .interval) ?? interval
        iterations = try container.decodeIfPresent(Int.self, forKey: .iterations) ?? iterations
        tolerance = try container.decodeIfPresent(Double.self, forKey: .tolerance) ?? tolerance
        penalty = try container.decodeIfPresent(Double.self, forKey: .penalty) ?? penalty
        choosesPenalty = try container.decodeIfPresent(Bool.self, forKey: .choosesPenalty) ?? choosesPenalty
        rows = try container.decodeIfPresent(Int.self, forKey: .rows)
        batchGrowth = try container.decodeIfPresent(Double.self, forKey: .batchGrowth) ?? batchGrowth
    }
}
