// Builds a convex program by hand and solves it for a path of penalties with one factorisation.
import Descent

/// A number with the given count of significant digits.
func short(_ value: Double, _ digits: Int = 4) -> String {
    guard value != 0, value.isFinite else { return "\(value)" }
    var unit = 1.0
    while value.magnitude >= unit * 10 { unit *= 10 }
    while value.magnitude < unit { unit /= 10 }
    let scale = (1..<digits).reduce(1 / unit) { scale, _ in scale * 10 }
    return "\((value * scale).rounded() / scale)"
}

// 200 rows of 5 features with a column of ones, and a target with kinks.
Runtime.threads = 1
Runtime.seed(3)
let features = Tensor.randomNormal([200, 5], dtype: .float64)
let x = Tensor.concatenate([features, Tensor.full([200, 1], 1, dtype: .float64)], dimension: 1)
let signal = features.columns(0..<1).absolute() - features.columns(1..<2).relu()
let y = signal + 0.1 * Tensor.randomNormal([200, 1], dtype: .float64)

// Patterns: which rows each Gaussian gate opens. Duplicates and the empty pattern are gone.
let patterns = ActivationPatterns.sampled(x: x, count: 40, seed: 0)
let layout = BlockLayout(patterns: patterns.count, outputs: 1, formulation: .relu)
let program = ConvexProgram(x: x, y: y, loss: SquaredLoss(), patterns: patterns, layout: layout)
let largest = program.criticalPenalty()
print("\(patterns.count) patterns: the variable is \(x.shape[1]) × \(layout.columns)")
print("all weights vanish from β = \(short(largest)) on")

var settings = ConvexSettings()
settings.maxIterations = 2_000
settings.admm.adaptsRho = false

// The matrix of the linear system depends on neither β, the loss nor ρ, so one workspace serves the whole path.
let workspace = try ConvexSolver.Workspace(program, settings: settings.admm)
for share in [0.5, 0.1, 0.02, 0.004] {
    // ρ changes the speed only; on a path it should fall with the penalty.
    settings.admm.rho = 60 * share
    let solution = try ConvexSolver(settings: settings).solve(workspace, penalty: share * largest)
    let certificate = solution.certificate
    print("β \(short(share * largest)): \(solution.network.units) neurons, \(solution.termination) ", terminator: "")
    print("after \(solution.iterations) iterations (\(solution.linearSolver))")
    print("  objective \(short(certificate.objective, 7)) of the network")
    print("  bound     \(short(certificate.dualBound, 7)) on the optimum of the program")
    print("  \(certificate.statement)")
}
