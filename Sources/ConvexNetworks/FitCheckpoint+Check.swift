import Torch

extension FitCheckpoint {
    /// Why a solve of these data cannot go on from here; nil where it can.
    ///
    /// A checkpoint comes from a file: kernels write its tensors in place, by the sizes of the data.
    ///
    /// - Parameters:
    ///   - x: features in the solver's coordinates, `n × d`.
    ///   - outputs: columns C of the targets.
    func fault(x: Tensor, outputs: Int, settings: ConvexSettings) -> String? {
        let (n, d, p) = (x.shape[0], x.shape[1], patterns.count)
        let isWhole = (0...1 << 50).contains(round) && (0...1 << 50).contains(state.iteration)
        guard isWhole, (0...1 << 50).contains(state.innerIterations), state.rho > 0, state.rho.isFinite else {
            return "it holds numbers that no run has"
        }
        let shared = directions.map { OutputCoupling.directions($0) } ?? .perOutput
        let columns = BlockLayout(
            patterns: p, outputs: outputs, formulation: settings.formulation, coupling: shared
        ).columns
        guard (state.w == nil) == (settings.formulation == .gated) else { return "'w' is missing or has no place" }
        let known: [(String, Tensor?, [Int])] = [
            ("gates", patterns.gates, [d, p]), ("directions", directions, [p, outputs]), ("u", state.u, [d, columns]),
            ("v", state.v, [d, columns]), ("lambda", state.lambda, [d, columns]), ("w", state.w, [n, columns]),
            ("z", state.z, [n, outputs]), ("mu", state.mu, [n, outputs]), ("fitted", state.fitted, [n, outputs]),
            ("initial.hidden", initial?.hidden, [d, initial?.output.shape.first ?? 0]),
            ("initial.output", initial?.output, [initial?.output.shape.first ?? 0, outputs]),
        ]
        for (name, tensor, shape) in known {
            guard let tensor else { continue }
            guard tensor.shape == shape, tensor.dtype == x.dtype else {
                return "'\(name)' is \(tensor.dtype)\(tensor.shape), needed \(x.dtype)\(shape)"
            }
            guard tensor.isFinite else { return "'\(name)' holds numbers that are not finite" }
        }
        guard patterns.mask.shape == [n, p], patterns.mask.dtype == .uint8 else {
            return "'mask' is \(patterns.mask.dtype)\(patterns.mask.shape), needed uint8\([n, p])"
        }
        guard p > 0, n > 0 else { return nil }
        guard patterns.mask.max().scalar <= 1 else { return "'mask' holds more than 0 and 1" }
        // Products that are nearly zero may round to the other side elsewhere.
        let others = ActivationPatterns.mask(x, patterns.gates).isEqual(to: patterns.mask).to(.float32).sumInDouble()
        return others >= 0.999 * Double(n * p) ? nil : "'mask' is not that of its gates"
    }
}
