import Settings

/// Hyperparameters that many optimizers share.
extension Hyperparameter {
    /// Learning rate.
    public static let lr = Hyperparameter("lr", .atLeast(0), "learning rate")
    /// Added to a denominator.
    public static let eps = Hyperparameter("eps", .atLeast(0), "added to the denominator")
    /// Decay rates of two moments.
    public static let betas = Hyperparameter("betas", .decays(2), "decay rates of the first and second moment")
    /// A coupled L2 penalty.
    public static let weightDecay = Hyperparameter("weight_decay", .atLeast(0), "L2 penalty, added to the gradient")
    /// A decay beside the gradient.
    public static let decoupledWeightDecay = Hyperparameter(
        "weight_decay", .atLeast(0), "decoupled weight decay, times the learning rate")
    /// Whether to climb.
    public static let maximize = Hyperparameter(
        "maximize", .flag, "climb: the gradient is negated before anything else")
    /// Decay rate of a momentum.
    public static let momentum = Hyperparameter("momentum", .decay, "decay rate of the momentum")
}
