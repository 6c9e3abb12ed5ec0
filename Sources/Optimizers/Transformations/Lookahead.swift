import Settings
import Torch

/// Slow weights: every k steps they move by a share towards the fast ones, which start again there (Zhang et al. 2019,
/// arXiv:1907.08610, Algorithm 1).
public struct Lookahead: ParameterTransformation {
    /// Name on the command line.
    public static let name = "lookahead"
    /// One line of help.
    public static let summary = "every few steps moves slow weights towards the fast ones, which start again there"
    /// Where the method was published.
    public static let citation = "Zhang, Lucas, Hinton and Ba, NeurIPS 2019, arXiv:1907.08610, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("k", \.k, .count(1), "steps between moves"),
        Setting("alpha", \.alpha, .share, "share of the way"),
    ]

    /// Steps between moves, k.
    public var k = 5
    /// Share of the way, α.
    public var alpha = 0.5

    /// Creates the paper's setting.
    public init() {}

    /// The slow weights begin where the run does.
    public func begin(_ parameters: [Tensor], state: inout OptimizerState) {
        guard state.slots.isEmpty else { return }
        state.makeSlots(parameters)
        for (index, parameter) in parameters.enumerated() {
            state.slots[index].tensors["slow"] = parameter + 0
        }
    }

    /// Moves the slow weights, and the fast ones to them, every k steps.
    public func transform(_ parameters: inout [Tensor], state: inout OptimizerState) {
        state.begin(parameters)
        guard state.step % k == 0 else { return }
        for index in parameters.indices {
            var slow = state.slots[index].take("slow", parameters[index] + 0)
            slow.add(parameters[index] - slow, scaledBy: alpha)
            parameters[index] = slow + 0
            state.slots[index].tensors["slow"] = slow
        }
    }
}
