import Settings

/// Hyperparameters that many optimizers share.
extension Setting {
    /// Added to a denominator.
    public static func eps(_ property: WritableKeyPath<Root, Double> & Sendable) -> Setting {
        Setting("eps", property, .atLeast(0), "added to the denominator")
    }

    /// Decay rates of two moments.
    public static func betas(_ property: WritableKeyPath<Root, [Double]> & Sendable) -> Setting {
        Setting("betas", property, .decays(2), "decay rates of the first and second moment")
    }

    /// A coupled L2 penalty.
    public static func weightDecay(_ property: WritableKeyPath<Root, Double> & Sendable) -> Setting {
        Setting("weight_decay", property, .atLeast(0), "L2 penalty, added to the gradient")
    }

    /// A decay beside the gradient.
    public static func decoupledWeightDecay(_ property: WritableKeyPath<Root, Double> & Sendable) -> Setting {
        Setting("weight_decay", property, .atLeast(0), "decoupled weight decay, times the learning rate")
    }

    /// Whether to climb.
    public static func maximize(_ property: WritableKeyPath<Root, Bool> & Sendable) -> Setting {
        Setting("maximize", property, .flag, "climb: the gradient is negated before anything else")
    }

    /// Decay rate of a momentum.
    public static func momentum(_ property: WritableKeyPath<Root, Double> & Sendable) -> Setting {
        Setting("momentum", property, .decay, "decay rate of the momentum")
    }
}

extension Setting where Root: Optimizer {
    /// Learning rate.
    public static var lr: Setting { Setting("lr", \.lr, .atLeast(0), "learning rate") }
}
