import Proximal
import Torch

/// Targets as a loss's encoding makes them, built here by hand from labels.
package func targets(
    for encoding: TargetEncoding, rows: Int, outputs: Int, dtype: DType = .float64, random: inout RandomSource
) -> Tensor {
    var values = [Double](repeating: 0, count: rows * outputs)
    for j in 0..<rows {
        let label = random.integer(max(2, outputs))
        for c in 0..<outputs {
            let isHit = outputs == 1 ? label == 1 : label == c
            switch encoding {
            case .values: values[j * outputs + c] = random.normal()
            case .signs: values[j * outputs + c] = isHit ? 1 : -1
            case .oneHot: values[j * outputs + c] = isHit ? 1 : outputs == 1 ? -1 : 0
            case .simplex: values[j * outputs + c] = isHit ? 1 : 0
            }
        }
    }
    return Tensor(values, shape: [rows, outputs]).to(dtype)
}
