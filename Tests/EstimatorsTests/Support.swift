import ConvexNetworks
import Datasets
import Foundation
import RunLog
import TestSupport
import Torch
@_exported import TestFiles

@testable import Estimators

/// Problems that a two-layer network solves and a linear model does not.
struct Problem {
    let features: Tensor
    let labels: [Int]
    /// One target, nearly a function of the features.
    let values: [Double]

    init(rows: Int = 120, columns: Int = 3, seed: UInt64) {
        var random = RandomSource(seed)
        let numbers = (0..<rows * columns).map { _ in random.uniform(-1..<1) }
        features = Tensor(numbers, shape: [rows, columns])
        let tilt = { (j: Int) in abs(numbers[j * columns]) - 0.7 * numbers[j * columns + 1] }
        labels = (0..<rows).map { tilt($0) > 0.4 ? 2 : tilt($0) > 0.1 ? 1 : 0 }
        values = (0..<rows).map { 100 + 20 * tilt($0) + 0.2 * random.normal() }
    }

    var isHigh: [Int] { labels.map { min($0, 1) } }
    var targets: Tensor { Tensor(values, shape: [values.count, 1]) }

    /// The rows as loaded data, for what the classifier and regressor hide.
    func data(_ task: PredictionTask, test: Problem? = nil) -> LoadedData {
        let set = { (problem: Problem) in
            Dataset(
                name: "problem", features: problem.features, labels: task == .classification ? problem.labels : nil,
                classNames: task == .classification ? ["low", "middle", "high"] : [],
                targets: task == .regression ? problem.targets : nil, targetNames: ["height"])
        }
        return LoadedData(train: set(self), test: test.map(set), task: task)
    }
}

extension FitOptions {
    /// A small program of its own kind, solved in little time.
    static func small(_ patterns: Patterns = .sampled(20), penalty: Double? = 0.1) -> FitOptions {
        var options = FitOptions()
        options.patterns = patterns
        options.penalty = penalty.map { .fixed($0) } ?? .automatic
        options.convex.maxIterations = 150
        return options
    }
}

/// Trains with the process's generator to itself.
func trained(
    _ options: FitOptions, _ data: LoadedData, from checkpoint: String? = nil,
    observe: (RunEvent<ConvexModel>) -> Directive = { _ in .proceed }
) throws -> (model: ConvexModel, report: FitReport) {
    try Engine.exclusively { try ConvexTrainer(options: options).fit(data, resumingFrom: checkpoint, observe: observe) }
}
