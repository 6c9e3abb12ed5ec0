import Proximal
import TestSupport
import Torch

@testable import ConvexNetworks

/// Programs together with the gates of their patterns, and points that keep every cone by construction.
struct GatedProgram {
    var program: TestProgram
    var gates: Tensor

    static let names = [
        "relu", "relu, three outputs", "relu, grouped outputs", "relu, shared", "gated", "gated, three outputs",
        "gated, grouped outputs", "gated, shared",
    ]

    /// A random problem with a column of ones and eight gates.
    init(_ name: String, loss: any Loss = SquaredLoss(), strength: Double = 0.3, seed: UInt64) {
        var random = RandomSource(seed)
        let (n, d) = (24, 4)
        var features = Matrix(n, d, random.normals(n * d))
        for j in 0..<n { features[j, d - 1] = 1 }
        let patterns = ActivationPatterns(x: features.tensor, gates: random.tensor([d, 8]))
        let isShared = name.hasSuffix("shared")
        let isWide = isShared || name.hasSuffix("outputs")
        let layout = Layouts.make(
            name.hasPrefix("relu") ? isShared ? "relu, shared" : "relu" : isShared ? "gated, shared" : "gated",
            patterns: patterns.count, random: &random)
        let isSimplex = if case .simplex = type(of: loss).encoding { true } else { false }
        let y = targets(
            for: type(of: loss).encoding, rows: n, outputs: isWide ? 3 : isSimplex ? 2 : 1, random: &random)
        gates = patterns.gates
        program = TestProgram(
            x: features.tensor, y: y, mask: patterns.mask, formulation: layout.formulation, coupling: layout.coupling,
            loss: loss, strength: strength, columnsPerGroup: name.contains("grouped") ? 3 : 1)
    }

    init(_ oracle: Oracle, _ formulation: Formulation) {
        program = TestProgram(oracle, formulation)
        gates = Matrix(oracle.gates).tensor
    }

    /// Non-negative multiples of the gates, which lie in their own cones; every third block is zero.
    func feasiblePoint(scale: Double, random: inout RandomSource) -> Tensor {
        let layout = program.layout
        let columns = (0..<layout.columns).map { $0 / layout.columnsPerPattern }
        let factors = columns.indices.map { $0 % 3 == 2 ? 0 : random.uniform(0..<scale) }
        return gates.gathering(columns, dimension: 1) * Tensor(factors)
    }
}
