import Testing
import Torch

@testable import Datasets

struct SplitTests {
    private let labels = (0..<100).map { [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][$0 % 10] }

    private func counts(_ rows: [Int]) -> [Int] { (0..<3).map { label in rows.count { labels[$0] == label } } }

    @Test func stratifiedSplitsKeepProportions() {
        let (train, held) = Split.stratified(labels: labels, fraction: 0.2, seed: 3)
        #expect(counts(held) == [12, 6, 2] && counts(train) == [48, 24, 8])
        #expect((train + held).sorted() == Array(0..<100) && held == held.sorted() && train == train.sorted())
        let quarter = Split.stratified(labels: labels, fraction: 0.25, seed: 3).held
        #expect(quarter.count == 25 && counts(quarter) == [15, 8, 2])
    }

    @Test func everyClassKeepsATrainingRow() {
        let (train, held) = Split.stratified(labels: [0, 0, 0, 1, 2, 2], fraction: 0.9, seed: 1)
        #expect(Set(train.map { [0, 0, 0, 1, 2, 2][$0] }) == [0, 1, 2] && held.count == 3)
        #expect(Split.stratified(labels: [], fraction: 0.5, seed: 1).train.isEmpty)
    }

    @Test func splitsDependOnTheSeedAlone() {
        let first = Split.random(count: 50, fraction: 0.3, seed: 11)
        #expect(first.held == Split.random(count: 50, fraction: 0.3, seed: 11).held && first.held.count == 15)
        #expect(first.held != Split.random(count: 50, fraction: 0.3, seed: 12).held)
        let one = Split.stratified(labels: labels, fraction: 0.2, seed: 3).held
        #expect(one == Split.stratified(labels: labels, fraction: 0.2, seed: 3).held)
        #expect(one != Split.stratified(labels: labels, fraction: 0.2, seed: 4).held)
        #expect(Split.random(count: 4, fraction: 0, seed: 0).held.isEmpty)
        #expect(Split.random(count: 4, fraction: 1, seed: 0).train.isEmpty)
    }

    @Test func splitsAreTheSameOnEveryPlatform() {
        // The generator's published first values for the seed 1234567.
        var generator = SplitMix64(seed: 1_234_567)
        #expect(
            (0..<3).map { _ in generator.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
        #expect(Split.random(count: 20, fraction: 0.25, seed: 42).held == [1, 7, 9, 15, 16])
    }

    @Test func foldsShareTheRowsOut() {
        let folds = Split.folds(count: 100, labels: labels, k: 3, seed: 5)
        #expect(folds.map(\.count) == [34, 33, 33] && folds.flatMap(\.self).sorted() == Array(0..<100))
        for label in 0..<3 {
            let sizes = folds.map { counts($0)[label] }
            #expect(sizes.max()! - sizes.min()! <= 1)
        }
        #expect(folds == Split.folds(count: 100, labels: labels, k: 3, seed: 5))
        #expect(Split.folds(count: 7, labels: nil, k: 7, seed: 5).allSatisfy { $0.count == 1 })
    }
}
