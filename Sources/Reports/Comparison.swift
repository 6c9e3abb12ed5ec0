/// The score of one run as it rose over time.
public struct RunCurve: Sendable, Codable, Equatable {
    /// Name of the method.
    public var method: String
    /// What was tuned, as a learning rate; nil where nothing is.
    public var rate: Double?
    /// Seed of the run.
    public var seed: UInt64
    /// Seconds of each evaluation, ascending.
    public var seconds: [Double]
    /// Passes over the data at each evaluation.
    public var epochs: [Double]
    /// Score at each evaluation.
    public var scores: [Double]
    /// Why it has no scores of its own; such a run counts with the score of a guess.
    public var failure: String?
    /// Structure of the weights, where a penalty makes one.
    public var structure: RunStructure?

    /// Creates a curve.
    public init(
        method: String, rate: Double?, seed: UInt64, seconds: [Double], epochs: [Double], scores: [Double],
        failure: String? = nil
    ) {
        (self.method, self.rate, self.seed) = (method, rate, seed)
        (self.seconds, self.epochs, self.scores, self.failure) = (seconds, epochs, scores, failure)
    }

    /// Score at the end.
    public var last: Double { scores.last ?? 0 }
    /// Seconds of the whole run.
    public var total: Double { seconds.last ?? 0 }

    /// Seconds at which the score first was at least a target; nil where it never was.
    public func time(to target: Double) -> Double? {
        scores.firstIndex { $0 >= target }.map { seconds[$0] }
    }

    /// The score in force at a time: that of the last evaluation before it.
    public func score(at time: Double, along axis: KeyPath<RunCurve, [Double]>) -> Double? {
        let times = self[keyPath: axis]
        guard let next = times.firstIndex(where: { $0 > time }) else { return scores.last }
        return next > 0 ? scores[next - 1] : nil
    }
}

/// The structure of one run's weights over time.
public struct RunStructure: Sendable, Codable, Equatable {
    /// Strength of the penalty, or the sparsity that it followed.
    public var strength: Double?
    /// Sparsity at each evaluation: of groups, or of singular values.
    public var sparsity: [Double]
    /// Hash of the structure at each evaluation.
    public var fingerprints: [String]
    /// Loss with penalty at the end.
    public var objective: Double?
    /// Seconds of training for one pass over the data.
    public var secondsPerEpoch: Double

    /// Creates a structure.
    public init(
        strength: Double?, sparsity: [Double], fingerprints: [String], objective: Double?, secondsPerEpoch: Double
    ) {
        (self.strength, self.sparsity, self.fingerprints) = (strength, sparsity, fingerprints)
        (self.objective, self.secondsPerEpoch) = (objective, secondsPerEpoch)
    }

    /// Evaluations among the last at which the structure was not that of the one before.
    public func changes(inLast count: Int) -> Int {
        let last = fingerprints.suffix(count + 1)
        return zip(last, last.dropFirst()).count { $0 != $1 }
    }
}

/// What the runs of one method at one strength amount to.
public struct StructureSummary: Sendable, Codable, Equatable {
    /// Name of the method.
    public var method: String
    /// Strength of the penalty.
    public var strength: Double?
    /// Mean of the final scores.
    public var score: Double
    /// Standard deviation of the final scores.
    public var scoreDeviation: Double
    /// Mean of the final sparsities.
    public var sparsity: Double
    /// Standard deviation of the final sparsities.
    public var sparsityDeviation: Double
    /// Mean number of changes of the structure over the last evaluations.
    public var changes: Double
    /// Mean final loss with penalty.
    public var objective: Double?
    /// Mean seconds of one pass over the data.
    public var secondsPerEpoch: Double
    /// Runs.
    public var runs: Int
}

/// What the runs of one method amount to.
public struct MethodSummary: Sendable, Codable, Equatable {
    /// Name of the method.
    public var method: String
    /// Runs, over rates and seeds.
    public var runs: Int
    /// Runs that failed.
    public var failures: Int
    /// Rate whose mean final score over the seeds is the highest; nil where nothing was tuned.
    public var bestRate: Double?
    /// Mean final score over the seeds at the best rate.
    public var best: Double
    /// Median final score of all runs: what an untuned choice gives.
    public var median: Double
    /// Lowest final score.
    public var worst: Double
    /// Highest score of any evaluation of any run.
    public var peak: Double
    /// Median seconds to the target at the best rate; nil where most seeds did not reach it.
    public var secondsToTarget: Double?
    /// Share of all runs that reached the target.
    public var reached: Double
    /// Mean seconds of one run at the best rate.
    public var seconds: Double
    /// Seconds of all rates, for one seed: what tuning costs.
    public var secondsWithTuning: Double
}

/// Runs of several methods on one problem.
public struct Comparison: Sendable {
    /// The runs.
    public var curves: [RunCurve]
    /// Names of the methods, in order.
    public var methods: [String]

