// A module and a problem of one's own with the trainer's epochs, checkpoints, TensorBoard events and report; then a
// module on a data set, whose file goes to `descent predict` and PyTorch.
import Descent
import Foundation

/// A layer with a gate: `(x W₁' + b₁) · σ(x W₂' + b₂)`.
struct GatedLinear: Module {
    let map: Linear
    let gate: Linear

    init(_ inputs: Int, _ outputs: Int) { (map, gate) = (Linear(inputs, outputs), Linear(inputs, outputs)) }

    func declare(_ declaration: inout Declaration) {
        declaration.part("map", map)
        declaration.part("gate", gate)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        map(x, scope.part("map")) * gate(x, scope.part("gate")).sigmoid()
    }
}

/// Codes of points on a curve: no labels, a loss of two networks' parts in one, batches made by their numbers.
struct Compression: Problem {
    let batchesPerEpoch = 50

    func batch(_ number: Int) -> Tensor {
        var random = SplitMix64(seed: UInt64(number))
        let angle = Tensor((0..<64).map { _ in Float(random.uniform() * 6.283) }, shape: [64, 1])
        return Tensor.concatenate([angle.cos(), angle.sin(), (2 * angle).cos()], dimension: 1)
    }

    func loss(_ x: Tensor, _ forward: (Tensor) -> Tensor) -> Tensor { (forward(x) - x).squared().mean() }
}

Runtime.threads = 1
let folder = FileManager.default.temporaryDirectory.path + "/descent-own-module"
let network = Sequential(GatedLinear(3, 32), Linear(32, 2), GatedLinear(2, 32), Linear(32, 3))
var trainer = Trainer(module: network, problem: Compression(), rule: UpdateRule(AdamW()), schedule: CosineSchedule())
trainer.epochs = 20
let (_, report) = try trainer.run(in: folder + "/curve", restart: true) { event in
    if let loss = event.point?.trainLoss { print("epoch \(event.evaluations): loss \(loss)") }
    return .proceed
}
print("\(report.parameters) parameters, loss \(report.trainLoss ?? .nan), page \(folder)/curve/report.html")

// The same module with labelled rows: the file holds what raw data need.
let data = try loadData(DataRequest(source: "spirals"))
let problem = try SupervisedProblem(data, batch: 64)
var optimizer = AdamW()
optimizer.lr = 0.01
var classifier = Trainer(
    module: Sequential(GatedLinear(2, 32), GatedLinear(32, 32), Linear(32, problem.outputs)), problem: problem,
    rule: UpdateRule(optimizer), schedule: CosineSchedule())
classifier.epochs = 15
let scores = try classifier.run(in: folder + "/spirals", restart: true).report
print("spirals: test accuracy \(scores.testScore ?? 0)")
let model = try NetworkModel.load(folder + "/spirals/model.safetensors")
let smaller = try model.shrunk(comparedOn: data.train.features).report
print("loaded \(model.architecture); shrinking would move its outputs by \(smaller.largestDifference)")
