import Foundation
import Settings
import Torch

/// L-BFGS (Liu and Nocedal 1989), as `torch.optim.LBFGS`: one step is up to `max_iter` iterations of its own.
///
/// The two-loop recursion (Nocedal and Wright, Algorithm 7.4) over the last `history_size` pairs, and a line search
/// that meets the strong Wolfe conditions (Algorithms 3.5 and 3.6), or steps of fixed size.
public struct LBFGS: ClosureOptimizer {
    /// Name on the command line.
    public static let name = "lbfgs"
    /// One line of help.
    public static let summary = "quasi-Newton steps from the last gradients, with a strong Wolfe line search"
    /// Where the method was published.
    public static let citation = "Liu and Nocedal, Math. Programming 1989; Nocedal and Wright 2006, Algorithm 7.5"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("max_iter", \.maxIter, .count(1), "iterations in one step"),
        Setting("max_eval", \.maxEval, .count(0), "evaluations in one step; 0 for 5/4 of the iterations"),
        Setting("tolerance_grad", \.toleranceGrad, .atLeast(0), "largest gradient entry at which to stop"),
        Setting("tolerance_change", \.toleranceChange, .atLeast(0), "smallest change of loss or parameters"),
        Setting("history_size", \.historySize, .count(1), "pairs that are kept"),
        Setting(
            "line_search_fn", \.lineSearchFn, .oneOf(["strong_wolfe", "none"]), "how far to go along the direction"),
    ]

    /// Learning rate: the first length that the line search tries, or the fixed one.
    public var lr = 1.0
    /// Iterations in one step.
    public var maxIter = 20
    /// Evaluations in one step; 0 for 5/4 of the iterations.
    public var maxEval = 0
    /// Largest gradient entry at which to stop.
    public var toleranceGrad = 1e-7
    /// Smallest change of loss or parameters.
    public var toleranceChange = 1e-9
    /// Pairs that are kept.
    public var historySize = 100
    /// How far to go along the direction.
    public var lineSearchFn = "strong_wolfe"

    /// Creates the default optimizer.
    public init() {}

    /// Traps: without the function there is no line search.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        fatalError("L-BFGS evaluates the function itself: call step(_:start:state:evaluate:)")
    }

    /// Up to `max_iter` quasi-Newton iterations.
    public func step(
        _ parameters: inout [Tensor], start: (loss: Double, gradients: [Tensor]), state: inout OptimizerState,
        evaluate: Evaluation
    ) throws {
        let shapes = parameters.map(\.shape)
        var run = LBFGSRun(self, state: state.shared, point: Self.flat(parameters))
        try run.run(from: (start.loss, Self.flat(start.gradients))) { point in
            let (loss, gradients) = try evaluate(Self.parts(point, shapes))
            return (loss, Self.flat(gradients))
        }
        parameters = Self.parts(run.point, shapes)
        state.step += 1
        state.shared = run.slot
    }

    private static func flat(_ tensors: [Tensor]) -> Tensor {
        Tensor.concatenate(tensors.map { $0.reshaped(-1) }, dimension: 0)
    }

    private static func parts(_ flat: Tensor, _ shapes: [[Int]]) -> [Tensor] {
        var start = 0
        return shapes.map { shape in
            let count = shape.reduce(1, *)
            defer { start += count }
            return flat.rows(start..<start + count).reshaped(shape) + 0
        }
    }
}

/// One step of L-BFGS on a flat vector.
private struct LBFGSRun {
    let settings: LBFGS
    var point: Tensor
    var slot: Slot
    private var pairs: [(s: Tensor, y: Tensor, rho: Double)] = []

    init(_ settings: LBFGS, state: Slot, point: Tensor) {
        self.settings = settings
        self.point = point
        slot = state
        for index in 0..<settings.historySize {
            guard Double(index) < state.numbers["pairs"] ?? 0, let s = state.tensors["s\(index)"],
                let y = state.tensors["y\(index)"]
            else { break }
            pairs.append((s, y, state.numbers["rho\(index)"] ?? 0))
        }
    }

