import Datasets
import Estimators
import Foundation
import Networks
import Programs
import Settings
import Structure
import Torch

/// What shrinking did to a model: sizes, costs and how far its outputs moved.
public struct ShrinkReport: Sendable, Codable {
    /// A network's size and speed.
    public struct Side: Sendable, Codable {
        /// Elements, bytes and multiply-adds.
        public var cost: Cost
        /// Milliseconds for a batch of rows, the least of several measurements.
        public var milliseconds: Double
        /// Milliseconds for one row.
        public var millisecondsForOne: Double
        /// Bytes of the file.
        public var fileBytes: Int?
    }

    /// Before.
    public var before: Side
    /// After.
    public var after: Side
    /// Rows of a batch.
    public var batch: Int
    /// Channels that went, and those that could not.
    public var changes: [Shrinking.Change]
    /// Matrices that two thinner ones replace.
    public var factorised: [Shrinking.Factorisation]
    /// Rows that outputs were compared on.
    public var rows: Int
    /// Largest difference of an output.
    public var largestDifference: Double
    /// Largest output.
    public var largestOutput: Double
}

extension NetworkModel {
    /// The network's input.
    public var input: InputShape? { InputShape(stored: header.body.inputKind, header.body.inputSizes) }

    /// The model without what its weights do not use, and what that did.
    ///
    /// - Parameter features: rows to compare and time both networks on, `n × inputColumns`, n > 0.
    /// - Throws: `TraceError` for networks that cannot be written down; `DataError` for features of another width;
    ///   `SettingError` where outputs would move by more than rounding: 1e-4 of the largest, 1e-10 in double precision.
    public func shrunk(comparedOn features: Tensor) throws -> (model: NetworkModel, report: ShrinkReport) {
        guard let input else { throw SettingError(architecture, "has no known input") }
        let original = try Program.tracing(network, input: input)
        let old = try outputs(features)
        guard old.isFinite else { throw SettingError(architecture, "has outputs that are no numbers on these rows") }
        let largest = old.absolute().max().scalar
        var (shrinking, model) = try smaller(input, factorises: true)
        var difference = try difference(model, old, features)
        if !shrinking.factorised.isEmpty, !(difference <= tolerance * largest) {
            // A matrix may be of low rank up to rounding only where what rounds away is read.
            (shrinking, model) = try smaller(input, factorises: false)
            difference = try self.difference(model, old, features)
        }
        guard difference <= tolerance * largest else {
            throw SettingError(
                architecture, "cannot be made smaller: outputs up to \(largest) would move by up to \(difference)")
        }
        let batch = min(256, features.shape[0])
        func side(_ model: NetworkModel, _ program: Program, _ network: Network) throws -> ShrinkReport.Side {
            ShrinkReport.Side(
                cost: try Cost(program, network, input: input),
                milliseconds: try model.milliseconds(features.rows(0..<batch)),
                millisecondsForOne: try model.milliseconds(features.rows(0..<1)))
        }
        let report = ShrinkReport(
            before: try side(self, original.program, original.network),
            after: try side(model, shrinking.program, shrinking.network), batch: batch,
            changes: shrinking.changes, factorised: shrinking.factorised, rows: features.shape[0],
            largestDifference: difference, largestOutput: largest)
        return (model, report)
    }

    /// How far outputs may move, as a share of the largest one.
    private var tolerance: Double { network.parameters.values.contains { $0.dtype == .float64 } ? 1e-10 : 1e-4 }

    private func smaller(_ input: InputShape, factorises: Bool) throws -> (Shrinking, NetworkModel) {
        let shrinking = try Shrinking(network, input: input, factorises: factorises)
        var smaller = header
        smaller.body.program = shrinking.program
        return (shrinking, NetworkModel(header: smaller, network: shrinking.network))
    }

    private func difference(_ model: NetworkModel, _ old: Tensor, _ features: Tensor) throws -> Double {
        (old - (try model.outputs(features))).absolute().max().scalar
    }

    /// The least time of the network for some rows.
    private func milliseconds(_ features: Tensor) throws -> Double {
        let x = try preparation.standardiser.apply(features, dtype: network.parameters.values.first?.dtype ?? .float32)
        let clock = ContinuousClock()
        var best = Double.infinity
        let begin = clock.now
        var count = 0
        while count < 3 || (count < 50 && begin.duration(to: clock.now) < .seconds(1)) {
            let time = try clock.measure { _ = try network.output(x) }
            best = min(best, Double(time.components.seconds) * 1e3 + Double(time.components.attoseconds) * 1e-15)
            count += 1
        }
        return best
    }
}
