import Torch

/// Which convex program stands for the two-layer network.
public enum Formulation: String, Sendable, Codable, CaseIterable {
    /// Cone constraints keep every neuron in its activation pattern, so the weights are those of a ReLU network.
    case relu
    /// Fixed gates decide the patterns: no constraints, and a gated ReLU network.
    case gated
}

/// How neurons reach the outputs.
public enum OutputCoupling: Sendable {
    /// Every neuron serves one output: the outputs decouple (one-vs-all, as in the CRONOS paper).
    case perOutput
    /// Neuron `i` serves all outputs along the fixed unit vector in row `i` of the `P × C` matrix: shared neurons.
    case directions(Tensor)
}

/// How the columns of a `d × M` variable map to patterns, signs and outputs.
///
/// Per-output layouts order columns by pattern, then sign (ReLU only), then output. The *coupled* columns drop the
/// sign: by symmetry `F u` depends only on the difference of the two halves (the split into sum and difference).
public struct BlockLayout: Sendable {
    /// Number of activation patterns P.
    public let patterns: Int
    /// Number of outputs C.
    public let outputs: Int
    /// Which program.
    public let formulation: Formulation
    /// How neurons reach the outputs.
    public let coupling: OutputCoupling

    /// Creates a layout.
    public init(patterns: Int, outputs: Int, formulation: Formulation, coupling: OutputCoupling = .perOutput) {
        self.patterns = patterns
        self.outputs = outputs
        self.formulation = formulation
        self.coupling = coupling
    }

    /// The output directions, when neurons are shared.
    public var directions: Tensor? {
        if case .directions(let matrix) = coupling { return matrix }
        return nil
    }

    /// Whether columns come in a positive and a negative half.
    public var isSigned: Bool { formulation == .relu && directions == nil }
    /// Coupled columns of one pattern.
    public var coupledColumnsPerPattern: Int { directions == nil ? outputs : 1 }
    /// Columns of one pattern.
    public var columnsPerPattern: Int { coupledColumnsPerPattern * (isSigned ? 2 : 1) }
    /// Columns of the variable, M.
    public var columns: Int { patterns * columnsPerPattern }
    /// Columns that couple through the data term.
    public var coupledColumns: Int { patterns * coupledColumnsPerPattern }
    /// Factor of `F̃'F̃` in the coupled system: 2 when both halves share it.
    public var couplingFactor: Double { isSigned ? 2 : 1 }

    /// Splits a signed variable into its positive and negative half, each in coupled columns.
    func halves(_ u: Tensor) -> (positive: Tensor, negative: Tensor) {
        let rows = u.shape[0]
        let split = u.reshaped(rows, patterns, 2, outputs)
        return (split.select(2, 0).reshaped(rows, coupledColumns), split.select(2, 1).reshaped(rows, coupledColumns))
    }

    /// Joins the two halves of a signed variable.
    func joined(_ positive: Tensor, _ negative: Tensor) -> Tensor {
        let rows = positive.shape[0]
        let parts = [positive, negative].map { $0.reshaped(rows, patterns, outputs) }
        return Tensor.stack(parts, dimension: 2).reshaped(rows, columns)
    }

    /// The combination of columns that `F` sees: the difference of the halves, or the variable itself.
    func coupled(_ u: Tensor) -> Tensor {
        guard isSigned else { return u }
        let (positive, negative) = halves(u)
        return positive - negative
    }
}
