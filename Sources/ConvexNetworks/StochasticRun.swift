import Optimizers
import Proximal
import RunLog
import Torch

/// A short stochastic training run whose only purpose is to propose activation patterns.
///
/// A trained network's own patterns make its weights feasible for the convex program, so the convex solve can only
/// lower the same objective. Mini-batch Adam with a one-cycle step size; the step sizes are fixed here because the
/// solve that follows does not depend on them.
public struct StochasticRun: Sendable, Codable, Equatable {
    /// Hidden units.
    public var units: Int
    /// Passes over the data; nil for sixteen, or four from a given start, and for more on small data, which needs the
    /// steps.
    public var epochs: Double?
    /// Rows in one step at most; small data get smaller batches.
    public var batch = 256
    /// Largest step of the cycle; scaled by the width so that wide networks stay stable.
    public var peakStep: Double
    /// Seed of the initial weights and of the order of rows.
    public var seed: UInt64

    /// Creates a run.
    public init(units: Int, epochs: Double? = nil, seed: UInt64) {
        self.units = units
        self.epochs = epochs
        self.seed = seed
        peakStep = 3e-3 * min(1, (128 / Double(max(1, units))).squareRoot().squareRoot())
    }

    /// Trains on `L + (β/2)(‖W₁‖² + ‖W₂‖²)`; the bias must already be a column of `x`.
    ///
    /// - Parameters:
    ///   - start: the units to begin with, at most `units`; the others are random.
    ///   - isLate: asked after each step; `observe` is then called at once.
    ///   - observe: called every 50 steps.
    public func train(
        x: Tensor, y: Tensor, loss: any Loss, penalty: Double, from start: TwoLayerNetwork? = nil,
        isLate: () -> Bool = { false }, observe: (Int, Int) -> Directive = { _, _ in .proceed }
    ) -> TwoLayerNetwork {
        Runtime.seed(seed)
        let (n, d, c) = (x.shape[0], x.shape[1], y.shape[1])
        let batch = min(n, max(16, min(batch, n / 8)))
        // A start is near its own optimum already.
        let share = start == nil ? 1 : 0.25
        let passes = epochs ?? share * max(16, 1500 * Double(batch) / Double(n))
        let steps = max(1, Int((passes * Double(n) / Double(batch)).rounded()))
        let scale = (x.squared().sum(1).mean(0).scalar).squareRoot()
        var weights = [
            // He initialisation for features of the row norm at hand.
            Tensor.randomNormal([d, units], dtype: x.dtype, device: x.device) * (1.4 / max(scale, 1e-12)),
            Tensor.randomNormal([units, c], dtype: x.dtype, device: x.device) * (1 / Double(units).squareRoot()),
        ]
        if let start {
            // A random unit must not disturb those that are trained.
            weights[0] = Tensor.concatenate(
                [start.hidden, weights[0].columns(start.units..<units)], dimension: 1)
            weights[1] = Tensor.concatenate(
                [start.output, weights[1].rows(start.units..<units) * 1e-3], dimension: 0)
        }
        var (adam, state) = (Adam(), OptimizerState())
        adam.weightDecay = penalty / Double(n)
        var order = Tensor.randomPermutation(n).to(device: x.device)
        var position = 0
        for step in 0..<steps {
            if position + batch > n {
                order = Tensor.randomPermutation(n).to(device: x.device)
                position = 0
            }
            let rows = order.rows(position..<position + batch)
            position += batch
            let xb = x.gathering(rows)
            let yb = y.gathering(rows)
            // The losses of the convex program give their gradients, so that two products are left of the chain rule.
            let h = xb.times(weights[0]).relu()
            let g = loss.gradient(h.times(weights[1]), yb) * (1 / Double(batch))
            let back = g.times(weights[1].transposed()) * h.isAbove(0).to(x.dtype)
            let gradients = [xb.transposedTimes(back), h.transposedTimes(g)]
            let progress = Double(step) / Double(steps)
            adam.lr = peakStep * min(1, progress / 0.1 + 1e-3) * (1 - progress)
            adam.step(&weights, gradients: gradients, state: &state)
            if step % 50 == 49 || isLate(), observe(step + 1, steps) == .stop { break }
        }
        return TwoLayerNetwork(hidden: weights[0], output: weights[1])
    }
}
