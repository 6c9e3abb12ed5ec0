import Proximal
import RunLog
import Torch

/// What a fit reports while it runs.
public struct FitEvent {
    /// Where the run is.
    public var progress: RunProgress
    /// Makes the network at hand, when there is one. Wide data pay a pass over all columns for it.
    public var network: (() -> TwoLayerNetwork)?
    /// The solver's state with the patterns it belongs to, when a checkpoint can be written.
    public var checkpoint: FitCheckpoint?
}

/// What an interrupted fit needs to go on to the same result.
public struct FitCheckpoint: Sendable {
    /// Patterns of the present program.
    public var patterns: ActivationPatterns
    /// Output directions of shared neurons, `P × C`.
    public var directions: Tensor?
    /// The solver's state.
    public var state: ADMMState
    /// Refreshes or growth rounds done.
    public var round: Int
    /// The network before the convex solve, when a stochastic run made one.
    public var initial: TwoLayerNetwork?

    /// Creates a checkpoint.
    public init(
        patterns: ActivationPatterns, directions: Tensor?, state: ADMMState, round: Int,
        initial: TwoLayerNetwork? = nil
    ) {
        self.patterns = patterns
        self.directions = directions
        self.state = state
        self.round = round
        self.initial = initial
    }
}

/// The result of a fit.
public struct FitResult: Sendable {
    /// The last program's solution; its network is in the units of the features given.
    public var solution: ConvexSolution
    /// Patterns of the last program.
    public var patternCount: Int
    /// Gates of the last program in the units of the features given, `d × P`.
    public var gates: Tensor
    /// Penalty β.
    public var penalty: Double
    /// The stochastic run's network, before the convex solve, when there was one.
    public var initialNetwork: TwoLayerNetwork?
    /// Objective of that network.
    public var initialObjective: Double?
    /// Largest violation `‖η'(Xg)₊‖ / β` found by the last pricing step: at most 1 at a global optimum.
    public var pricing: Double?
    /// The convex program's own prediction function: the solution's weights behind the program's fixed gates.
    public var programNetwork: TwoLayerNetwork {
        var copy = solution.network
        copy.formulation = .gated
        copy.gates = gates
        return copy
    }
    /// Rank of the row space when the problem was reduced.
    public var rowSpaceRank: Int?
    /// Notices for the report.
    public var notices: [String]
}

/// Trains a two-layer network as a convex program: patterns, solve, growth or refresh, certificate.
public struct ConvexFit {
    /// Settings.
    public var settings: ConvexSettings
    /// The loss.
    public var loss: any Loss

    /// Creates a fit.
    public init(settings: ConvexSettings, loss: any Loss) {
        self.settings = settings
        self.loss = loss
    }

    /// Runs the fit on features (standardised, bias column included) and targets.
    ///
    /// - Parameters:
    ///   - x: features, `n × d`, in the precision of the solve.
    ///   - y: targets, `n × C`, encoded for the loss.
    ///   - resume: checkpoint of an interrupted run with the same data and settings.
    ///   - watch: clock of the run, for phases and the time limit.
    ///   - checks: whether to certify along the way; without, each solve runs to its residuals or limit.
    ///   - observe: receives progress; may stop the run.
    /// - Throws: `TorchError` when the engine fails.
    public func run(
        x: Tensor, y: Tensor, resume: FitCheckpoint? = nil, watch: Stopwatch, checks: Bool = true,
        observe: (FitEvent) -> Directive = { _ in .proceed }
    ) throws(TorchError) -> FitResult {
        var engine = try engine(x: x, y: y, watch: watch, checks: checks)
        var result = try engine.run(resume: resume, observe: observe)
        if let space = engine.space {
            result.notices.insert(
                "\(x.shape[1]) columns for \(x.shape[0]) rows: solved in the row space of rank \(space.rank)", at: 0)
            result.rowSpaceRank = space.rank
        }
        return result
    }

    /// Solves for a sequence of penalties with the same patterns: one factor, each solve started at the last one.
    ///
    /// - Parameters:
    ///   - penalties: from large to small, which keeps each start close to its solution.
    ///   - visit: receives the network of each penalty in turn; may stop the path.
    /// - Throws: `TorchError` when the engine fails.
    public func path(
        x: Tensor, y: Tensor, penalties: [Double], visit: (Int, TwoLayerNetwork) -> Directive
    ) throws(TorchError) {
        var engine = try engine(x: x, y: y, watch: Stopwatch(), checks: false)
        try engine.path(penalties, visit: visit)
    }

    private func engine(x: Tensor, y: Tensor, watch: Stopwatch, checks: Bool) throws(TorchError) -> FitEngine {
        var space: RowSpace?
        if x.shape[1] > x.shape[0] {
            space = try watch.measure("rowSpace") { () throws(TorchError) in try RowSpace(x) }
        }
        return FitEngine(
            settings: settings, loss: loss, x: space?.coordinates ?? x, y: y, watch: watch, space: space,
            rawFeatures: x, checks: checks)
    }
}
