/// Thinning of long point sequences to what a screen can show.
enum Decimation {
    /// The most points drawn for one line.
    static let limit = 800

    /// The indices to keep: the ends, and the lowest and the highest point of each of many slices.
    ///
    /// Slices are of equal width where the points run from left to right, so that a logarithmic axis keeps its
    /// sparse side, and of equal count elsewhere.
    static func indices(x: [Double], y: [Double], limit: Int = limit) -> [Int] {
        let count = min(x.count, y.count)
        guard count > max(limit, 4) else { return Array(0..<count) }
        let slices = max(1, (limit - 2) / 2)
        let start = x[0]
        let span = x[count - 1] - start
        let isSorted = span > 0 && zip(x, x.dropFirst()).allSatisfy { $0 <= $1 }
        func slice(_ index: Int) -> Int {
            let position = isSorted ? (x[index] - start) / span : Double(index) / Double(count)
            return min(slices - 1, max(0, Int(position * Double(slices))))
        }

        var kept = [0]
        func keep(_ index: Int) {
            if kept.last != index { kept.append(index) }
        }
        var lowest = 0
        var highest = 0
        var current = 0
        for index in 0..<count {
            if slice(index) != current {
                keep(min(lowest, highest))
                keep(max(lowest, highest))
                current = slice(index)
                lowest = index
                highest = index
            }
            if y[index] < y[lowest] { lowest = index }
            if y[index] > y[highest] { highest = index }
        }
        keep(min(lowest, highest))
        keep(max(lowest, highest))
        keep(count - 1)
        return kept
    }

    /// The indices to keep for a shaded band: those at which its centre or one of its edges is extreme.
    static func bandIndices(_ samples: [Sample]) -> [Int] {
        guard samples.count > limit else { return Array(samples.indices) }
        let x = samples.map(\.x)
        let edges = [samples.map(\.y), samples.map(\.lower), samples.map(\.upper)]
        return Set(edges.flatMap { indices(x: x, y: $0, limit: limit / 3) }).sorted()
    }

    /// The points to draw as dots: at most one on each screen pixel, then at most `limit`.
    static func dots(_ samples: [Sample], limit: Int = 4000) -> [Sample] {
        var seen: Set<[Int]> = []
        let distinct = samples.filter { seen.insert([Int($0.x.rounded()), Int($0.y.rounded())]).inserted }
        guard distinct.count > limit else { return distinct }
        return (0..<limit).map { distinct[$0 * distinct.count / limit] }
    }
}
