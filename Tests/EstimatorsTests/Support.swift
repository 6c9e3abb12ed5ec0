import ConvexNetworks
import Datasets
import Foundation
import RunLog
import TestSupport
import Torch

@testable import Estimators

/// A folder for one test, removed with everything in it when the test lets go of it.
final class Scratch {
    let folder = FileManager.default.temporaryDirectory.path + "/estimators-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }
}

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
    _ options: FitOptions, _ data: LoadedData, resume: ConvexRunCheckpoint? = nil,
    observe: (ConvexRunEvent) -> Directive = { _ in .proceed }
) throws -> (model: ConvexModel, report: FitReport) {
    try Engine.exclusively { try ConvexTrainer(options: options).fit(data, resume: resume, observe: observe) }
}

func fault(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
