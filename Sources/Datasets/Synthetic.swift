import Foundation
import Torch

/// Data that are made instead of read; the same at every call.
public struct SyntheticData: Sendable {
    /// Name in place of a file.
    public let name: String
    /// What the rows are, in a few words.
    public let summary: String
    let make: @Sendable (_ isTest: Bool) -> Dataset

    /// All entries, in alphabetical order.
    public static let all: [SyntheticData] = [
        SyntheticData(name: "modular-arithmetic", summary: "tokens a, b and (a + b) mod 23 to predict; half for tests")
        {
            modular(23, isTest: $0)
        },
        SyntheticData(name: "speech", summary: "12 letters of 20 and 24 frames of 10 numbers that they sound like") {
            speech(rows: $0 ? 400 : 3000, isTest: $0)
        },
        SyntheticData(name: "spirals", summary: "two arms of a spiral in the plane, 1,000 points each") {
            spirals(1000, isTest: $0)
        },
        SyntheticData(name: "teacher", summary: "values of a two-layer ReLU network of 4 units in 10 dimensions") {
            teacher(rows: 2000, columns: 10, units: 4, isTest: $0)
        },
        SyntheticData(
            name: "wide-images",
            summary: "2,600 noisy images of 130 × 130 pixels in three colours, two directions of waves"
        ) { waves(rows: $0 ? 400 : 2600, side: 130, isTest: $0) },
    ]

    /// All pairs of numbers below a prime, half of them for tests (Power et al. 2022, arXiv:2201.02177).
    private static func modular(_ p: Int, isTest: Bool) -> Dataset {
        let order = Split.random(count: p * p, fraction: 0.5, seed: 1)
        let rows = isTest ? order.held : order.train
        let tokens = rows.flatMap { [Float($0 / p), Float($0 % p), Float(p)] }
        var data = Dataset(
            name: "modular-arithmetic", features: Tensor(tokens, shape: [rows.count, 3]),
            labels: rows.map { ($0 / p + $0 % p) % p }, classNames: (0..<p).map(String.init), targetNames: ["sum"],
            encoding: TableEncoding(targetName: "sum", classNames: (0..<p).map(String.init), task: .classification))
        data.vocabulary = p + 1
        return data
    }

    /// Letters whose sounds of two frames melt into each other; every letter is louder behind a louder one.
    private static func speech(rows: Int, isTest: Bool) -> Dataset {
        var sounds = SplitMix64(seed: 40)
        let spectra = (0..<20).map { _ in (0..<20).map { _ in sounds.normal() } }
        var noise = SplitMix64(seed: isTest ? 42 : 41)
        var values: [Float] = []
        for _ in 0..<rows {
            let letters = (0..<12).map { _ in Int(noise.next() % 20) }
            values += letters.map(Float.init)
            var last = [Double](repeating: 0, count: 10)
            var loudness = 1.0
            for letter in letters {
                loudness = 0.5 * loudness + 0.05 * Double(letter)
                for frame in 0..<2 {
                    last = (0..<10).map { bin in
                        0.4 * last[bin] + 0.6 * loudness * spectra[letter][10 * frame + bin] + 0.05 * noise.normal()
                    }
                    values += last.map(Float.init)
                }
            }
        }
        return Dataset(
            name: "speech", features: Tensor(values, shape: [rows, 12 + 240]),
            targets: Tensor.zeros([rows, 1]), targetNames: ["none"],
            encoding: TableEncoding(targetName: "none", task: .regression))
    }

    private static func spirals(_ count: Int, isTest: Bool) -> Dataset {
        var noise = SplitMix64(seed: isTest ? 11 : 10)
        var points: [Double] = []
        var labels: [Int] = []
        for i in 0..<2 * count {
            let arm = i % 2
            let t = 0.25 + 3 * noise.uniform()
            let angle = t * .pi + Double(arm) * .pi
            points += [t * cos(angle) + 0.05 * noise.normal(), t * sin(angle) + 0.05 * noise.normal()]
            labels.append(arm)
        }
        return Dataset(
            name: "spirals", features: Tensor(points, shape: [2 * count, 2]), labels: labels,
            classNames: ["0", "1"], targetNames: ["arm"], featureNames: ["x", "y"],
            encoding: TableEncoding(targetName: "arm", classNames: ["0", "1"], task: .classification))
    }

    /// Noise with a faint wave of random phase; its direction is the class, so no linear model tells them apart.
    private static func waves(rows: Int, side: Int, isTest: Bool) -> Dataset {
        var noise = SplitMix64(seed: isTest ? 31 : 30)
        let pixels = side * side
        var values = [Float](repeating: 0, count: rows * 3 * pixels)
        var labels: [Int] = []
        for row in 0..<rows {
            let label = row % 2
            labels.append(label)
            let angle = label == 0 ? Double.pi / 6 : Double.pi / 3
            let phase = 2 * Double.pi * noise.uniform()
            let (across, down) = (cos(angle) * 0.3, sin(angle) * 0.3)
            for pixel in 0..<pixels {
                let (y, x) = (Double(pixel / side), Double(pixel % side))
                let wave = 0.15 * sin(across * x + down * y + phase)
                for plane in 0..<3 {
                    // Uniform noise of deviation one.
                    let grain = (noise.uniform() - 0.5) * 3.464_101_615_137_754_6
                    values[(row * 3 + plane) * pixels + pixel] = Float(wave + grain)
                }
            }
        }
        return Dataset(
            name: "wide-images", features: Tensor(values, shape: [rows, 3 * pixels]), labels: labels,
            classNames: ["0", "1"], targetNames: ["direction"], imageShape: [3, side, side],
            encoding: TableEncoding(targetName: "direction", classNames: ["0", "1"], task: .classification))
    }

    private static func teacher(rows: Int, columns: Int, units: Int, isTest: Bool) -> Dataset {
        var weights = SplitMix64(seed: 20)
        let first = (0..<columns * units).map { _ in weights.normal() }
        let second = (0..<units).map { _ in weights.normal() }
        var noise = SplitMix64(seed: isTest ? 22 : 21)
        let x = Tensor((0..<rows * columns).map { _ in noise.normal() }, shape: [rows, columns])
        let y = x.times(Tensor(first, shape: [columns, units])).relu().times(Tensor(second, shape: [units, 1]))
        return Dataset(
            name: "teacher", features: x, targets: y, targetNames: ["y"],
            encoding: TableEncoding(targetName: "y", task: .regression))
    }
}
