import Foundation
import Settings
import Torch

/// Averaged SGD (Polyak and Juditsky 1992), as `torch.optim.ASGD`: the average of the iterates from step `t0` on.
public struct AveragedSGD: TensorOptimizer, AveragingOptimizer {
    /// Name on the command line.
    public static let name = "averaged_sgd"
    /// One line of help.
    public static let summary = "SGD whose average of iterates is evaluated"
    /// Where the method was published.
    public static let citation = "Polyak and Juditsky, SIAM J. Control Optim. 1992"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("lambd", \.lambd, .atLeast(0), "decay of the weights, times the rate"),
        Setting("alpha", \.alpha, .atLeast(0), "power of the decay of the rate"),
        Setting("t0", \.t0, .atLeast(0), "step at which averaging starts"), .weightDecay(\.weightDecay),
        .maximize(\.maximize),
    ]

    /// Learning rate.
    public var lr = 1e-2
    /// Decay of the weights.
    public var lambd = 1e-4
    /// Power of the decay of the rate.
    public var alpha = 0.75
    /// Step at which averaging starts.
    public var t0 = 1e6
    /// L2 penalty.
    public var weightDecay = 0.0
    /// Whether to climb.
    public var maximize = false

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let eta = slot.numbers["eta"] ?? lr
        let share = slot.numbers["mu"] ?? 1
        parameter.scale(by: 1 - lambd * eta)
        parameter.add(g, scaledBy: -eta)
        let average = slot.take("ax", Tensor.zeros(like: parameter))
        slot.tensors["ax"] = share == 1 ? parameter + 0 : average.adding(parameter - average, scaledBy: share)
        slot.numbers["eta"] = lr / pow(1 + lambd * lr * Double(t), alpha)
        slot.numbers["mu"] = 1 / max(1, Double(t) - t0)
    }

    /// The averages.
    public func averages(_ parameters: [Tensor], state: OptimizerState) -> [Tensor] {
        guard state.step > 0 else { return parameters }
        return state.slots.indices.map { state.slots[$0].tensors["ax"] ?? parameters[$0] }
    }
}

/// Schedule-Free SGD (Defazio et al. 2024, Algorithm 1): no schedule, no horizon; the average `x` is evaluated.
///
/// `y = (1 − β) z + β x` is where gradients are taken, `z −= γ ∇f(y)`, and `x` is the average of the `z` weighted by
/// the square of the rate. The parameters are `y`.
public struct ScheduleFreeSGD: TensorOptimizer, AveragingOptimizer {
    /// Name on the command line.
    public static let name = "schedulefree_sgd"
    /// One line of help.
    public static let summary = "SGD with iterate averaging in place of a schedule"
    /// Where the method was published.
    public static let citation = "Defazio et al., NeurIPS 2024, arXiv:2405.15682, Algorithm 1"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("momentum", \.momentum, .decay, "β of the interpolation"), .weightDecay(\.weightDecay),
        Setting("warmup_steps", \.warmupSteps, .count(0), "steps of linear warm-up"),
        Setting("r", \.r, .atLeast(0), "power of the step number in the weights of the average"),
        Setting("weight_lr_power", \.weightLrPower, .atLeast(0), "power of the rate in the weights of the average"),
    ]

    /// Learning rate.
    public var lr = 1.0
    /// β of the interpolation.
    public var momentum = 0.9
    /// Weight decay at y.
    public var weightDecay = 0.0
    /// Steps of linear warm-up.
    public var warmupSteps = 0
    /// Power of the step number in the weights of the average.
    public var r = 0.0
    /// Power of the rate in the weights of the average.
    public var weightLrPower = 2.0

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let g = gradient.adding(weightDecay: weightDecay, of: parameter)
        let average = ScheduleFreeAverage(
            lr: lr, beta: momentum, warmupSteps: warmupSteps, r: r, weightLrPower: weightLrPower)
        average.update(&parameter, direction: g, slot: &slot, t: t)
    }

    /// The averages x.
    public func averages(_ parameters: [Tensor], state: OptimizerState) -> [Tensor] {
        ScheduleFreeAverage.points(parameters, state: state, beta: momentum)
    }
}

