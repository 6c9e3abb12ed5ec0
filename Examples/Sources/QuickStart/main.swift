// Trains a classifier on two interleaved half circles, shows its certificate, and saves and loads it.
import Descent
import Foundation

/// `count` points on two half circles with Gaussian noise, and the circle of each.
func moons(_ count: Int, noise: Double, seed: UInt64) -> (points: Tensor, labels: [Int]) {
    let labels = (0..<count).map { $0 % 2 }
    var coordinates: [Float] = []
    for (row, label) in labels.enumerated() {
        let angle = Float.pi * Float(row) / Float(count)
        coordinates += label == 0 ? [cos(angle), sin(angle)] : [1 - cos(angle), 0.5 - sin(angle)]
    }
    Runtime.seed(seed)
    let clean = Tensor(coordinates, shape: [count, 2])
    return (clean + noise * Tensor.randomNormal([count, 2]), labels)
}

// Matrices this small gain nothing from further threads.
Runtime.threads = 1
let train = moons(300, noise: 0.25, seed: 1)
let test = moons(300, noise: 0.25, seed: 2)

// No learning rate: cross-validation chooses the penalty, and the certificate says how far the solve got.
var options = FitOptions()
options.convex.maxIterations = 2_000
let fitted = try ConvexClassifier(neurons: 20, options: options).fit(train.points, train.labels)
let report = fitted.report
print("penalty \(report.penalty), \(report.penaltyChoice)")
print("\(report.neurons) neurons in \(report.patterns) activation patterns, \(report.iterations) ADMM iterations")
print("termination: \(report.termination). \(report.certificate)")

func accuracy(_ predicted: [Int], _ labels: [Int]) -> Double {
    Double(zip(predicted, labels).count { $0 == $1 }) / Double(labels.count)
}
let predicted = try fitted.predict(test.points)
print("test accuracy \(accuracy(predicted, test.labels))")

// A safetensors file with PyTorch's names: layer1.weight, layer1.bias, layer2.weight, layer2.bias.
let path = FileManager.default.temporaryDirectory.appendingPathComponent("moons.safetensors").path
try fitted.save(to: path)
let loaded = try ConvexModel.load(path)
let again = try loaded.predictedLabels(test.points)
print("the loaded model agrees on \(zip(again, predicted).count { $0 == $1 }) of \(predicted.count) rows")
try FileManager.default.removeItem(atPath: path)
