import Proximal
import Torch

/// The output layer of a two-layer ReLU network, solved as a convex program with the hidden layer fixed.
///
/// With unit hidden weights `ŵ_k` the features `H = (X ŵ)₊` are given, and
/// `min_W L(H W, Y) + β Σ_k ‖W_k‖₂` is a group lasso in `m × C` unknowns: the same objective as the network's, by the
/// rescaling of dossier 1.2. It can only lower that objective, and leaves every neuron stationary along its own ray,
/// which the certificate of the hidden layer needs.
struct OutputLayer {
    var iterations = 300
    var tolerance = 1e-6

    /// The network with its output layer solved; units that the penalty removes are gone.
    ///
    /// - Throws: `TorchError` when the factorisation fails.
    func solve(
        _ network: TwoLayerNetwork, x: Tensor, y: Tensor, loss: any Loss, penalty: Double
    ) throws(TorchError) -> TwoLayerNetwork {
        precondition(network.formulation == .relu, "gated networks are convex in both layers")
        let sizes = network.hidden.squared().sum(0).squareRoot().clamped(min: 1e-30)
        let features = hiddenFeatures(x, network.hidden / sizes)
        // Unit columns make ω = 1 a neutral weight.
        let scale = max((features.squared().sum(0).max().scalar).squareRoot(), 1e-30)
        let h = features / scale
        let lasso = GroupLasso(strength: penalty / scale)
        let gram = CoupledSystem.gramMatrix(h, weights: nil)
        let weight = 1e-3
        let identity = Tensor.identity(network.units, dtype: .float64, device: x.device)
        let factor = try (gram + identity * weight).cholesky()

        // ADMM on W = V and H W = Z; `rho` weighs both, `weight` the first relative to the second.
        let rho = 0.25
        var v = network.output * sizes.unsqueezed(1) * scale
        var z = h.times(v)
        var mu = loss.gradient(z, y) * (1 / rho)
        var lambda = -h.transposedTimes(mu) * (1 / weight)
        var best = (value: Double.infinity, v: v)
        for iteration in 0..<iterations {
            let b = (v - lambda) * weight + h.transposedTimes(z - mu)
            let w = factor.choleskySolve(b.to(.float64)).to(x.dtype)
            let point = w * 1.6 - v * 0.6 + lambda
            // Groups are rows here, columns in the penalty.
            v = lasso.prox(point.transposed().contiguous(), step: 1 / (rho * weight)).transposed().contiguous()
            lambda = point - v
            let fit = h.times(w) * 1.6 - z * 0.6 + mu
            let next = loss.prox(fit, y, step: 1 / rho)
            mu = fit - next
            let moved = (next - z).norm / max(next.norm, 1e-30)
            z = next
            if iteration % 10 == 9 || moved < tolerance {
                let value = loss.value(h.times(v), y) + lasso.value(v.transposed().contiguous())
                if value < best.value { best = (value, v) }
                if moved < tolerance { break }
            }
        }
        return rebuilt(network, unit: network.hidden / sizes, output: best.v / scale)
    }

    private func rebuilt(_ network: TwoLayerNetwork, unit: Tensor, output: Tensor) -> TwoLayerNetwork {
        let norms = output.squared().sum(1).squareRoot().doubles()
        let kept = norms.indices.filter { norms[$0] > 0 }
        return TwoLayerNetwork(
            hidden: unit.gathering(kept, dimension: 1), output: output.gathering(kept)).balanced()
    }

    private func hiddenFeatures(_ x: Tensor, _ unit: Tensor) -> Tensor { x.times(unit).relu() }
}