    /// Creates a comparison.
    public init(methods: [String], curves: [RunCurve]) { (self.methods, self.curves) = (methods, curves) }

    /// The summary of each method that has runs.
    public func summaries(target: Double) -> [MethodSummary] {
        methods.compactMap { method in
            let runs = curves.filter { $0.method == method }
            guard !runs.isEmpty else { return nil }
            let byRate = Dictionary(grouping: runs, by: \.rate)
            let ranked = byRate.map { (rate: $0.key, runs: $0.value, score: Self.mean($0.value.map(\.last))) }
                .sorted { $0.score > $1.score || ($0.score == $1.score && ($0.rate ?? 0) < ($1.rate ?? 0)) }
            let best = ranked[0]
            // A seed that never reaches the target counts as one that takes forever.
            let times = best.runs.map { $0.time(to: target) ?? .infinity }
            let middle = Self.quantile(times, 0.5).flatMap { $0.isFinite ? $0 : nil }
            let seeds = Set(runs.map(\.seed)).count
            return MethodSummary(
                method: method, runs: runs.count, failures: runs.count { $0.failure != nil }, bestRate: best.rate,
                best: best.score, median: Self.quantile(runs.map(\.last), 0.5) ?? 0,
                worst: runs.map(\.last).min() ?? 0, peak: runs.flatMap(\.scores).max() ?? 0,
                secondsToTarget: middle,
                reached: Double(runs.count { $0.time(to: target) != nil }) / Double(runs.count),
                seconds: Self.mean(best.runs.map(\.total)),
                secondsWithTuning: runs.reduce(0) { $0 + $1.total } / Double(max(1, seeds)))
        }
    }

    /// Structure against score, by method and strength; runs without a structure are left out.
    ///
    /// - Parameter last: evaluations at the end over which changes are counted.
    public func structures(last: Int) -> [StructureSummary] {
        methods.flatMap { method -> [StructureSummary] in
            let runs = curves.filter { $0.method == method && $0.structure != nil && $0.failure == nil }
            let byStrength = Dictionary(grouping: runs) { $0.structure?.strength }
            return byStrength.sorted { ($0.key ?? 0) < ($1.key ?? 0) }.map { strength, runs in
                let found = runs.compactMap(\.structure)
                let sparsity = found.map { $0.sparsity.last ?? 0 }
                let objectives = found.compactMap(\.objective)
                return StructureSummary(
                    method: method, strength: strength, score: Self.mean(runs.map(\.last)),
                    scoreDeviation: Self.deviation(runs.map(\.last)), sparsity: Self.mean(sparsity),
                    sparsityDeviation: Self.deviation(sparsity),
                    changes: Self.mean(found.map { Double($0.changes(inLast: last)) }),
                    objective: objectives.isEmpty ? nil : Self.mean(objectives),
                    secondsPerEpoch: Self.mean(found.map(\.secondsPerEpoch)), runs: runs.count)
            }
        }
    }

    /// Sample standard deviation; 0 of one value.
    private static func deviation(_ values: [Double]) -> Double {
        guard values.count > 1 else { return 0 }
        let mean = mean(values)
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
    }

    /// A band of scores over time.
    public struct Band: Sendable {
        /// Times.
        public var x: [Double] = []
        /// Median over the runs.
        public var median: [Double] = []
        /// 5 % quantile.
        public var lower: [Double] = []
        /// 95 % quantile.
        public var upper: [Double] = []
    }

    /// Median and 5–95 % of all runs of a method, over rates and seeds.
    ///
    /// - Parameters:
    ///   - axis: seconds or epochs.
    ///   - points: times, evenly spread from the first evaluation that all runs have to the last.
    public func band(_ method: String, along axis: KeyPath<RunCurve, [Double]>, points: Int = 120) -> Band {
        let runs = curves.filter { $0.method == method && !$0.scores.isEmpty }
        var band = Band()
        guard let end = runs.compactMap({ $0[keyPath: axis].last }).max(), end > 0 else { return band }
        let start = runs.compactMap { $0[keyPath: axis].first }.max() ?? 0
        for k in 0..<points {
            let time = start + (end - start) * Double(k) / Double(points - 1)
            let values = runs.compactMap { $0.score(at: time, along: axis) }
            guard let middle = Self.quantile(values, 0.5), let low = Self.quantile(values, 0.05),
                let high = Self.quantile(values, 0.95)
            else { continue }
            band.x.append(time)
            band.median.append(middle)
            band.lower.append(low)
            band.upper.append(high)
        }
        return band
    }

    /// A quantile with linear interpolation, as NumPy's default; nil of nothing.
    public static func quantile(_ values: [Double], _ share: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let place = share * Double(sorted.count - 1)
        let below = Int(place)
        // Beside an infinite value, zero times the distance would be no number.
        guard place > Double(below), below + 1 < sorted.count else { return sorted[below] }
        return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
}
