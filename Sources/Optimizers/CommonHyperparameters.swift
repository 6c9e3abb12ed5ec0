import Settings

/// Hyperparameters that many optimizers share.
extension Hyperparameter {
    // Rate and decay are multiplied, and their product must be a number in single precision.
    static let lr = Hyperparameter("lr", .within(0...1e15), "learning rate")
    static let eps = Hyperparameter("eps", .within(0...1e15), "added to the denominator")
    static let betas = Hyperparameter("betas", .decays(2), "decay rates of the first and second moment")
    static let weightDecay = Hyperparameter("weight_decay", .within(0...1e15), "L2 penalty, added to the gradient")
    static let decoupledWeightDecay = Hyperparameter(
        "weight_decay", .within(0...1e15), "decoupled weight decay, times the learning rate")
    static let maximize = Hyperparameter("maximize", .flag, "climb: the gradient is negated before anything else")
    static let momentum = Hyperparameter("momentum", .decay, "decay rate of the momentum")
}
