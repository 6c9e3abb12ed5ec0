import Networks
import Torch

/// What a network is trained on: batches of any kind, the loss of a network on one of them, and scores.
///
/// A batch depends on its number alone, so that a run that goes on from a checkpoint sees what it would have seen.
public protocol Problem<Batch> {
    /// What one evaluation of the loss sees: tensors, their pairs, indices of rows.
    associatedtype Batch

    /// Batches of a pass over the data, ≥ 1; evaluations, epochs and schedules count by it.
    var batchesPerEpoch: Int { get }

    /// A batch by its number, from 0 at the start of the run on.
    func batch(_ number: Int) throws -> Batch

    /// What a batch counts where several make one update: its rows. 1 unless given.
    func weight(of batch: Batch) -> Double

    /// The mean loss of a network on a batch, of rank 0.
    ///
    /// - Parameter forward: the network, in training mode; call it as often as the loss needs it.
    func loss(_ batch: Batch, _ forward: (Tensor) -> Tensor) throws -> Tensor

    /// Scores of a network in evaluation mode; the larger the better. None unless given: then the training loss decides.
    func scores(_ network: Network) throws -> Scores

    /// Loss and score on all training data in evaluation mode; the mean loss over the batches of a pass unless given.
    func trainingScores(_ network: Network) throws -> (loss: Double, score: Double?)

    /// Tells these data from others, as their hash does: a checkpoint of other data is refused. The type's name unless
    /// given.
    var fingerprint: String { get }

    /// What makes its batches and its loss, as their size and its name: a checkpoint of a run with other ones is refused.
    /// Nothing unless given.
    var identity: String { get }

    /// Element type and device that the network must have; nil where the problem takes any.
    var place: (dtype: DType, device: Device)? { get }

    /// Training rows, for the report.
    var rows: Int? { get }

    /// What is to be said of the data.
    var notices: [String] { get }

    /// How an error names a batch.
    func name(ofBatch number: Int) -> String

    /// Called once, before anything else is asked for.
    mutating func prepare(for module: any Module) throws
}

/// Scores of a network on data that it was not trained on; the larger the better.
public struct Scores: Sendable, Equatable {
    /// On rows that were held out of the training rows.
    public var validation: Double?
    /// On rows of their own.
    public var test: Double?

    /// Creates scores.
    public init(validation: Double? = nil, test: Double? = nil) { (self.validation, self.test) = (validation, test) }
}

extension Problem {
    /// 1.
    public func weight(of batch: Batch) -> Double { 1 }
    /// None: the training loss decides.
    public func scores(_ network: Network) throws -> Scores { Scores() }
    /// The type's name.
    public var fingerprint: String { "\(Self.self)" }
    /// Nothing.
    public var identity: String { "" }
    /// Any.
    public var place: (dtype: DType, device: Device)? { nil }
    /// None.
    public var rows: Int? { nil }
    /// None.
    public var notices: [String] { [] }
    /// Its number.
    public func name(ofBatch number: Int) -> String { "batch \(number)" }
    /// Nothing.
    public mutating func prepare(for module: any Module) throws {}

    /// The mean loss over the batches of a pass.
    public func trainingScores(_ network: Network) throws -> (loss: Double, score: Double?) {
        var (sum, weights) = (0.0, 0.0)
        for number in 0..<batchesPerEpoch {
            let batch = try batch(number)
            let weight = weight(of: batch)
            sum += weight * (try loss(batch) { network($0) }).scalar
            weights += weight
        }
        return (sum / weights, nil)
    }
}
