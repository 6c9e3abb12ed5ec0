import ConvexNetworks
import Foundation
import Proximal
import RunLog
import Torch

/// Chooses the penalty, and the number of patterns, by cross-validation.
///
/// With random or given gates each fold has one program: its factor serves every penalty, and each solve starts at
/// the last one's state, from the largest penalty, where all weights vanish, to the smallest. Patterns of a network
/// or grown ones depend on the penalty, so there each point is a fit of its own.
struct PenaltySearch {
    /// Numbers of patterns tried.
    var patternCounts: [Int]
    /// The pattern source for a number of patterns.
    var source: (Int) -> PatternSource
    /// Penalties on the path.
    var points = 8
    /// Largest and smallest penalty as shares of the one at which all weights vanish.
    var shares = (largest: 0.1, smallest: 2e-4)
    /// ADMM iterations for each penalty: the score settles long before the certificate does.
    var iterations = 20

    /// What the search found.
    struct Choice {
        var penalty: Double
        var patterns: Int
        var path: [PathPoint]
        var reason: String
    }

    /// Features, targets and settings of the search.
    struct Problem {
        var x: Tensor
        var y: Tensor
        var loss: any Loss
        var settings: ConvexSettings
        var folds: [[Int]]
        /// Score of outputs on some rows of the data.
        var score: (Tensor, [Int]) -> Double
    }

    /// Runs the search. Penalties are stated for all rows: a fold with a share of the rows uses that share of β.
    func run(_ problem: Problem, shouldStop: (_ done: Int, _ total: Int) -> Bool) throws -> Choice {
        var scores: [Int: [[Double]]] = [:]
        let critical = Self.criticalPenalty(problem)
        let penalties = (0..<points).map { k in
            critical * shares.largest * pow(shares.smallest / shares.largest, Double(k) / Double(max(1, points - 1)))
        }
        var done = 0
        let total = patternCounts.count * problem.folds.count * points
        // Folds go outermost, so that a search cut short has compared all settings on the folds it did.
        search: for held in problem.folds {
            for count in patternCounts {
                var fold = try Fold(problem, held: held, source: source(count), iterations: iterations)
                var row: [Double] = []
                for penalty in penalties {
                    row.append(try fold.score(penalty))
                    done += 1
                    if shouldStop(done, total) { break search }
                }
                scores[count, default: []].append(row)
            }
        }
        return choice(scores, penalties, critical)
    }

    /// An upper bound, up to the sampling of gates, on the penalty at which all weights vanish.
    private static func criticalPenalty(_ problem: Problem) -> Double {
        let patterns = ActivationPatterns.sampled(x: problem.x, count: 16, seed: problem.settings.seed)
        let layout = BlockLayout(patterns: patterns.count, outputs: problem.y.shape[1], formulation: .relu)
        let program = ConvexProgram(
            x: problem.x, y: problem.y, loss: problem.loss, patterns: patterns, layout: layout)
        // A constant target gives 0, but a penalty must be above it.
        return max(program.criticalPenalty(), 1e-9)
    }

    /// Of the settings within a quarter of a standard error of the best mean score, the one with the largest penalty.
    private func choice(_ scores: [Int: [[Double]]], _ penalties: [Double], _ critical: Double) -> Choice {
        var path: [PathPoint] = []
        for count in scores.keys.sorted() {
            let rows = scores[count]!
            for (k, penalty) in penalties.enumerated() {
                let values = rows.map { $0[k] }
                let mean = values.reduce(0, +) / Double(values.count)
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
                path.append(
                    PathPoint(
                        penalty: penalty, patterns: count, score: mean,
                        standardError: (variance / Double(values.count)).squareRoot()))
            }
        }
        guard let best = path.max(by: { $0.score < $1.score }) else {
            return Choice(
                penalty: critical * 1e-2, patterns: patternCounts[0], path: [],
                reason: "1 % of the largest penalty: the search was stopped before its first fold was done")
        }
        let close = path.filter { $0.score >= best.score - 0.25 * best.standardError }
        let chosen = close.max { ($0.penalty, -$0.patterns) < ($1.penalty, -$1.patterns) } ?? best
        let folds = scores.values.map(\.count).max() ?? 0
        return Choice(
            penalty: chosen.penalty, patterns: chosen.patterns, path: path,
            reason: "cross-validation over \(folds) folds, \(path.count) settings")
    }
}

/// One fold: trains on the kept rows, scores on the held ones.
private struct Fold {
    let problem: PenaltySearch.Problem
    let held: [Int]
    let x: Tensor
    let y: Tensor
    let heldX: Tensor
    let share: Double
    private var settings: ConvexSettings
    /// The factored program and its last state, where patterns do not depend on the penalty.
    private var fixed: (workspace: ConvexSolver.Workspace, state: ADMMState?)?

    init(_ problem: PenaltySearch.Problem, held: [Int], source: PatternSource, iterations: Int) throws {
        self.problem = problem
        self.held = held
        let isHeld = Set(held)
        let kept = (0..<problem.x.shape[0]).filter { !isHeld.contains($0) }
        share = Double(kept.count) / Double(problem.x.shape[0])
        x = problem.x.gathering(kept)
        y = problem.y.gathering(kept)
        heldX = problem.x.gathering(held)
        settings = problem.settings
        settings.patterns = source
        settings.maxIterations = iterations
        settings.timeLimit = nil
        settings.refreshes = 0
        guard let patterns = fixedPatterns(source) else { return }
        let layout = BlockLayout(
            patterns: patterns.count, outputs: y.shape[1], formulation: settings.formulation)
        let program = ConvexProgram(
            x: x, y: y, loss: problem.loss, patterns: patterns, layout: layout,
            columnsPerGroup: settings.sharing == .joint ? layout.columnsPerPattern : 1)
        settings.maxIterations = 3 * iterations
        fixed = (try ConvexSolver.Workspace(program, settings: settings.admm), nil)
    }

    private func fixedPatterns(_ source: PatternSource) -> ActivationPatterns? {
        // Wide data are solved in their row space, which each fit finds for itself.
        guard x.shape[1] <= x.shape[0] else { return nil }
        switch source {
        case .sampled(let count): return .sampled(x: x, count: count, seed: settings.seed)
        case .gates(let gates): return ActivationPatterns(x: x, gates: gates.to(x.dtype).to(device: x.device))
        default: return nil
        }
    }

    mutating func score(_ penalty: Double) throws -> Double {
        settings.penalty = penalty * share
        let network: TwoLayerNetwork
        if let (workspace, last) = fixed {
            var state = last
            state?.iteration = 0
            let solution = try ConvexSolver(settings: settings).solve(
                workspace, penalty: settings.penalty, resume: state, checks: false)
            fixed = (workspace, solution.state)
            network = solution.network
        } else {
            network = try ConvexFit(settings: settings, loss: problem.loss)
                .run(x: x, y: y, watch: Stopwatch(), checks: false).solution.network
        }
        return problem.score(network.predict(heldX), held)
    }
}
