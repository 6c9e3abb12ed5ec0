import Proximal
import RunLog
import Torch

/// One convex program: features, targets, loss, patterns and how neurons reach the outputs.
public struct ConvexProgram {
    /// Features as the network sees them (standardised, bias column included), `n × d`.
    public let x: Tensor
    /// Targets, `n × C`.
    public let y: Tensor
    /// The loss.
    public let loss: any Loss
    /// Activation patterns with their gates.
    public let patterns: ActivationPatterns
    /// Columns of the variable.
    public let layout: BlockLayout
    /// Consecutive columns that share one norm.
    public let columnsPerGroup: Int

    /// Creates a program.
    public init(
        x: Tensor, y: Tensor, loss: any Loss, patterns: ActivationPatterns, layout: BlockLayout,
        columnsPerGroup: Int = 1
    ) {
        self.x = x
        self.y = y
        self.loss = loss
        self.patterns = patterns
        self.layout = layout
        self.columnsPerGroup = columnsPerGroup
    }

    /// The smallest β at which all weights vanish, or an upper bound on it for ReLU.
    public func criticalPenalty() -> Double {
        let maps = PatternOperator(
            x: x, mask: patterns.mask, layout: layout, rowScale: Tensor.zeros(like: x, shape: [x.shape[0]]),
            isRepeated: false)
        let zero = Tensor.zeros(like: y)
        let gradient = maps.adjoint(loss.gradient(zero, y))
        let perGroup = layout.isSigned ? max(1, columnsPerGroup / 2) : columnsPerGroup
        return GroupLasso(strength: 1, columnsPerGroup: perGroup).norms(gradient).max().scalar
    }

    /// Bytes that a solve needs beside the features and targets.
    public var workingBytes: Int {
        let element = x.dtype.byteCount
        let (n, d, m) = (x.shape[0], x.shape[1], layout.columns)
        let cone = layout.formulation == .relu ? n * m : 0
        let outputs = 6 * n * layout.outputs
        let copies = PatternOperator.keepsTransposes(of: [n, d]) ? 2 : 1
        return (cone + outputs + 8 * d * m + copies * n * d) * element + n * layout.patterns + 24 * d * d
    }
}

/// What a solve found.
public struct ConvexSolution: Sendable {
    /// The network, in the units of the program's features.
    public var network: TwoLayerNetwork
    /// Bound on its distance from the optimum.
    public var certificate: Certificate
    /// Objective of the convex variable itself, `L(Fv) + β Σ‖v_b‖`.
    public var convexObjective: Double
    /// How far the convex variable leaves its cones, relative.
    public var violation: Double?
    /// Why the solve stopped.
    public var termination: Termination
    /// ADMM iterations.
    public var iterations: Int
    /// Conjugate-gradient products.
    public var innerIterations: Int
    /// How the linear system was solved.
    public var linearSolver: LinearSolver
    /// Floating-point operations in products with the data.
    public var flops: Double
    /// Residuals of the last iteration.
    public var residuals: ADMMResiduals?
    /// The state, to resume from.
    public var state: ADMMState
}
