// An optimizer of one's own in every command: `swift run OwnOptimizer compare own-optimizer.yaml`.
import Descent
import DescentCommands

/// Momentum whose step has the length that the learning rate says, whatever the gradient's (You et al. 2017's idea
/// without the ratio of norms).
struct NormalisedMomentum: TensorOptimizer {
    static let name = "normalised_momentum"
    static let summary = "momentum divided by its norm; one state tensor"
    static let citation = "Hazan et al., NeurIPS 2015, arXiv:1507.02030, with momentum"
    static let settings: [Setting<Self>] = [
        .lr, Setting("momentum", \.momentum, .decay, "decay rate of the average of gradients"),
    ]

    var lr = 0.01
    var momentum = 0.9

    init() {}

    func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let average = slot.take("average", Tensor.zeros(like: parameter)) * momentum + gradient * (1 - momentum)
        parameter.add(average, scaledBy: -lr / max(average.norm, 1e-12))
        slot.tensors["average"] = average
    }
}

try OptimizerCatalogue.catalogue.register(NormalisedMomentum.self)
DescentTool.main()
