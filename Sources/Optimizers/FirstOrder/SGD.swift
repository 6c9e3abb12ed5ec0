import Settings
import Torch

/// Stochastic gradient descent with momentum, as `torch.optim.SGD`.
///
/// `b₁ = g`, `b_t = m b_{t−1} + (1 − dampening) g`; the step is `−lr b`, with Nesterov's momentum `−lr (g + m b)`
/// (Sutskever et al. 2013). The rate stays outside the buffer.
public struct SGD: TensorOptimizer {
    /// Name on the command line.
    public static let name = "sgd"
    /// One line of help.
    public static let summary = "stochastic gradient descent with momentum, Nesterov's form and dampening"
    /// Where the method was published.
    public static let citation = "Robbins and Monro 1951; Sutskever et al., ICML 2013"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, .momentum(\.momentum),
        Setting("dampening", \.dampening, .share, "share of the gradient kept out of the momentum"),
        Setting("nesterov", \.nesterov, .flag, "look ahead along the momentum"), .weightDecay(\.weightDecay),
        .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-3
    /// Decay rate of the momentum.
    public var momentum = 0.0
    /// Share of the gradient kept out of the momentum.
    public var dampening = 0.0
    /// Whether to look ahead along the momentum.
    public var nesterov = false
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        if momentum != 0, t > 1, FusedKernels.engineCovers(parameter) {
            var (moved, buffers) = ([FusedKernels.taken(&parameter)], [slot.take("momentum_buffer", gradient)])
            Tensor.fusedSGD(
                &moved, gradients: [gradient], buffers: &buffers, rate: lr, momentum: momentum, dampening: dampening,
                nesterov: nesterov, weightDecay: weightDecay)
            (parameter, slot.tensors["momentum_buffer"]) = (moved[0], buffers[0])
            return
        }
        var g = gradient.adding(weightDecay: weightDecay, of: parameter)
        if momentum != 0 {
            var buffer = slot.take("momentum_buffer", g)
            // The first buffer is the gradient itself, dampening or not.
            if t > 1 { buffer = (buffer * momentum).adding(g, scaledBy: 1 - dampening) }
            g = nesterov ? g.adding(buffer, scaledBy: momentum) : buffer
            slot.tensors["momentum_buffer"] = buffer
        }
        parameter.add(g, scaledBy: -lr)
    }
}
