import Torch

/// A line search for the strong Wolfe conditions (Nocedal and Wright 2006, Algorithms 3.5 and 3.6), in the order of
/// steps that `torch.optim.LBFGS` takes.
struct StrongWolfe {
    /// Sufficient decrease: c₁ in equation (3.7a).
    static let decrease = 1e-4
    /// Curvature: c₂ in equation (3.7b).
    static let curvature = 0.9
    /// A point on the line.
    struct Trial {
        var length: Double
        var loss: Double
        var gradient: Tensor
        var slope: Double
    }

    let origin: Tensor
    let direction: Tensor
    /// Trials beyond the first at most.
    let limit: Int

    /// Finds a length; returns the loss and the gradient there.
    ///
    /// - Parameters:
    ///   - start: the origin as a trial of length 0.
    ///   - length: the first length to try.
    ///   - tolerance: largest change of the parameters at which the search ends.
    func run(
        from start: Trial, length: Double, tolerance: Double,
        evaluate: (Tensor) throws -> (loss: Double, gradient: Tensor)
    ) rethrows -> Trial {
        func trial(_ length: Double) throws -> Trial {
            let (loss, gradient) = try evaluate(origin.adding(direction, scaledBy: length))
            return Trial(length: length, loss: loss, gradient: gradient, slope: gradient.dot(direction))
        }
        var (previous, current) = (start, try trial(length))
        var bracket: [Trial]?
        var count = 0
        while count < limit {
            if !decreases(current, start) || (count > 1 && current.loss >= previous.loss) {
                bracket = [previous, current]
                break
            }
            if isFlat(current, start) { return current }
            if current.slope >= 0 {
                bracket = [previous, current]
                break
            }
            let bounds = (current.length + 0.01 * (current.length - previous.length), current.length * 10)
            let next = Self.cubicMinimum(previous, current, bounds: bounds)
            previous = current
            current = try trial(next)
            count += 1
        }
        return try zoom(bracket ?? [start, current], start, count: count, tolerance: tolerance, trial: trial)
    }

    private func decreases(_ trial: Trial, _ start: Trial) -> Bool {
        trial.loss <= start.loss + Self.decrease * trial.length * start.slope
    }

    private func isFlat(_ trial: Trial, _ start: Trial) -> Bool { abs(trial.slope) <= -Self.curvature * start.slope }

    /// Narrows a bracket until a point in it meets both conditions.
    private func zoom(
        _ initial: [Trial], _ start: Trial, count: Int, tolerance: Double, trial: (Double) throws -> Trial
    ) rethrows -> Trial {
        var bracket = initial
        var count = count
        var isStuck = false
        let size = direction.absolute().max().scalar
        var low = bracket[0].loss <= bracket[1].loss ? 0 : 1
        while count < limit, abs(bracket[1].length - bracket[0].length) * size >= tolerance {
            let (least, most) = (
                min(bracket[0].length, bracket[1].length), max(bracket[0].length, bracket[1].length)
            )
            var length = Self.cubicMinimum(bracket[0], bracket[1], bounds: (least, most))
            let margin = 0.1 * (most - least)
            if min(most - length, length - least) < margin {
                // Twice in a row near an end: move away from it.
                if isStuck || length >= most || length <= least {
                    length = abs(length - most) < abs(length - least) ? most - margin : least + margin
                    isStuck = false
                } else {
                    isStuck = true
                }
            } else {
                isStuck = false
            }
            let new = try trial(length)
            count += 1
            if !decreases(new, start) || new.loss >= bracket[low].loss {
                bracket[1 - low] = new
                low = bracket[0].loss <= bracket[1].loss ? 0 : 1
                continue
            }
            if isFlat(new, start) { return new }
            if new.slope * (bracket[1 - low].length - bracket[low].length) >= 0 { bracket[1 - low] = bracket[low] }
            bracket[low] = new
        }
        return bracket[low]
    }

    /// Minimum of the cubic through two points with their slopes (Nocedal and Wright, equation 3.59), within bounds.
    static func cubicMinimum(_ a: Trial, _ b: Trial, bounds: (Double, Double)) -> Double {
        let d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
        let square = d1 * d1 - a.slope * b.slope
        guard square >= 0 else { return (bounds.0 + bounds.1) / 2 }
        let d2 = square.squareRoot()
        let (left, right) = a.length <= b.length ? (a, b) : (b, a)
        let position =
            right.length - (right.length - left.length)
            * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
        return min(max(position, bounds.0), bounds.1)
    }
}
