import Torch

/// A dense matrix in plain Swift: the independent side of a comparison.
package struct Matrix {
    package let rows: Int
    package let columns: Int
    package var values: [Double]

    package init(_ rows: Int, _ columns: Int, _ values: [Double]? = nil) {
        self.rows = rows
        self.columns = columns
        self.values = values ?? [Double](repeating: 0, count: rows * columns)
        precondition(self.values.count == rows * columns)
    }

    package init(_ lists: [[Double]]) { self.init(lists.count, lists.first?.count ?? 0, lists.flatMap { $0 }) }

    package init(_ tensor: Tensor) { self.init(tensor.shape[0], tensor.shape[1], tensor.doubles()) }

    package static func identity(_ count: Int, scale: Double = 1) -> Matrix {
        var result = Matrix(count, count)
        for i in 0..<count { result[i, i] = scale }
        return result
    }

    package subscript(_ row: Int, _ column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    package var tensor: Tensor { Tensor(values, shape: [rows, columns]) }
    package var norm: Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    package var transposed: Matrix {
        var result = Matrix(columns, rows)
        for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
        return result
    }

    package static func * (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.columns == b.rows)
        var result = Matrix(a.rows, b.columns)
        for i in 0..<a.rows {
            for k in 0..<a.columns where a[i, k] != 0 {
                let factor = a[i, k]
                for j in 0..<b.columns { result.values[i * b.columns + j] += factor * b.values[k * b.columns + j] }
            }
        }
        return result
    }

    package static func * (a: Double, b: Matrix) -> Matrix { Matrix(b.rows, b.columns, b.values.map { a * $0 }) }

    package static func + (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns)
        return Matrix(a.rows, a.columns, zip(a.values, b.values).map { $0 + $1 })
    }

    package static func - (a: Matrix, b: Matrix) -> Matrix { a + -1 * b }

    /// Gaussian elimination with partial pivoting.
    package func solve(_ rhs: Matrix) -> Matrix {
        var (a, b) = (self, rhs)
        for k in 0..<rows {
            let pivot = (k..<rows).max { abs(a[$0, k]) < abs(a[$1, k]) }!
            if pivot != k {
                for j in 0..<columns { a.values.swapAt(k * columns + j, pivot * columns + j) }
                for j in 0..<b.columns { b.values.swapAt(k * b.columns + j, pivot * b.columns + j) }
            }
            for i in k + 1..<rows where a[i, k] != 0 {
                let factor = a[i, k] / a[k, k]
                for j in k..<columns { a[i, j] -= factor * a[k, j] }
                for j in 0..<b.columns { b[i, j] -= factor * b[k, j] }
            }
        }
        for k in stride(from: rows - 1, through: 0, by: -1) {
            for j in 0..<b.columns {
                var sum = b[k, j]
                for i in k + 1..<rows { sum -= a[k, i] * b[i, j] }
                b[k, j] = sum / a[k, k]
            }
        }
        return b
    }
}

/// The largest difference of corresponding numbers, relative to the largest number but at least 1.
package func distance(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    let size = b.reduce(1) { Swift.max($0, $1.magnitude) }
    var largest = 0.0
    for (x, y) in zip(a, b) where x != y {
        // A NaN on one side only must not pass as agreement.
        let difference = (x - y).magnitude
        largest = difference.isNaN ? .infinity : Swift.max(largest, difference)
    }
    return largest / size
}

/// The same for tensors.
package func distance(_ a: Tensor, _ b: Tensor) -> Double {
    a.shape == b.shape ? distance(a.doubles(), b.doubles()) : .infinity
}

/// The same against plain code.
package func distance(_ a: Tensor, _ b: Matrix) -> Double { distance(a.doubles(), b.values) }
