import Foundation
import Settings
import Torch

/// All pairs of numbers below p, half of them for tests (Power et al. 2022, arXiv:2201.02177).
public struct ModularArithmetic: NamedDataset {
    /// Name in place of a file.
    public static let name = "modular-arithmetic"
    /// One line of help.
    public static let summary = "tokens a, b and (a + b) mod p to predict; half of all pairs for tests"
    /// Where it comes from.
    public static let citation = "Power et al. 2022, arXiv:2201.02177"
    /// The sizes with their ranges.
    public static let settings: [Setting<Self>] = [Setting("p", \.modulus, .counts(2...1000), "the modulus")]

    /// p.
    public var modulus = 23

    /// Creates the usual sizes.
    public init() {}

    /// What makes the rows; the same at every call.
    public func contents(in folders: [String]) -> DatasetContents { .made { rows($0) } }

    private func rows(_ isTest: Bool) -> Dataset {
        let p = modulus
        let order = Split.random(count: p * p, fraction: 0.5, seed: 1)
        let rows = isTest ? order.held : order.train
        let tokens = rows.flatMap { [Float($0 / p), Float($0 % p), Float(p)] }
        var data = Dataset(
            name: Self.name, features: Tensor(tokens, shape: [rows.count, 3]),
            labels: rows.map { ($0 / p + $0 % p) % p }, classNames: (0..<p).map(String.init), targetNames: ["sum"],
            encoding: TableEncoding(targetName: "sum", classNames: (0..<p).map(String.init), task: .classification))
        data.vocabulary = p + 1
        return data
    }
}

/// Letters whose sounds of two frames melt into each other; every letter is louder behind a louder one. There is nothing
/// to predict but the frames themselves.
public struct Speech: NamedDataset {
    /// Name in place of a file.
    public static let name = "speech"
    /// One line of help.
    public static let summary = "12 letters of 20 and 24 frames of 10 numbers that they sound like; no labels"
    /// Where it comes from.
    public static let citation = "made here"
    /// The sizes with their ranges.
    public static let settings: [Setting<Self>] = [Setting("rows", \.rows, .counts(2...1_000_000), "training rows")]

    /// Training rows; tests have two fifteenths of them.
    public var rows = 3000

    /// Creates the usual sizes.
    public init() {}

    /// What makes the rows; the same at every call.
    public func contents(in folders: [String]) -> DatasetContents { .made { try frames($0) } }

    private func frames(_ isTest: Bool) throws -> Dataset {
        try requireMemory(rows, 252, bytes: 8)
        let rows = isTest ? max(1, rows * 2 / 15) : rows
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
        return Dataset(name: Self.name, features: Tensor(values, shape: [rows, 12 + 240]))
    }
}
