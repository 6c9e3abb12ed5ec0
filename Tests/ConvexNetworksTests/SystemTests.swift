import Foundation
import Solvers
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("The coupled linear system (identities 8.1 to 8.5)")
struct SystemTests {
    /// The coupled matrix on coupled columns, assembled by plain code: `ω I + [cones] I ⊗ K + γ F̃'F̃`.
    private func dense(_ maps: PatternOperator, blockWeight: Double, dataWeight: Double) -> Matrix {
        let program = DenseProgram(maps)
        let f = program.dataMatrix(coupled: true)
        var matrix = dataWeight * maps.layout.couplingFactor * (f.transposed * f)
        let m = maps.layout.coupledColumns
        let hasCones = maps.layout.formulation == .relu
        for a in 0..<maps.d {
            for b in 0..<maps.d {
                var k = 0.0
                for j in 0..<maps.n where hasCones {
                    k += program.rowScale[j] * program.rowScale[j] * program.x[j, a] * program.x[j, b]
                }
                for column in 0..<m { matrix[a * m + column, b * m + column] += k + (a == b ? blockWeight : 0) }
            }
        }
        return matrix
    }

    /// Directly where the method has a factor, else by iterations from `start`.
    private func solve(
        _ system: CoupledSystem, _ b: Tensor, start: Tensor? = nil,
        _ conjugateGradient: ConjugateGradient = ConjugateGradient(tolerance: 1e-13, maxIterations: 2000)
    ) -> Tensor {
        if system.isDirect { return system.solveDirectly(b) }
        let start = start ?? Tensor.zeros(like: b)
        let (solution, report) = system.improve(
            start, residual: b - system.apply(start), scale: b.norm, conjugateGradient: conjugateGradient)
        #expect(report.converged || conjugateGradient.tolerance == 0)
        return solution
    }

    @Test("G'G is the Gram matrix of the scaled rows, once for each column", arguments: ["relu", "relu, shared"])
    func coneGram(name: String) {
        let maps = Layouts.maps(name, seed: 1)
        let g = DenseProgram(maps).coneMatrix()
        let gram = Matrix(CoupledSystem.gramMatrix(maps.x, weights: maps.rowScale.squared()))
        let m = maps.layout.columns
        var expected = Matrix(maps.d * m, maps.d * m)
        for a in 0..<maps.d {
            for b in 0..<maps.d {
                for column in 0..<m { expected[a * m + column, b * m + column] = gram[a, b] }
            }
        }
        #expect(distance((g.transposed * g).values, expected.values) < 1e-13)
    }

    @Test("Sum and difference of the halves solve the full system", arguments: ["relu", "relu, three outputs"])
    func halves(name: String) throws {
        let maps = Layouts.maps(name, n: 15, d: 3, patterns: 3, seed: 2)
        let (omega, gamma) = (0.7, 1.3)
        let program = DenseProgram(maps)
        let (f, g) = (program.dataMatrix(), program.coneMatrix())
        let full = gamma * (f.transposed * f) + g.transposed * g + Matrix.identity(f.columns, scale: omega)
        var random = RandomSource(3)
        let b = random.tensor([maps.d, maps.layout.columns])
        let expected = full.solve(DenseProgram.flat(b))
        let system = try CoupledSystem(
            maps: maps, blockWeight: omega, dataWeight: gamma, method: .primalFactor, nystromRank: 0)
        let (positive, negative) = maps.layout.halves(b)
        let p = system.solveBlock(positive + negative)
        let q = solve(system, positive - negative)
        #expect(distance(maps.layout.joined((p + q) * 0.5, (p - q) * 0.5), expected) < 1e-11)
    }

    @Test("Every way to solve agrees with a dense solve", arguments: Layouts.names, LinearSolver.allCases)
    func methods(name: String, method: LinearSolver) throws {
        let maps = Layouts.maps(name, seed: 4)
        guard !(method == .dualFactor && maps.layout.directions != nil) else {
            // One factor for all outputs is not enough where each has a direction of its own.
            let system = try? CoupledSystem(
                maps: maps, blockWeight: 1, dataWeight: 1, method: method, nystromRank: 0)
            #expect(system?.method != .dualFactor)
            return
        }
        for (omega, gamma) in [(1.0, 1.0), (0.3, 10)] {
            let matrix = dense(maps, blockWeight: omega, dataWeight: gamma)
            let system = try Engine.exclusively {
                Runtime.seed(1)
                return try CoupledSystem(
                    maps: maps, blockWeight: omega, dataWeight: gamma, method: method, nystromRank: 6)
            }
            #expect(system.method != .automatic)
            var random = RandomSource(5)
            let b = random.tensor([maps.d, maps.layout.coupledColumns])
            #expect(distance(system.apply(b), matrix * DenseProgram.flat(b)) < 1e-12)
            let solution = solve(system, b)
            #expect(distance(solution, matrix.solve(DenseProgram.flat(b))) < 1e-9)
            let start = random.tensor([maps.d, maps.layout.coupledColumns])
            #expect(distance(solve(system, b, start: start), solution) < 1e-9)
        }
    }