/// Schedule-Free AdamW (Defazio et al. 2024, Algorithm 2): the same average over steps scaled as Adam's.
public struct ScheduleFreeAdamW: TensorOptimizer, AveragingOptimizer {
    /// Name on the command line.
    public static let name = "schedulefree_adamw"
    /// One line of help.
    public static let summary = "AdamW with iterate averaging in place of a schedule"
    /// Where the method was published.
    public static let citation = "Defazio et al., NeurIPS 2024, arXiv:2405.15682, Algorithm 2"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        .lr, Setting("betas", \.betas, .decays(2), "β of the interpolation, and decay rate of the second moment"),
        .eps(\.eps),
        Setting("weight_decay", \.weightDecay, .atLeast(0), "decay of the weights at y, times the rate"),
        Setting("warmup_steps", \.warmupSteps, .count(0), "steps of linear warm-up"),
        Setting("r", \.r, .atLeast(0), "power of the step number in the weights of the average"),
        Setting("weight_lr_power", \.weightLrPower, .atLeast(0), "power of the rate in the weights of the average"),
    ]

    /// Learning rate.
    public var lr = 2.5e-3
    /// β of the interpolation, and decay rate of the second moment.
    public var betas = [0.9, 0.999]
    /// Added to the denominator.
    public var eps = 1e-8
    /// Weight decay at y.
    public var weightDecay = 0.0
    /// Steps of linear warm-up.
    public var warmupSteps = 0
    /// Power of the step number in the weights of the average.
    public var r = 0.0
    /// Power of the rate in the weights of the average.
    public var weightLrPower = 2.0

    /// Creates the default optimizer.
    public init() {}

    /// Moves one parameter.
    public func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int) {
        let v = slot.take("exp_avg_sq", Tensor.zeros(like: parameter))
            .moved(towards: gradient.squared(), by: 1 - betas[1])
        slot.tensors["exp_avg_sq"] = v
        let correction = 1 - pow(betas[1], Double(t))
        let direction = (gradient / ((v * (1 / correction)).squareRoot() + eps))
            .adding(weightDecay: weightDecay, of: parameter)
        let average = ScheduleFreeAverage(
            lr: lr, beta: betas[0], warmupSteps: warmupSteps, r: r, weightLrPower: weightLrPower)
        average.update(&parameter, direction: direction, slot: &slot, t: t)
    }

    /// The averages x.
    public func averages(_ parameters: [Tensor], state: OptimizerState) -> [Tensor] {
        ScheduleFreeAverage.points(parameters, state: state, beta: betas[0])
    }
}

/// The averaging that both share.
private struct ScheduleFreeAverage {
    let lr: Double
    let beta: Double
    let warmupSteps: Int
    let r: Double
    let weightLrPower: Double

    func update(_ y: inout Tensor, direction: Tensor, slot: inout Slot, t: Int) {
        let z = slot.take("z", y + 0)
        let warm = t <= warmupSteps ? Double(t) / Double(warmupSteps) : 1
        let rate = lr * warm
        let largest = max(slot.numbers["lr_max"] ?? 0, rate)
        let weight = pow(Double(t), r) * pow(largest, weightLrPower)
        let sum = (slot.numbers["weight_sum"] ?? 0) + weight
        let c = sum == 0 ? 0 : weight / sum
        // y moves towards z by c, then along the step: x itself need not be kept.
        y = y.moved(towards: z, by: c).adding(direction, scaledBy: rate * (beta * (1 - c) - 1))
        slot.tensors["z"] = z.adding(direction, scaledBy: -rate)
        slot.numbers["lr_max"] = largest
        slot.numbers["weight_sum"] = sum
    }

    /// `x = y + (1 − 1/β)(z − y)`.
    static func points(_ parameters: [Tensor], state: OptimizerState, beta: Double) -> [Tensor] {
        guard beta > 0, state.step > 0 else { return parameters }
        return parameters.indices.map { index in
            guard let z = state.slots[index].tensors["z"] else { return parameters[index] }
            return parameters[index].moved(towards: z, by: 1 - 1 / beta)
        }
    }
}
