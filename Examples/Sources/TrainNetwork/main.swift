// A module of one's own, trained by hand with an optimizer of the catalogue, then the trainer with a convex head.
import Descent

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

Runtime.threads = 1
let data = try loadData(DataRequest(source: "spirals"))
let x = data.train.features.to(.float32)
let y = Tensor(data.train.labels!.map(Int64.init))

var network = Network(Sequential(GatedLinear(2, 32), GatedLinear(32, 32), Linear(32, 1)), seed: 1)
var state = OptimizerState()
var optimizer = AdamW()
optimizer.lr = 0.02
for step in 1...300 {
    let found = try network.lossAndGradients(x) { TrainingLoss.binaryCrossEntropy($0, y) }
    optimizer.step(&network.parameters.values, gradients: found.gradients, state: &state)
    if step % 100 == 0 { print("step \(step): loss \(found.value.scalar)") }
}

var settings = TrainingSettings()
settings.modelSettings = ["hidden": .list([.number(32), .number(32), .number(16)])]
settings.head = ConvexHead()
settings.head?.penalty = 1e-3
settings.optimizer = "dadapt_adam"
settings.optimizerSettings = ["lr": .number(1)]
let (_, report) = try Trainer(settings: settings).fit(data)
print("convex head: test accuracy \(report.testScore ?? 0), no learning rate chosen")