    /// Runs the iterations from a point whose loss and gradient are known.
    mutating func run(
        from start: (loss: Double, gradient: Tensor), _ function: (Tensor) throws -> (loss: Double, gradient: Tensor)
    ) throws {
        // The start counts, as in PyTorch.
        var evaluations = 1
        func evaluate(_ x: Tensor) throws -> (loss: Double, gradient: Tensor) {
            evaluations += 1
            return try function(x)
        }
        let limit = settings.maxEval > 0 ? settings.maxEval : settings.maxIter * 5 / 4
        var (loss, gradient) = start
        guard gradient.absolute().max().scalar > settings.toleranceGrad else { return }
        var direction = slot.tensors["d"] ?? gradient
        var length = slot.numbers["t"] ?? 0
        var isFirst = slot.tensors["d"] == nil
        var previous = (loss: loss, gradient: slot.tensors["prev_flat_grad"] ?? gradient)
        for iteration in 1...settings.maxIter {
            direction = isFirst ? -gradient : newDirection(gradient, previous.gradient, direction, length)
            previous = (loss, gradient)
            length = isFirst ? min(1, 1 / gradient.absolute().sumInDouble()) * settings.lr : settings.lr
            isFirst = false
            let slope = gradient.dot(direction)
            if slope > -settings.toleranceChange { break }
            if settings.lineSearchFn == "strong_wolfe" {
                let start = StrongWolfe.Trial(length: 0, loss: loss, gradient: gradient, slope: slope)
                let found = try StrongWolfe(
                    origin: point, direction: direction, limit: limit - evaluations
                ).run(
                    from: start, length: length, tolerance: settings.toleranceChange, evaluate: evaluate)
                (loss, gradient, length) = (found.loss, found.gradient, found.length)
                point = point.adding(direction, scaledBy: length)
            } else {
                point = point.adding(direction, scaledBy: length)
                if iteration < settings.maxIter { (loss, gradient) = try evaluate(point) }
            }
            let change = direction.absolute().max().scalar * abs(length)
            if evaluations >= limit || gradient.absolute().max().scalar <= settings.toleranceGrad
                || change <= settings.toleranceChange || abs(loss - previous.loss) < settings.toleranceChange
            {
                break
            }
        }
        store(direction, length, previous.gradient)
    }

    /// The two-loop recursion (Nocedal and Wright, Algorithm 7.4) with the newest pair added.
    private mutating func newDirection(
        _ gradient: Tensor, _ last: Tensor, _ direction: Tensor, _ length: Double
    ) -> Tensor {
        let y = gradient - last
        let s = direction * length
        let product = y.dot(s)
        if product > 1e-10 {
            if pairs.count == settings.historySize { pairs.removeFirst() }
            pairs.append((s, y, 1 / product))
            slot.numbers["H_diag"] = product / y.squareSum
        }
        var q = -gradient
        var alphas: [Double] = []
        for pair in pairs.reversed() {
            let alpha = pair.s.dot(q) * pair.rho
            alphas.append(alpha)
            q.add(pair.y, scaledBy: -alpha)
        }
        var r = q * (slot.numbers["H_diag"] ?? 1)
        for (pair, alpha) in zip(pairs, alphas.reversed()) {
            r.add(pair.s, scaledBy: alpha - pair.y.dot(r) * pair.rho)
        }
        return r
    }

    private mutating func store(_ direction: Tensor, _ length: Double, _ gradient: Tensor) {
        slot.tensors = ["d": direction, "prev_flat_grad": gradient]
        slot.numbers["t"] = length
        slot.numbers["pairs"] = Double(pairs.count)
        for (index, pair) in pairs.enumerated() {
            slot.tensors["s\(index)"] = pair.s
            slot.tensors["y\(index)"] = pair.y
            slot.numbers["rho\(index)"] = pair.rho
        }
    }
}