    @Test("Single precision solves to single precision", arguments: [LinearSolver.dualFactor, .primalFactor, .gram])
    func singlePrecision(method: LinearSolver) throws {
        let maps = Layouts.maps("relu, three outputs", dtype: .float32, seed: 6)
        let matrix = dense(maps, blockWeight: 1, dataWeight: 1)
        let system = try CoupledSystem(maps: maps, blockWeight: 1, dataWeight: 1, method: method, nystromRank: 0)
        var random = RandomSource(7)
        let b = random.tensor([maps.d, maps.layout.coupledColumns], dtype: .float32)
        let solution = solve(system, b, ConjugateGradient(tolerance: 1e-6, maxIterations: 500))
        #expect(solution.dtype == .float32)
        #expect(distance(solution, matrix.solve(DenseProgram.flat(b))) < 1e-4)
    }

    @Test("The row space carries the coupled system's fit unchanged")
    func rowSpace() throws {
        let oracle = Oracle.wide
        let (u, s, vt) = try oracle.x.svd()
        let reduced = u * s
        let layout = BlockLayout(patterns: oracle.patterns, outputs: 3, formulation: .relu)
        let ones = Tensor.full([oracle.n], 1, dtype: .float64)
        var random = RandomSource(8)
        let r = random.tensor([oracle.n, 3])
        func fit(_ x: Tensor) throws -> (Tensor, PatternOperator) {
            let maps = PatternOperator(x: x, mask: oracle.d01, layout: layout, rowScale: ones)
            let system = try CoupledSystem(
                maps: maps, blockWeight: 1, dataWeight: 1, method: .dualFactor, nystromRank: 0)
            return (solve(system, maps.adjoint(r)), maps)
        }
        let (full, fullMaps) = try fit(oracle.x)
        let (short, shortMaps) = try fit(reduced)
        #expect(distance(fullMaps.forward(full), shortMaps.forward(short)) < 1e-12)
        #expect(distance(full, vt.transposedTimes(short)) < 1e-12)
    }

    /// A source that hands out columns and nothing else.
    private struct Columns: ColumnSource {
        let matrix: Tensor
        var shape: [Int] { matrix.shape }
        var dtype: DType { matrix.dtype }
        var device: Device { matrix.device }
        func columns(_ range: Range<Int>) -> Tensor { matrix.columns(range) }
    }

    @Test("Coordinates, lifted weights and other rows agree with the whole matrix, block by block")
    func rowSpaceByBlocks() throws {
        // More columns than one block of so many rows holds, and more rows than one strip.
        let (n, d) = (700, 12_500)
        var random = RandomSource(12)
        let factors = (random.tensor([n, 40], dtype: .float32), random.tensor([40, d], dtype: .float32))
        let x = Columns(matrix: factors.0.times(factors.1))
        let space = try RowSpace(x)
        #expect(space.rank == 40)
        let z = space.coordinates.to(.float64)
        let full = x.matrix.to(.float64)
        #expect(distance(z.times(z.transposed()), full.times(full.transposed())) < 1e-5)
        let w = random.tensor([40, 3], dtype: .float32)
        let lifted = space.lift(w, x: x)
        #expect(distance(x.matrix.times(lifted), space.coordinates.times(w)) < 1e-4)
        #expect(distance(space.project(lifted, x: x), w) < 1e-4)
        let other = Columns(matrix: random.tensor([5, d], dtype: .float32))
        #expect(distance(space.coordinates(of: other, x: x).times(w), other.matrix.times(lifted)) < 1e-4)
    }

    @Test("Gram-preconditioned products stay below the bound that knows no data")
    func bound() throws {
        for oracle in Oracle.all {
            for gamma in [0.1, 1, 10, 100] {
                let maps = TestProgram(oracle, .relu).maps
                let matrix = dense(maps, blockWeight: 1, dataWeight: gamma)
                let system = try CoupledSystem(
                    maps: maps, blockWeight: 1, dataWeight: gamma, method: .gram, nystromRank: 0)
                var random = RandomSource(9)
                let b = random.tensor([maps.d, maps.layout.coupledColumns])
                let exact = matrix.solve(DenseProgram.flat(b))
                let accuracy = 1e-6
                // Rows of unit norm have a smaller Gram matrix than the data, so the row norms enter the bound.
                let largest = maps.rowScale.reciprocal().squared().max().scalar
                let condition = 1 + 2 * gamma * Double(oracle.patterns) * largest
                let limit = Int((0.5 * condition.squareRoot() * log(2 / accuracy)).rounded(.up)) + 2
                let solution = solve(system, b, ConjugateGradient(tolerance: 0, maxIterations: limit))
                func energy(_ e: Matrix) -> Double { (e.transposed * (matrix * e)).values[0].squareRoot() }
                let error = energy(DenseProgram.flat(solution) - exact)
                #expect(error <= accuracy * energy(exact), "\(oracle.name), weight \(gamma)")
            }
        }
    }

    @Test("The automatic choice is exact for small problems and iterative for huge ones")
    func automatic() {
        #expect(CoupledSystem.affordable(Layouts.maps("relu", seed: 10)) != .gram)
        #expect(CoupledSystem.affordable(Layouts.maps("gated, shared", seed: 10)) == .primalFactor)
        let huge = Layouts.maps("relu", n: 40_000, d: 300, patterns: 100, dtype: .float32, seed: 11)
        #expect(CoupledSystem.affordable(huge) == .gram)
    }
}
