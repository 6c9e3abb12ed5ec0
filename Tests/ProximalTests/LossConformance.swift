import Foundation
import Proximal
import Settings
import TestSupport
import Torch

/// Checks that a loss keeps the promises of the `Loss` protocol; every broken one is a line of the result.
///
/// Values, gradients and conjugates are examined in double precision; `dtype` is the type that the proximal
/// operator works in.
struct LossConformance {
    let loss: any Loss
    var dtype = DType.float64
    var outputs = 3
    var rows = 12
    var sizes = [1.0, 10, 100]
    var steps = [1e-3, 1e-2, 0.1, 1, 10, 100, 1e3]

    private var name: String { type(of: loss).name }
    private var tolerance: Double { dtype == .float64 ? 1e-8 : 1e-4 }
    private var encoding: TargetEncoding { type(of: loss).encoding }

    /// All violations.
    func violations() -> [String] {
        var random = RandomSource(UInt64(outputs) + 17)
        var found: [String] = []
        for size in sizes {
            let y = targets(for: encoding, rows: rows, outputs: outputs, random: &random)
            found += gradientViolations(y, size, &random)
            found += conjugateViolations(y, size, &random)
            found += convexityViolations(y, size, &random)
            for step in steps { found += proxViolations(y, size, step, &random) }
        }
        return found
    }

    private func point(_ size: Double, _ random: inout RandomSource) -> Tensor {
        random.tensor([rows, outputs], scale: size)
    }

    // MARK: Gradient

    /// The subgradient inequality everywhere, and finite differences where the loss is smooth.
    private func gradientViolations(_ y: Tensor, _ size: Double, _ random: inout RandomSource) -> [String] {
        var found: [String] = []
        let z = point(size, &random)
        let g = loss.gradient(z, y)
        let base = loss.value(z, y)
        if g.shape != z.shape { found.append("\(name): gradient of shape \(g.shape)") }
        for _ in 0..<50 {
            let other = z + point(size, &random)
            let slack = loss.value(other, y) - base - g.dot(other - z)
            if !(slack >= -1e-9 * (1 + abs(base))) { found.append("\(name): no subgradient at size \(size): \(slack)") }
        }
        let h = 1e-5
        for _ in 0..<20 {
            let direction = point(1, &random)
            let (up, down) = (z.adding(direction, scaledBy: h), z.adding(direction, scaledBy: -h))
            guard (loss.gradient(up, y) - loss.gradient(down, y)).norm < 1e-2 else { continue }
            // One row at a time: the sum over rows of a large point would drown the difference in round-off.
            var difference = 0.0
            for j in 0..<rows {
                let row = y.rows(j..<j + 1)
                difference += loss.value(up.rows(j..<j + 1), row) - loss.value(down.rows(j..<j + 1), row)
            }
            let slope = g.dot(direction)
            let error = abs(difference / (2 * h) - slope)
            if !(error <= 1e-6 * (1 + abs(slope)) + 1e-8 * size * size) {
                found.append("\(name): finite differences differ from the gradient at size \(size) by \(error)")
            }
        }
        return found
    }

    // MARK: Conjugate

    private func conjugateViolations(_ y: Tensor, _ size: Double, _ random: inout RandomSource) -> [String] {
        var found: [String] = []
        let z = point(size, &random)
        let gradient = loss.gradient(z, y)
        for t in [0, 0.001, 0.25, 0.5, 0.999, 1] {
            let eta = gradient * t
            let conjugate = loss.conjugate(eta, y)
            guard conjugate.isFinite else {
                found.append("\(name): conjugate \(conjugate) at \(t) times a gradient")
                continue
            }
            for trial in 0..<40 {
                let other = trial == 0 ? z : point(size, &random)
                let (value, product) = (loss.value(other, y), eta.dot(other))
                let scale = 1 + abs(value) + abs(conjugate) + abs(product)
                if !(value + conjugate - product >= -1e-10 * scale) {
                    found.append("\(name): Fenchel-Young fails at t = \(t), size \(size)")
                }
                if t == 1, trial == 0, !(abs(value + conjugate - product) <= 1e-10 * scale) {
                    found.append("\(name): Fenchel-Young is no equality at the gradient, size \(size)")
                }
            }
        }
        return found
    }

    private func convexityViolations(_ y: Tensor, _ size: Double, _ random: inout RandomSource) -> [String] {
        var found: [String] = []
        for _ in 0..<50 {
            let (a, b, t) = (point(size, &random), point(size, &random), random.uniform())
            let (atA, atB) = (loss.value(a, y), loss.value(b, y))
            let between = loss.value((a * (1 - t)).adding(b, scaledBy: t), y)
            if !(between <= (1 - t) * atA + t * atB + 1e-10 * (1 + abs(atA) + abs(atB))) {
                found.append("\(name): not convex along a segment of size \(size)")
            }
        }
        return found
    }

    // MARK: Proximal operator

    private func proxViolations(
        _ y: Tensor, _ size: Double, _ step: Double, _ random: inout RandomSource
    ) -> [String] {
        let label = "\(name), \(dtype), size \(size), step \(step)"
        let (a, b) = (point(size, &random).to(dtype), point(size, &random).to(dtype))
        let (proxA, proxB) = (loss.prox(a, y.to(dtype), step: step), loss.prox(b, y.to(dtype), step: step))
        guard proxA.dtype == dtype, proxA.shape == a.shape else { return ["\(label): prox changed type or shape"] }
        guard proxA.isFinite, proxB.isFinite else { return ["\(label): prox is not finite"] }
        let (start, end) = (a.to(.float64), proxA.to(.float64))
        let unit = max(1, step, start.absolute().max().scalar)
        var found: [String] = []

        let stationarity = (end - start).adding(loss.gradient(end, y), scaledBy: step)
        let smooth = isSmooth(end, y)
        let worst = zip(stationarity.doubles(), smooth).reduce(0) { $1.1 ? max($0, abs($1.0)) : $0 }
        if !(worst <= tolerance * unit) { found.append("\(label): optimality condition off by \(worst)") }

        // The minimised function is 1/step-strongly convex, so that every move must cost this much.
        let eta = (start - end) * (1 / step)
        for trial in 0..<200 {
            let length = unit * pow(10, random.uniform(-5..<0.5))
            let move = random.tensor([rows, outputs], scale: trial % 4 == 0 ? length : length / 100)
            let growth = loss.value(end + move, y) - loss.value(end, y) - eta.dot(move)
            let slack = tolerance * unit * (move.norm / step + 1) * Double(rows * outputs)
            if !(growth >= -slack) { found.append("\(label): a perturbation is better by \(-growth)") }
        }

        let moved = end - proxB.to(.float64)
        let given = start - b.to(.float64)
        let slack = tolerance * unit * (given.norm + moved.norm)
        if !(moved.dot(moved) <= moved.dot(given) + slack) { found.append("\(label): not firmly non-expansive") }
        return found
    }

    /// Which entries are away from a kink of the loss.
    private func isSmooth(_ z: Tensor, _ y: Tensor) -> [Bool] {
        let h = 1e-3 * max(1, z.absolute().max().scalar) * (dtype == .float64 ? 1e-3 : 1)
        let difference = (loss.gradient(z + h, y) - loss.gradient(z - h, y)).absolute()
        return difference.doubles().map { $0 <= 2.5 * h }
    }
}
