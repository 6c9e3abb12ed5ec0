import Settings

/// The optimizers by name. A new optimizer is one file, one line here and its reference numbers for the tests.
public enum OptimizerCatalogue {
    /// All optimizers.
    public static var all: [any Optimizer.Type] { catalogue.all.compactMap { $0 as? any Optimizer.Type } }

    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any Optimizer>(
        "optimizer",
        [
            SGD.self, Adam.self, AdamW.self, AMSGrad.self, Adagrad.self, Adadelta.self, RMSprop.self, NAdam.self,
            RAdam.self, Adamax.self, Rprop.self, AveragedSGD.self, LBFGS.self, Lion.self, Yogi.self, Adafactor.self,
            Shampoo.self, SOAP.self, Muon.self, MADGRAD.self, DAdaptAdam.self, DAdaptSGD.self, Prodigy.self,
            ScheduleFreeSGD.self, ScheduleFreeAdamW.self, RAMDA.self, RMDA.self, ProxSGD.self, ProxGen.self,
            ProxSSI.self,
        ])

    /// Creates an optimizer with some settings; the others have their defaults.
    ///
    /// - Throws: `SettingError` with the nearest names for an unknown optimizer or hyperparameter, or with the range
    ///   that a value is outside of.
    public static func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> any Optimizer {
        try catalogue.make(name, settings: settings)
    }

    /// What an optimizer can do beyond stepping.
    public enum Capability: String, Sendable, CaseIterable {
        /// Treats each tensor by itself, so that parameters may be added, dropped or spread over machines.
        case perTensor = "per tensor"
        /// Evaluates the function itself.
        case closure
        /// Asks for products of the Hessian.
        case curvature
        /// Evaluates an average of its iterates.
        case averages
        /// Solves its step together with a penalty, so that weights come out exactly zero.
        case penalty
        /// Starts afresh at every stage of the learning rate.
        case stages
        /// Estimates its own learning rate.
        case findsRate = "finds its rate"
    }

    /// The capabilities of an optimizer.
    public static func capabilities(of type: any Optimizer.Type) -> [Capability] {
        var found: [Capability] = []
        if type is any TensorOptimizer.Type { found.append(.perTensor) }
        if type is any ClosureOptimizer.Type { found.append(.closure) }
        if type is any CurvatureOptimizer.Type { found.append(.curvature) }
        if type is any AveragingOptimizer.Type { found.append(.averages) }
        if type is any ProximalOptimizer.Type { found.append(.penalty) }
        if type is any StagedOptimizer.Type { found.append(.stages) }
        if type is any RateFindingOptimizer.Type { found.append(.findsRate) }
        return found
    }
}
