import Settings
import Torch

/// A first-order optimizer: a value of hyperparameters, with its state held apart.
///
/// One file holds one optimizer, or a family that shares a rule; one line in ``OptimizerCatalogue`` makes it known to
/// the command line, the documentation and the conformance tests. Names and defaults of hyperparameters are those of
/// `torch.optim` where it has the optimizer, so that settings carry over as they are.
public protocol Optimizer: Configurable {
    /// Learning rate; schedules write it. ≥ 0.
    var lr: Double { get set }

    /// Moves the parameters by one step.
    ///
    /// - Parameters:
    ///   - parameters: changed in place; any shapes, one dtype and device for each with its gradient.
    ///   - gradients: `∇f` at the parameters as they come in, one for each, of the same shape.
    ///   - state: what earlier steps left; a fresh ``OptimizerState`` before the first.
    func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState)
}

/// An optimizer whose iterates are averaged: the average is what to evaluate and deploy.
public protocol AveragingOptimizer: Optimizer {
    /// The averages that belong to the parameters of the steps.
    func averages(_ parameters: [Tensor], state: OptimizerState) -> [Tensor]
}

extension Optimizer {
    /// The parameters to evaluate and deploy: an average for optimizers that keep one, else those of the steps.
    public func evaluationParameters(_ parameters: [Tensor], state: OptimizerState) -> [Tensor] {
        (self as? any AveragingOptimizer)?.averages(parameters, state: state) ?? parameters
    }
}

/// An optimizer that estimates its own learning rate: its `lr` is a factor, usually 1.
public protocol RateFindingOptimizer: Optimizer {}

/// An optimizer that treats each tensor by itself.
public protocol TensorOptimizer: Optimizer {
    /// Whether to climb: the gradient is negated before anything reads it, so that weight decay still shrinks.
    var maximize: Bool { get }

    /// Moves one parameter.
    ///
    /// - Parameters:
    ///   - slot: the parameter's own state; empty before the first step.
    ///   - t: number of this step, from 1.
    func update(_ parameter: inout Tensor, gradient: Tensor, slot: inout Slot, t: Int)
}

extension TensorOptimizer {
    /// Optimizers without the hyperparameter descend.
    public var maximize: Bool { false }

    /// Updates every tensor by itself.
    public func step(_ parameters: inout [Tensor], gradients: [Tensor], state: inout OptimizerState) {
        state.begin(parameters, gradients)
        for index in parameters.indices {
            let gradient = maximize ? -gradients[index] : gradients[index]
            update(&parameters[index], gradient: gradient, slot: &state.slots[index], t: state.step)
        }
    }
}

/// An optimizer that evaluates the function itself, more than once in a step.
public protocol ClosureOptimizer: Optimizer {
    /// Moves the parameters by one step that may evaluate the function many times.
    ///
    /// - Parameters:
    ///   - start: loss and gradients at the parameters as they come in.
    ///   - evaluate: gives loss and gradients at any parameters.
    /// - Throws: what `evaluate` throws.
    func step(
        _ parameters: inout [Tensor], start: (loss: Double, gradients: [Tensor]), state: inout OptimizerState,
        evaluate: Evaluation
    ) throws
}

/// State of one parameter: named tensors and numbers, which is what a checkpoint writes.
public struct Slot: Sendable {
    /// Moments, averages, factors.
    public var tensors: [String: Tensor] = [:]
    /// Counters and step sizes.
    public var numbers: [String: Double] = [:]

    /// Creates an empty slot.
    public init() {}

    /// Takes a tensor out, to be changed in place and put back; `initial` makes it on the first step.
    public mutating func take(_ name: String, _ initial: @autoclosure () -> Tensor) -> Tensor {
        tensors.removeValue(forKey: name) ?? initial()
    }
}

/// State of a run: the number of steps, one slot for each parameter and one for all of them.
public struct OptimizerState: Sendable {
    /// Steps done.
    public var step = 0
    /// Slots in the order of the parameters.
    public var slots: [Slot] = []
    /// What belongs to no single parameter.
    public var shared = Slot()
    /// Where its generator starts: see ``draw(_:)``.
    public var seed: UInt64 = 0

    /// Creates the state before the first step.
    public init() {}

    /// Brings all tensors into C order, as a checkpoint gives them back: products of other layouts round differently.
    mutating func makeContiguous() {
        for index in slots.indices {
            for (name, tensor) in slots[index].tensors where !tensor.isContiguous {
                slots[index].tensors[name] = tensor.contiguous()
            }
        }
    }

    /// Counts a step and makes the slots at the first one.
    public mutating func begin(_ parameters: [Tensor], _ gradients: [Tensor]) {
        demand(
            parameters.count == gradients.count, "\(parameters.count) parameters with \(gradients.count) gradients")
        // Kernels read a gradient by its parameter's length.
        for (parameter, gradient) in zip(parameters, gradients) {
            demand(
                parameter.shape == gradient.shape, "a gradient of shape \(gradient.shape) for \(parameter.shape)")
        }
        begin(parameters)
    }

    /// Counts a step of what reads no gradients, and makes the slots at the first one.
    public mutating func begin(_ parameters: [Tensor]) {
        makeSlots(parameters)
        step += 1
    }

    /// Makes an empty slot for each parameter, where there are none yet.
    public mutating func makeSlots(_ parameters: [Tensor]) {
        if slots.isEmpty { slots = parameters.map { _ in Slot() } }
        demand(slots.count == parameters.count, "state of \(slots.count) parameters for \(parameters.count)")
    }
}

extension Tensor {
    /// The gradient with the coupled (L2) penalty `weightDecay · parameter` added.
    func adding(weightDecay: Double, of parameter: Tensor) -> Tensor {
        weightDecay == 0 ? self : adding(parameter, scaledBy: weightDecay)
    }

    /// Moves towards `other`: `self + share (other − self)`.
    func moved(towards other: Tensor, by share: Double) -> Tensor {
        (self * (1 - share)).adding(other, scaledBy: share)
    }

    /// Root of the mean square of all elements.
    var rootMeanSquare: Double { (squareSum / Double(Swift.max(1, count))).squareRoot() }
}
