import ConvexNetworks
import Datasets
import Foundation
import Proximal
import RunLog
import Torch

/// Chooses the penalty, and the number of patterns, by cross-validation on a warm-started path.
///
/// Patterns and the factor of the linear system are made once per fold and serve every penalty, from the largest,
/// where all weights vanish, to the smallest.
struct PenaltySearch {
    /// Penalties on the path.
    var points = 10
    /// Smallest penalty as a share of the largest.
    var depth = 1e-4
    /// Numbers of patterns tried.
    var patternCounts: [Int]
    /// ADMM iterations for each penalty: the score settles long before the certificate does.
    var iterations = 60

    /// What the search found.
    struct Choice {
        var penalty: Double
        var patterns: Int
        var path: [PathPoint]
        var reason: String
    }

    /// Runs the search. Penalties are reported for all rows: a fold with a share of the rows uses that share of β.
    func run(
        x: Tensor, y: Tensor, labels: [Int]?, loss: any Loss, settings: ConvexSettings, folds: [[Int]],
        score: (Tensor, [Int]) -> Double, deadline: () -> Bool, progress: (Int, Int) -> Directive
    ) throws -> Choice {
        var scores: [Int: [[Double]]] = [:]
        let n = x.shape[0]
        var betaMax = 0.0
        var done = 0
        let total = patternCounts.count * folds.count * points
        search: for count in patternCounts {
            for held in folds {
                let isHeld = Set(held)
                let kept = (0..<n).filter { !isHeld.contains($0) }
                let share = Double(kept.count) / Double(n)
                let (xf, yf, xh) = (x.gathering(kept), y.gathering(kept), x.gathering(held))
                let program = program(x: xf, y: yf, loss: loss, count: count, settings: settings)
                let workspace = try ConvexSolver.Workspace(program, settings: settings.admm)
                if betaMax == 0 { betaMax = program.criticalPenalty() / share }
                var solverSettings = settings
                solverSettings.tolerance = 1e-2
                var state: ADMMState?
                var row: [Double] = []
                for penalty in penalties(betaMax) {
                    solverSettings.maxIterations = iterations
                    state?.iteration = 0
                    let solution = try ConvexSolver(settings: solverSettings).solve(
                        workspace, penalty: penalty * share, resume: state, checks: false)
                    state = solution.state
                    row.append(score(solution.network.predict(xh), held))
                    done += 1
                    if progress(done, total) == .stop || deadline() { break search }
                }
                scores[count, default: []].append(row)
            }
        }
        return choice(scores, betaMax)
    }

    private func penalties(_ betaMax: Double) -> [Double] {
        (0..<points).map { betaMax * pow(depth, Double($0 + 1) / Double(points)) }
    }

    private func program(
        x: Tensor, y: Tensor, loss: any Loss, count: Int, settings: ConvexSettings
    ) -> ConvexProgram {
        let patterns = ActivationPatterns.sampled(x: x, count: count, seed: settings.seed)
        let layout = BlockLayout(
            patterns: patterns.count, outputs: y.shape[1], formulation: settings.formulation)
        let joint = settings.sharing == .joint
        return ConvexProgram(
            x: x, y: y, loss: loss, patterns: patterns, layout: layout,
            columnsPerGroup: joint ? layout.columnsPerPattern : 1)
    }

    /// The best mean score; of settings within half a standard error of it, the one with the largest penalty.
    private func choice(_ scores: [Int: [[Double]]], _ betaMax: Double) -> Choice {
        var path: [PathPoint] = []
        let betas = penalties(betaMax)
        for count in scores.keys.sorted() {
            let rows = scores[count]!.filter { $0.count == points }
            guard !rows.isEmpty else { continue }
            for (k, beta) in betas.enumerated() {
                let values = rows.map { $0[k] }
                let mean = values.reduce(0, +) / Double(values.count)
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
                path.append(
                    PathPoint(
                        penalty: beta, patterns: count, score: mean,
                        standardError: (variance / Double(values.count)).squareRoot()))
            }
        }
        guard let best = path.max(by: { $0.score < $1.score }) else {
            return Choice(
                penalty: betaMax * 1e-2, patterns: patternCounts[0], path: [],
                reason: "time ran out before the first path was done: 1 % of the largest penalty")
        }
        let close = path.filter { $0.score >= best.score - 0.25 * best.standardError }
        let chosen = close.max { ($0.penalty, -$0.patterns) < ($1.penalty, -$1.patterns) } ?? best
        let folds = scores.values.map(\.count).max() ?? 0
        return Choice(
            penalty: chosen.penalty, patterns: chosen.patterns, path: path,
            reason: "cross-validation over \(folds) folds, \(path.count) settings")
    }
}
