/// A two-layer head that is solved as a convex program between epochs of the features (CRONOS-AM; Feng, Frangella and
/// Pilanci 2024, arXiv:2411.01088, Algorithm 4).
public struct ConvexHead: Sendable, Codable, Equatable {
    /// When the head is solved.
    public enum Solves: String, Sendable, Codable, CaseIterable {
        /// At the start, every interval, and at the end.
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
    public var interval = 1.0
    /// Most ADMM iterations of one solve; later ones start at the head at hand.
    public var iterations = 10
    /// Relative gap at which a solve ends early.
    public var tolerance = 1e-2
    /// Penalty β for each row of the solve.
    public var penalty = 3e-2
    /// Rows that the solves use, a seeded draw; nil for all.
    public var rows: Int?

    /// Creates the default head.
    public init() {}
}
