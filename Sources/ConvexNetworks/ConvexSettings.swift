import Torch

/// Where the activation patterns of a convex program come from.
public enum PatternSource: Sendable, Equatable {
    /// Gaussian gates, as in the paper.
    case sampled(Int)
    /// A short stochastic run with this many hidden units; its patterns and output directions are kept.
    case network(units: Int)
    /// The patterns of a given network.
    case given(TwoLayerNetwork)
    /// The given gates, `d × P`, bias row included.
    case gates(Tensor)
    /// Column generation up to this many patterns: those that violate optimality most are added, warm-started.
    case grow(Int)

    /// The name on the command line.
    public var name: String {
        switch self {
        case .sampled: "sampled"
        case .network: "network"
        case .given: "from"
        case .gates: "gates"
        case .grow: "grow"
        }
    }

    /// Number of patterns, or the most that may grow.
    public var count: Int {
        switch self {
        case .sampled(let count), .network(let count), .grow(let count): count
        case .given(let network): network.units
        case .gates(let gates): gates.shape[1]
        }
    }

    /// Whether two sources are of the same kind and size.
    public static func == (a: PatternSource, b: PatternSource) -> Bool {
        switch (a, b) {
        case (.sampled(let p), .sampled(let q)), (.network(let p), .network(let q)), (.grow(let p), .grow(let q)):
            p == q
        default: false
        }
    }
}

/// How the outputs share neurons.
public enum OutputSharing: String, Sendable, Codable, CaseIterable {
    /// Shared neurons where the patterns bring output directions, one output per neuron otherwise.
    case automatic
    /// Each neuron serves one output (one-vs-all, the paper's formulation).
    case separate
    /// One norm over all outputs of a pattern: a pattern is used by all outputs or by none.
    case joint
}

/// Everything that defines a convex fit, apart from the data.
public struct ConvexSettings: Sendable {
    /// The convex program.
    public var formulation = Formulation.relu
    /// Where patterns come from.
    public var patterns = PatternSource.network(units: 64)
    /// How outputs share neurons.
    public var sharing = OutputSharing.automatic
    /// Passes of the stochastic run, when patterns come from one; nil for the default of the data's size.
    public var epochs: Double?
    /// What the stochastic run of `.network` begins with, with at most as many units; nil for random weights. The fit
    /// returns it where nothing better was found.
    public var initialNetwork: TwoLayerNetwork?
    /// Penalty β of the group lasso, for the loss without 1/n; > 0.
    public var penalty = 1.0
    /// Penalty of the stochastic run or growth that finds the patterns; nil for that of the solve.
    public var patternPenalty: Double?
    /// Stop when the relative gap and the residuals are below this.
    public var tolerance = 1e-3
    /// Most ADMM iterations of one solve.
    public var maxIterations = 500
    /// Seconds for the whole fit; nil for no limit.
    public var timeLimit: Double?
    /// Times that the patterns are refreshed from the network just found.
    public var refreshes = 0
    /// Settings of the solver.
    public var admm = ADMMSettings()
    /// Seed of everything random.
    public var seed: UInt64 = 0

    /// Creates default settings.
    public init() {}
}
