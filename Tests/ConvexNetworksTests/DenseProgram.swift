import TestSupport
import Torch

@testable import ConvexNetworks

/// The maps of a convex program as loops over plain numbers: `u` is `d × M`, row by row.
struct DenseProgram {
    let x: Matrix
    let mask: [UInt8]
    let layout: BlockLayout
    let rowScale: [Double]

    init(_ maps: PatternOperator) {
        x = Matrix(maps.x)
        mask = maps.mask.array(of: UInt8.self)
        layout = maps.layout
        rowScale = maps.rowScale.doubles()
    }

    var n: Int { x.rows }
    var d: Int { x.columns }
    var outputs: Int { layout.outputs }
    private var directions: Matrix? { layout.directions.map { Matrix($0) } }

    func isOpen(_ row: Int, _ pattern: Int) -> Bool { mask[row * layout.patterns + pattern] != 0 }

    /// What full column `column` adds to output `c`: pattern, then sign, then output.
    private func weight(_ column: Int, _ c: Int, _ directions: Matrix?) -> Double {
        let within = column % layout.columnsPerPattern
        if let directions { return directions[column, c] }
        guard within % outputs == c else { return 0 }
        return layout.isSigned && within >= outputs ? -1 : 1
    }

    /// `F`, `(n C) × (d M)`, or `F̃` on coupled columns.
    func dataMatrix(coupled: Bool = false) -> Matrix {
        let columns = coupled ? layout.coupledColumns : layout.columns
        let width = coupled ? layout.coupledColumnsPerPattern : layout.columnsPerPattern
        let directions = directions
        var f = Matrix(n * outputs, d * columns)
        for j in 0..<n {
            for column in 0..<columns where isOpen(j, column / width) {
                for c in 0..<outputs {
                    let factor: Double
                    if coupled, directions == nil {
                        factor = column % width == c ? 1 : 0
                    } else {
                        factor = weight(column, c, directions)
                    }
                    for i in 0..<d { f[j * outputs + c, i * columns + column] = factor * x[j, i] }
                }
            }
        }
        return f
    }

    /// `G`, `(n M) × (d M)`.
    func coneMatrix() -> Matrix {
        let columns = layout.columns
        var g = Matrix(n * columns, d * columns)
        for j in 0..<n {
            for column in 0..<columns {
                let sign = isOpen(j, column / layout.columnsPerPattern) ? rowScale[j] : -rowScale[j]
                for i in 0..<d { g[j * columns + column, i * columns + column] = sign * x[j, i] }
            }
        }
        return g
    }

    /// A `rows × columns` matrix as one column.
    static func flat(_ tensor: Tensor) -> Matrix { Matrix(tensor.count, 1, tensor.doubles()) }

    /// `Σ_b ‖v_b‖` over groups of consecutive columns.
    func groupNorms(_ v: Matrix, columnsPerGroup: Int = 1) -> [Double] {
        (0..<v.columns / columnsPerGroup).map { group in
            var sum = 0.0
            for column in group * columnsPerGroup..<(group + 1) * columnsPerGroup {
                for i in 0..<v.rows { sum += v[i, column] * v[i, column] }
            }
            return sum.squareRoot()
        }
    }

    /// `½‖Fv − y‖² + β Σ‖v_b‖`.
    func squaredObjective(_ v: Matrix, _ y: Matrix, strength: Double) -> Double {
        let fit = dataMatrix() * Matrix(v.values.count, 1, v.values)
        let residual = zip(fit.values, y.values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return 0.5 * residual + strength * groupNorms(v).reduce(0, +)
    }

    /// `max_b ‖F_b'η − G_b'α_b‖`, the quantity that dual feasibility bounds by β.
    func dualNorm(_ eta: Matrix, _ alpha: Matrix?) -> Double {
        var gradient = dataMatrix().transposed * Matrix(eta.values.count, 1, eta.values)
        if let alpha { gradient = gradient - coneMatrix().transposed * Matrix(alpha.values.count, 1, alpha.values) }
        return groupNorms(Matrix(d, layout.columns, gradient.values)).max()!
    }
}

/// Layouts of every kind, with random data.
enum Layouts {
    static let names = [
        "relu", "relu, three outputs", "gated", "gated, three outputs", "relu, shared", "gated, shared",
    ]

    static func make(_ name: String, patterns p: Int, random: inout RandomSource) -> BlockLayout {
        let formulation = name.hasPrefix("relu") ? Formulation.relu : .gated
        guard name.hasSuffix("shared") else {
            return BlockLayout(patterns: p, outputs: name.contains("three") ? 3 : 1, formulation: formulation)
        }
        let raw = random.tensor([p, 3])
        let directions = raw / raw.squared().sum(1, keepingRank: true).squareRoot()
        return BlockLayout(patterns: p, outputs: 3, formulation: formulation, coupling: .directions(directions))
    }

    static func maps(
        _ name: String, n: Int = 40, d: Int = 4, patterns p: Int = 5, dtype: DType = .float64, seed: UInt64
    ) -> PatternOperator {
        var random = RandomSource(seed)
        var layout = make(name, patterns: p, random: &random)
        if case .directions(let a) = layout.coupling {
            layout = BlockLayout(
                patterns: p, outputs: layout.outputs, formulation: layout.formulation,
                coupling: .directions(a.to(dtype)))
        }
        let scale = Tensor((0..<n).map { _ in random.uniform(0.5..<2) }).to(dtype)
        return PatternOperator(
            x: random.tensor([n, d], dtype: dtype), mask: random.mask(n, p), layout: layout, rowScale: scale)
    }
}
