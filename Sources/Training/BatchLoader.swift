import Dispatch
import Foundation
import Networks
import Settings
import Torch

/// Makes batches by their numbers; images that are augmented are made one batch ahead, beside the step.
final class BatchLoader: Sendable {
    private let x: FeatureRows
    private let y: Tensor?
    private let input: InputShape
    private let settings: BatchSettings
    /// Whether a last batch of one row belongs to the one before: one row has no variance to normalise with.
    private let mergesLoneRow: Bool
    private let queue = DispatchQueue(label: "descent.batches")
    private let next = NextBatch()

    init(x: FeatureRows, y: Tensor?, input: InputShape, settings: BatchSettings, mergesLoneRow: Bool = false) throws {
        (self.x, self.y, self.input, self.settings) = (x, y, input, settings)
        self.mergesLoneRow = mergesLoneRow
        guard settings.augmentation.isActive else { return }
        guard case .image = input else {
            throw SettingError("augmentation", "crops and flips images, but the data are none: leave it out")
        }
    }

    private var count: Int { x.count }

    /// The loader of the same rows for a network, which may take statistics of its batches.
    func prepared(for module: any Module) throws -> BatchLoader {
        let normalises = Network.bufferNames(of: module).contains { $0.hasSuffix("running_mean") }
        return try BatchLoader(
            x: x, y: y, input: input, settings: settings,
            mergesLoneRow: normalises && count > settings.size && settings.size > 1 && count % settings.size == 1)
    }

    /// What is to be said of the batches.
    var notices: [String] {
        mergesLoneRow
            ? ["the last batch of an epoch would be one row, which cannot be normalised: it is part of the one before"]
            : []
    }

    /// Batches of a pass over the training rows; the last may be of another size.
    var batchesPerEpoch: Int { max(1, (count + settings.size - 1) / settings.size - (mergesLoneRow ? 1 : 0)) }

    /// Rows of a batch, by its number from the start of the run.
    func rows(of batch: Int) -> [Int] {
        let (epoch, place) = batch.quotientAndRemainder(dividingBy: batchesPerEpoch)
        let order = EpochOrder.shared.order(count: count, seed: settings.seed, epoch: epoch)
        let start = place * settings.size
        let end = place == batchesPerEpoch - 1 ? count : start + settings.size
        return Array(order[start..<end])
    }

    /// A batch with its first rows, for an error.
    func name(of batch: Int) -> String {
        "batch \(batch) (rows \(rows(of: batch).prefix(5).map(String.init).joined(separator: ", ")), …)"
    }

    /// Features and targets of a batch.
    ///
    /// - Throws: `DataError` where rows cannot be standardised.
    func batch(_ number: Int) throws -> (x: Tensor, y: Tensor) {
        guard settings.augmentation.isActive else { return try made(number) }
        let ready = queue.sync { next.take(number) }
        let batch = try ready ?? made(number)
        // What fails ahead of time fails again when it is asked for.
        queue.async { [self] in if let ahead = try? made(number + 1) { next.put(number + 1, ahead) } }
        return batch
    }

    private func made(_ number: Int) throws -> (x: Tensor, y: Tensor) {
        let rows = rows(of: number)
        var batch = try x.rows(rows)
        if settings.augmentation.isActive, case .image(let channels, let height, let width) = input {
            var random = SplitMix64(mixing: settings.seed, 0xA06, UInt64(number))
            batch = settings.augmentation.apply(batch, image: [channels, height, width], random: &random)
        }
        return (batch, y?.gathering(rows) ?? batch)
    }
}

/// The batch that was made ahead; only the loader's queue touches it.
private final class NextBatch: @unchecked Sendable {
    private var ready: (number: Int, batch: (x: Tensor, y: Tensor))?

    func put(_ number: Int, _ batch: (x: Tensor, y: Tensor)) { ready = (number, batch) }

    func take(_ number: Int) -> (x: Tensor, y: Tensor)? {
        defer { ready = nil }
        return ready?.number == number ? ready?.batch : nil
    }
}

/// The order of rows in an epoch, made once for all its batches.
final class EpochOrder: @unchecked Sendable {
    static let shared = EpochOrder()
    private let lock = NSLock()
    private var last: (key: [UInt64], order: [Int])?

    func order(count: Int, seed: UInt64, epoch: Int) -> [Int] {
        let key = [UInt64(count), seed, UInt64(epoch)]
        return lock.withLock {
            if let last, last.key == key { return last.order }
            var random = SplitMix64(mixing: seed, 0x0DE, UInt64(epoch))
            let order = random.shuffled(Array(0..<count))
            last = (key, order)
            return order
        }
    }
}
