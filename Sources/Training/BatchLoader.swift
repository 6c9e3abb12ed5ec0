import Dispatch
import Foundation
import Networks
import Torch

/// Makes batches by their numbers; images that are augmented are made one batch ahead, beside the step.
final class BatchLoader: Sendable {
    private let problem: TrainingProblem
    private let settings: TrainingSettings
    /// Whether a last batch of one row belongs to the one before: one row has no variance to normalise with.
    private let mergesLoneRow: Bool
    private let queue = DispatchQueue(label: "descent.batches")
    private let next = NextBatch()

    init(problem: TrainingProblem, settings: TrainingSettings, normalisesBatches: Bool = false) {
        (self.problem, self.settings) = (problem, settings)
        mergesLoneRow =
            normalisesBatches && problem.train.count > settings.batch && settings.batch > 1
            && problem.train.count % settings.batch == 1
    }

    /// What is to be said of the batches.
    var notices: [String] {
        mergesLoneRow
            ? ["the last batch of an epoch would be one row, which cannot be normalised: it is part of the one before"]
            : []
    }

    /// Batches of a pass over the training rows; the last may be of another size.
    var batchesPerEpoch: Int {
        max(1, (problem.train.count + settings.batch - 1) / settings.batch - (mergesLoneRow ? 1 : 0))
    }

    /// Rows of a batch, by its number from the start of the run.
    func rows(of batch: Int) -> [Int] {
        let (epoch, place) = batch.quotientAndRemainder(dividingBy: batchesPerEpoch)
        let order = EpochOrder.shared.order(count: problem.train.count, seed: settings.seed, epoch: epoch)
        let start = place * settings.batch
        let end = place == batchesPerEpoch - 1 ? problem.train.count : start + settings.batch
        return Array(order[start..<end])
    }

    /// Features and targets of a batch.
    func batch(_ number: Int) -> (x: Tensor, y: Tensor) {
        guard settings.augmentation.isActive else { return made(number) }
        let ready = queue.sync { next.take(number) }
        let batch = ready ?? made(number)
        queue.async { [self] in next.put(number + 1, made(number + 1)) }
        return batch
    }

    private func made(_ number: Int) -> (x: Tensor, y: Tensor) {
        let rows = rows(of: number)
        var x = problem.train.x.gathering(rows)
        if settings.augmentation.isActive, case .image(let channels, let height, let width) = problem.input {
            var random = SplitMix64(mixing: settings.seed, 0xA06, UInt64(number))
            x = settings.augmentation.apply(x, image: [channels, height, width], random: &random)
        }
        return (x, problem.train.y.gathering(rows))
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
