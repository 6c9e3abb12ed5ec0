import Settings
import Torch

/// What is done to gradients before an optimizer reads them.
///
/// One file holds one transformation, and one line in ``TransformationCatalogue`` makes it known to the command line,
/// the documentation and the conformance tests. Transformations of a chain follow one another in the order given, on
/// all parameters together (``UpdateRule/before``) or on those of a group (``ParameterGroup/before``).
public protocol GradientTransformation: Configurable {
    /// Whether it takes gradients at other points, so that a step costs more than one evaluation.
    static var evaluatesAgain: Bool { get }

    /// Changes the gradients of one step.
    ///
    /// - Parameters:
    ///   - gradients: one for each parameter, of its shape.
    ///   - parameters: where the gradients were taken.
    ///   - state: what earlier steps left; a fresh ``OptimizerState`` before the first.
    ///   - evaluate: loss and gradients at any values of the parameters.
    /// - Throws: what `evaluate` throws.
    func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) throws
}

extension GradientTransformation {
    /// Most need the gradients of the step alone.
    public static var evaluatesAgain: Bool { false }
}

/// What is done to parameters behind an optimizer's step: averages, slow weights, projections.
public protocol ParameterTransformation: Configurable {
    /// Whether other parameters are evaluated than those of the steps.
    static var averages: Bool { get }

    /// Sees the parameters that a step starts from.
    func begin(_ parameters: [Tensor], state: inout OptimizerState)

    /// Changes the parameters behind a step, or keeps an account of them.
    func transform(_ parameters: inout [Tensor], state: inout OptimizerState)

    /// The parameters to evaluate and deploy; nil for those of the steps.
    func evaluated(_ parameters: [Tensor], state: OptimizerState) -> [Tensor]?
}

extension ParameterTransformation {
    /// Most evaluate what the steps made.
    public static var averages: Bool { false }
    /// Most look at the end of a step alone.
    public func begin(_ parameters: [Tensor], state: inout OptimizerState) {}
    /// Those of the steps.
    public func evaluated(_ parameters: [Tensor], state: OptimizerState) -> [Tensor]? { nil }
}

/// Loss and gradients at some values of the parameters.
public typealias Evaluation = ([Tensor]) throws -> (loss: Double, gradients: [Tensor])

/// The gradients of a step with the norm of all of them, which is computed once.
public struct Gradients: Sendable {
    /// One for each parameter.
    public var tensors: [Tensor] { didSet { knownNorm = nil } }
    private var knownNorm: Double?

    /// Gradients as they are.
    public init(_ tensors: [Tensor]) { self.tensors = tensors }

    /// The Euclidean norm of all elements of all gradients.
    public mutating func norm() -> Double {
        if let knownNorm { return knownNorm }
        let norm = tensors.jointNorm
        knownNorm = norm
        return norm
    }
}

/// The transformations by name. A new one is one file, one line here and its reference numbers for the tests.
public enum TransformationCatalogue {
    /// What changes gradients before the optimizer.
    public static let before = Catalogue<any GradientTransformation>(
        "transformation of gradients", [ClipNorm.self, ClipValue.self, WeightDecay.self, SharpnessAware.self])
    /// What changes or averages parameters behind it.
    public static let after = Catalogue<any ParameterTransformation>(
        "transformation of parameters", [Lookahead.self, ExponentialAverage.self])

    /// All of both kinds.
    public static var all: [any Configurable.Type] { before.all + after.all }
}
