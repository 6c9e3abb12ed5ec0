import Settings

/// Hyperparameters that many optimizers share.
extension Hyperparameter {
    static let lr = Hyperparameter("lr", .atLeast(0), "learning rate")
    static let eps = Hyperparameter("eps", .atLeast(0), "added to the denominator")
    static let betas = Hyperparameter("betas", .decays(2), "decay rates of the first and second moment")
    static let weightDecay = Hyperparameter("weight_decay", .atLeast(0), "L2 penalty, added to the gradient")
    static let decoupledWeightDecay = Hyperparameter(
        "weight_decay", .atLeast(0), "decoupled weight decay, times the learning rate")
    static let maximize = Hyperparameter("maximize", .flag, "climb: the gradient is negated before anything else")
    static let momentum = Hyperparameter("momentum", .decay, "decay rate of the momentum")
}
