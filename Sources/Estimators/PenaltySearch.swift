import ConvexNetworks
import Foundation
import Proximal
import RunLog
import Torch

/// Chooses the penalty by cross-validation.
///
/// Each fold has one program: its factor serves every penalty, and each solve starts at the last one's state, from
/// the largest penalty, where nearly all weights vanish, to the smallest. Scores of small tables are noisy, so the
/// default penalty stands unless another one is better by more than the noise.
struct PenaltySearch {
    /// Where patterns come from.
    var source: PatternSource
    /// Penalties on the path.
    var points = 7
    /// Largest and smallest penalty as shares of the one at which all weights vanish.
    var shares = (largest: 0.1, smallest: 2e-4)
    /// ADMM iterations for each penalty: the score settles long before the certificate does.
    var iterations = 20

    /// The default penalty as a share of the number of rows.
    static let defaultShare = 3e-3

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
    ///
    /// - Parameter timeLeft: seconds that the search may still take; nil for no limit.
    func run(
        _ problem: Problem, timeLeft: @escaping () -> Double? = { nil }, shouldStop: (_ done: Int, _ total: Int) -> Bool
    ) throws -> Choice {
        var scores: [[Double]] = []
        let critical = Self.criticalPenalty(problem)
        let penalties = (0..<points).map { k in
            critical * shares.largest * pow(shares.smallest / shares.largest, Double(k) / Double(max(1, points - 1)))
        }
        var done = 0
        let total = problem.folds.count * points
        for held in problem.folds {
            var row: [Double] = []
            var isCut = false
            try Fold(problem, held: held, timeLeft: timeLeft).path(source, penalties, iterations: iterations) { score in
                row.append(score)
                done += 1
                isCut = shouldStop(done, total)
                return isCut ? .stop : .proceed
            }
            // Growth that finds nothing has no path: all its networks are zero.
            if row.count == points { scores.append(row) }
            if isCut { break }
        }
        return choice(scores, penalties, Self.defaultShare * Double(problem.x.shape[0]))
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

    /// Mean and standard error of a penalty's scores; nil without scores.
    private func point(_ penalty: Double, _ values: [Double]) -> PathPoint? {
        guard !values.isEmpty else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
        return PathPoint(
            penalty: penalty, patterns: source.count, score: mean,
            standardError: (variance / Double(values.count)).squareRoot())
    }

    /// Of the settings within a standard error of the best mean score, the one nearest to the default penalty.
    private func choice(_ scores: [[Double]], _ penalties: [Double], _ fallback: Double) -> Choice {
        let path = penalties.indices.compactMap { k in point(penalties[k], scores.map { $0[k] }) }
        guard let best = path.max(by: { $0.score < $1.score }) else {
            return Choice(
                penalty: fallback, patterns: source.count, path: [],
                reason: "the default: the search was stopped before its first fold was done")
        }
        let close = path.filter { $0.score >= best.score - best.standardError }
        let chosen = close.min { abs(log($0.penalty / fallback)) < abs(log($1.penalty / fallback)) } ?? best
        return Choice(
            penalty: chosen.penalty, patterns: chosen.patterns, path: path,
            reason: scores.count == 1
                ? "the score of a held-out part, \(path.count) settings"
                : "cross-validation over \(scores.count) folds, \(path.count) settings")
    }
}

/// One fold: trains on the kept rows, scores on the held ones.
private struct Fold {
    let problem: PenaltySearch.Problem
    let held: [Int]
    let timeLeft: () -> Double?
    let x: Tensor
    let y: Tensor
    let heldX: Tensor
    /// Share of the rows that are kept.
    let share: Double

    init(_ problem: PenaltySearch.Problem, held: [Int], timeLeft: @escaping () -> Double?) {
        self.problem = problem
        self.held = held
        self.timeLeft = timeLeft
        let isHeld = Set(held)
        let kept = (0..<problem.x.shape[0]).filter { !isHeld.contains($0) }
        share = Double(kept.count) / Double(problem.x.shape[0])
        x = problem.x.gathering(kept)
        y = problem.y.gathering(kept)
        heldX = problem.x.gathering(held)
    }

    /// Scores along the path, with patterns found at the middle penalty.
    func path(
        _ source: PatternSource, _ penalties: [Double], iterations: Int, visit: (Double) -> Directive
    ) throws {
        var settings = problem.settings
        settings.patterns = source
        settings.maxIterations = iterations
        settings.timeLimit = timeLeft()
        settings.refreshes = 0
        settings.patternPenalty = penalties[penalties.count / 2] * share
        try ConvexFit(settings: settings, loss: problem.loss)
            .path(x: x, y: y, penalties: penalties.map { $0 * share }) { _, network in
                visit(problem.score(network.predict(heldX), held))
            }
    }
}
