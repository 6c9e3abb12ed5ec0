import ConvexNetworks
import Datasets
import Proximal
import RunLog
import Torch

/// The features of a run as its solver sees them: scaled, or, for more columns than rows, their coordinates in the
/// row space. Only a block of columns of wide features is ever scaled at a time.
struct TrainingDesign {
    /// The training rows.
    let x: Tensor
    /// Columns of the network that comes out, the bias among them.
    let columns: Int
    /// The row space of wide data.
    private let space: RowSpace?
    private let source: StandardisedColumns

    init(_ train: Dataset, standardiser: Standardiser, options: FitOptions, dtype: DType, watch: Stopwatch) throws {
        source = try StandardisedColumns(
            train.features, standardiser: standardiser, dtype: dtype, appendsOnes: options.hasBias,
            device: options.device)
        columns = source.shape[1]
        let tooLarge = DataError(
            subject: train.name, problem: "some values are too large for \(dtype)",
            advice: "Rescale those columns or the target, or ask for double precision (`precision` float64)")
        guard columns > train.count else {
            space = nil
            x = try source.matrix()
            guard x.isFinite else { throw tooLarge }
            return
        }
        let wide = source
        let result: Result<RowSpace, TorchError> = watch.measure("rowSpace") {
            Result { () throws(TorchError) in try RowSpace(wide) }
        }
        if case .failure(let error) = result, error.operation == RowSpace.overflow { throw tooLarge }
        let found = try result.get()
        space = found
        x = found.coordinates
    }

    /// What the report says of a reduction.
    var notice: String? {
        space.map { "\(columns) columns for \(x.shape[0]) rows: solved in the row space of rank \($0.rank)" }
    }

    /// Other rows as the solver sees them.
    func matrix(_ set: Dataset) throws -> Tensor {
        let rows = try StandardisedColumns(
            set.features, standardiser: source.standardiser, dtype: source.dtype, appendsOnes: source.appendsOnes,
            device: source.device)
        return try space.map { $0.coordinates(of: rows, x: source) } ?? rows.matrix()
    }

    /// A network of the solver as one of scaled features.
    func lifted(_ network: TwoLayerNetwork) -> TwoLayerNetwork {
        space.map { $0.lift(network, x: source) } ?? network
    }

    /// Patterns that are given for scaled features, for the solver.
    func reduced(_ patterns: PatternSource) -> PatternSource {
        guard let space else { return patterns }
        switch patterns {
        case .gates(let gates): return .gates(space.project(gates.to(source.dtype), x: source))
        case .given(let network): return .given(space.project(network.converted(like: x), x: source))
        default: return patterns
        }
    }
}

extension StandardisedColumns: ColumnSource {}
