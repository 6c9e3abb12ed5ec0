import Torch

/// Long short-term memory (Hochreiter and Schmidhuber 1997) or gated recurrent units (Cho et al. 2014), as
/// `torch.nn.LSTM` and `torch.nn.GRU` with `batch_first`.
public struct Recurrent: Module {
    /// Which cell.
    public enum Cell: Sendable {
        case lstm
        case gru
    }

    /// The cell.
    public var cell: Cell
    /// Length of an input vector.
    public var inputs: Int
    /// Length of a hidden vector.
    public var hidden: Int
    /// Layers on top of each other.
    public var layers: Int
    /// Whether a second pass runs backwards in time; outputs are joined.
    public var isBidirectional: Bool
    /// Probability of dropping an output between layers.
    public var dropout: Double

    /// Creates a layer.
    public init(
        _ cell: Cell, _ inputs: Int, _ hidden: Int, layers: Int = 1, bidirectional: Bool = false, dropout: Double = 0
    ) {
        (self.cell, self.inputs, self.hidden, self.layers) = (cell, inputs, hidden, layers)
        (isBidirectional, self.dropout) = (bidirectional, dropout)
    }

    private var gates: Int { cell == .lstm ? 4 : 3 }
    private var directions: Int { isBidirectional ? 2 : 1 }

    private var names: [String] {
        (0..<layers).flatMap { layer in
            (0..<directions).flatMap { direction in
                ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map {
                    "\($0)_l\(layer)" + (direction == 1 ? "_reverse" : "")
                }
            }
        }
    }

    /// Declares `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, … as PyTorch does.
    public func declare(_ declaration: inout Declaration) {
        let bound = Initialiser.uniform(1 / Double(hidden).squareRoot())
        for (position, name) in names.enumerated() {
            let layer = position / (4 * directions)
            let width = layer == 0 ? inputs : hidden * directions
            let shape =
                switch position % 4 {
                case 0: [gates * hidden, width]
                case 1: [gates * hidden, hidden]
                default: [gates * hidden]
                }
            declaration.parameter(name, shape, bound)
        }
    }

    /// Maps `n × time × inputs` to `n × time × hidden`, or twice that for two directions.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let zero = Tensor.zeros(like: x, shape: [layers * directions, x.shape[0], hidden])
        let weights = Value.tensors(names.map { scope[$0] })
        let rest: [Value] = [
            weights, .bool(true), .int(layers), .double(dropout), .bool(scope.isTraining), .bool(isBidirectional),
            .bool(true),
        ]
        do {
            let operation = cell == .lstm ? NetworkOp.lstm : NetworkOp.gru
            let state = cell == .lstm ? Value.tensors([zero, zero]) : .tensor(zero)
            guard case .tensor(let output)? = try operation.call([.tensor(x), state] + rest).first else {
                fatalError("\(operation.name) returned no tensor")
            }
            return output
        } catch {
            fatalError("\(error)")
        }
    }
}
