import Torch

/// Divides rows into parts, the same for the same seed on every platform.
public enum Split {
    /// Holds back a fraction of the rows, each class in proportion; both lists ascend.
    ///
    /// `round(fraction * n)` rows are held back, less where a class would otherwise lose its last training row.
    /// Traps unless the fraction lies in `0...1`.
    public static func stratified(
        labels: [Int], fraction: Double, seed: UInt64
    ) -> (train: [Int], held: [Int]) {
        let count = rounded(fraction, of: labels.count)
        return divided(labels.count, drawn(count, labels: labels, seed: seed, leavingOne: true))
    }

    /// Holds back `round(fraction * count)` of the rows; both lists ascend. Traps unless the fraction lies in `0...1`.
    public static func random(count: Int, fraction: Double, seed: UInt64) -> (train: [Int], held: [Int]) {
        divided(count, drawn(rounded(fraction, of: count), of: count, seed: seed))
    }

    /// The rows of each of `k` folds, ascending, whose sizes differ by one at most, and for each class too.
    ///
    /// Traps unless `2 <= k <= count` and there are as many labels, where given, as rows.
    public static func folds(count: Int, labels: [Int]?, k: Int, seed: UInt64) -> [[Int]] {
        demand(2 <= k && k <= count, "\(k) folds of \(count) rows")
        demand(labels == nil || labels!.count == count, "\(labels?.count ?? 0) labels for \(count) rows")
        var generator = SplitMix64(seed: seed)
        var folds = [[Int]](repeating: [], count: k)
        var next = 0
        for group in groups(labels ?? [Int](repeating: 0, count: count)) {
            for row in generator.shuffled(group) {
                folds[next % k].append(row)
                next += 1
            }
        }
        return folds.map { $0.sorted() }
    }

    /// Draws exactly `count` of `total` rows, ascending.
    static func drawn(_ count: Int, of total: Int, seed: UInt64) -> [Int] {
        var generator = SplitMix64(seed: seed)
        return generator.shuffled(Array(0..<total)).prefix(count).sorted()
    }

    /// Draws `count` rows, ascending, each class in proportion and, where that is possible, with one row at least.
    ///
    /// With `leavingOne`, one row of each class stays behind and none has to be drawn.
    static func drawn(_ count: Int, labels: [Int], seed: UInt64, leavingOne: Bool) -> [Int] {
        let groups = groups(labels)
        let shares = groups.map { Double(count) * Double($0.count) / Double(max(labels.count, 1)) }
        let least = leavingOne || count < groups.count ? 0 : 1
        let most = groups.map { leavingOne ? $0.count - 1 : $0.count }
        var quotas = shares.indices.map { min(max(Int(shares[$0]), least), most[$0]) }
        var total = quotas.reduce(0, +)
        // The first of equal shares is taken, so that the result does not depend on any order but that of classes.
        while total < count {
            let open = quotas.indices.filter { quotas[$0] < most[$0] }
            guard let first = open.first else { break }
            let chosen = open.reduce(first) {
                shares[$1] - Double(quotas[$1]) > shares[$0] - Double(quotas[$0]) ? $1 : $0
            }
            quotas[chosen] += 1
            total += 1
        }
        while total > count {
            let open = quotas.indices.filter { quotas[$0] > least }
            guard let first = open.first else { break }
            let chosen = open.reduce(first) {
                shares[$1] - Double(quotas[$1]) < shares[$0] - Double(quotas[$0]) ? $1 : $0
            }
            quotas[chosen] -= 1
            total -= 1
        }
        var generator = SplitMix64(seed: seed)
        return zip(groups, quotas).flatMap { generator.shuffled($0).prefix($1) }.sorted()
    }

    private static func rounded(_ fraction: Double, of count: Int) -> Int {
        demand((0...1).contains(fraction), "a fraction of \(fraction)")
        return Int((fraction * Double(count)).rounded())
    }

    /// The rows of each class, by ascending label.
    private static func groups(_ labels: [Int]) -> [[Int]] {
        Dictionary(grouping: labels.indices, by: { labels[$0] }).sorted { $0.key < $1.key }.map(\.value)
    }

    private static func divided(_ count: Int, _ held: [Int]) -> (train: [Int], held: [Int]) {
        var isHeld = [Bool](repeating: false, count: count)
        for row in held { isHeld[row] = true }
        return ((0..<count).filter { !isHeld[$0] }, held)
    }
}
