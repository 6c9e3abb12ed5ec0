import Foundation
import Settings
import Torch

/// Two arms of a spiral with noise.
public struct Spirals: NamedDataset {
    /// Name in place of a file.
    public static let name = "spirals"
    /// One line of help.
    public static let summary = "two arms of a spiral in the plane, 1,000 points each"
    /// Where it comes from.
    public static let citation = "made here"
    /// The sizes with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("points", \.points, .counts(2...10_000_000), "points of an arm")
    ]

    /// Points of an arm.
    public var points = 1000

    /// Creates the usual sizes.
    public init() {}

    /// What makes the rows; the same at every call.
    public func contents(in folders: [String]) -> DatasetContents { .made { try arms($0) } }

    private func arms(_ isTest: Bool) throws -> Dataset {
        try requireMemory(points, 4, bytes: 24)
        let count = points
        var noise = SplitMix64(seed: isTest ? 11 : 10)
        var places: [Double] = []
        var labels: [Int] = []
        for i in 0..<2 * count {
            let arm = i % 2
            let t = 0.25 + 3 * noise.uniform()
            let angle = t * .pi + Double(arm) * .pi
            places += [t * cos(angle) + 0.05 * noise.normal(), t * sin(angle) + 0.05 * noise.normal()]
            labels.append(arm)
        }
        return Dataset(
            name: Self.name, features: Tensor(places, shape: [2 * count, 2]), labels: labels,
            classNames: ["0", "1"], targetNames: ["arm"], featureNames: ["x", "y"],
            encoding: TableEncoding(targetName: "arm", classNames: ["0", "1"], task: .classification))
    }
}

/// Values of a two-layer ReLU network of random weights.
public struct Teacher: NamedDataset {
    /// Name in place of a file.
    public static let name = "teacher"
    /// One line of help.
    public static let summary = "values of a two-layer ReLU network of 4 units in 10 dimensions"
    /// Where it comes from.
    public static let citation = "made here"
    /// The sizes with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("rows", \.rows, .counts(2...10_000_000), "rows"),
        Setting("columns", \.columns, .counts(1...10_000), "dimensions"),
        Setting("units", \.units, .counts(1...10_000), "units of the network"),
    ]

    /// Rows.
    public var rows = 2000
    /// Dimensions.
    public var columns = 10
    /// Units of the network.
    public var units = 4

    /// Creates the usual sizes.
    public init() {}

    /// What makes the rows; the same at every call.
    public func contents(in folders: [String]) -> DatasetContents { .made { try values($0) } }

    private func values(_ isTest: Bool) throws -> Dataset {
        try requireMemory(rows, columns, bytes: 24)
        var weights = SplitMix64(seed: 20)
        let first = (0..<columns * units).map { _ in weights.normal() }
        let second = (0..<units).map { _ in weights.normal() }
        var noise = SplitMix64(seed: isTest ? 22 : 21)
        let x = Tensor((0..<rows * columns).map { _ in noise.normal() }, shape: [rows, columns])
        let y = x.times(Tensor(first, shape: [columns, units])).relu().times(Tensor(second, shape: [units, 1]))
        return Dataset(
            name: Self.name, features: x, targets: y, targetNames: ["y"],
            encoding: TableEncoding(targetName: "y", task: .regression))
    }
}

/// Noise with a faint wave of random phase; its direction is the class, so no linear model tells them apart.
public struct WideImages: NamedDataset {
    /// Name in place of a file.
    public static let name = "wide-images"
    /// One line of help.
    public static let summary = "2,600 noisy images of 130 × 130 pixels in three colours, two directions of waves"
    /// Where it comes from.
    public static let citation = "made here"
    /// The sizes with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("rows", \.rows, .counts(2...1_000_000), "training images"),
        Setting("side", \.side, .counts(2...1000), "pixels of a side"),
    ]

    /// Training images; tests have two thirteenths of them.
    public var rows = 2600
    /// Pixels of a side.
    public var side = 130

    /// Creates the usual sizes.
    public init() {}

    /// What makes the rows; the same at every call.
    public func contents(in folders: [String]) -> DatasetContents { .made { try waves($0) } }

    private func waves(_ isTest: Bool) throws -> Dataset {
        try requireMemory(rows, 3 * side * side, bytes: 8)
        let rows = isTest ? max(2, rows * 2 / 13) : rows
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
            name: Self.name, features: Tensor(values, shape: [rows, 3 * pixels]), labels: labels,
            classNames: ["0", "1"], targetNames: ["direction"], imageShape: [3, side, side],
            encoding: TableEncoding(targetName: "direction", classNames: ["0", "1"], task: .classification))
    }
}
