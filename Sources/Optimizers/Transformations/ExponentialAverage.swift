import Settings
import Torch

/// An exponential average of the parameters, which is what is evaluated, as `torch.optim.swa_utils.AveragedModel` with
/// `get_ema_multi_avg_fn` keeps it (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, arXiv:1703.01780, equation 2).
public struct ExponentialAverage: ParameterTransformation {
    /// Name on the command line.
    public static let name = "ema"
    /// One line of help.
    public static let summary = "evaluates an exponential average of the parameters"
    /// Where the method was published.
    public static let citation = "Tarvainen and Valpola, NeurIPS 2017, arXiv:1703.01780, equation 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("decay", \.decay, .decay, "share of the old average in the new one")
    ]
    /// The average is evaluated.
    public static let averages = true

    /// Share of the old average in the new one.
    public var decay = 0.999

    /// Creates the default average.
    public init() {}

    /// Takes the parameters into the average, which begins behind the first step.
    public func transform(_ parameters: inout [Tensor], state: inout OptimizerState) {
        state.begin(parameters)
        for index in parameters.indices {
            var average = state.slots[index].take("average", parameters[index] + 0)
            if state.step > 1 { average.add(parameters[index] - average, scaledBy: 1 - decay) }
            state.slots[index].tensors["average"] = average
        }
    }

    /// The averages.
    public func evaluated(_ parameters: [Tensor], state: OptimizerState) -> [Tensor]? {
        state.slots.isEmpty ? nil : state.slots.map { $0.tensors["average"]! }
    }
}
