import Foundation
import Settings
import Testing
import Torch

@testable import Networks

/// Reference numbers that PyTorch made: see `Generate/fixtures.py`.
enum Fixtures {
    static func load<T: Decodable>(_ name: String, as type: T.Type = T.self) -> T {
        let url = Bundle.module.url(forResource: "Resources/\(name)", withExtension: "json")!
        do {
            return try JSONDecoder().decode(T.self, from: Data(contentsOf: url))
        } catch {
            preconditionFailure("\(name).json: \(error)")
        }
    }

    /// The formula of the fixtures: a hash of the name and the position, in [-1, 1).
    static func values(_ name: String, _ count: Int) -> [Double] {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (0..<count).map { i in
            var z = hash &+ UInt64(i + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z = z ^ (z >> 31)
            return 2 * (Double(z >> 11) * 0x1p-53) - 1
        }
    }
}

/// One tensor of a fixture: `offset + scale · v`, or `offset + scale · |v|`.
struct Rule: Decodable {
    var name: String?
    var shape: [Int]
    var kind: String?
    var offset: Double?
    var scale: Double?
    var abs: Bool?
    var vocabulary: Int?

    func tensor(_ name: String) -> Tensor {
        let values = Fixtures.values(name, shape.reduce(1, *))
        if kind == "tokens" {
            let tokens = values.map { Int64((($0 + 1) / 2 * Double(vocabulary!)).rounded(.down)) }
            return Tensor(tokens, shape: shape)
        }
        let scaled = values.map { (offset ?? 0) + (scale ?? 1) * (abs == true ? Swift.abs($0) : $0) }
        return Tensor(scaled, shape: shape)
    }
}

/// What is stored of a tensor.
struct Digest: Decodable {
    var name: String?
    var shape: [Int]?
    var sum: Double
    var squares: Double
    var samples: [Double]
    var values: [Double]?

    /// The largest deviation of a tensor, relative to its size, and absolute below `floor`.
    func deviation(_ tensor: Tensor, isOutput: Bool = false, floor: Double = 1e-10) -> Double {
        let values = tensor.doubles()
        let expected = samples
        let taken = isOutput ? Array(values.prefix(8)) + Array(values.suffix(4)) : Array(values.prefix(expected.count))
        guard taken.count == expected.count else { return .infinity }
        let size = (squares / Double(max(1, values.count))).squareRoot() + floor
        var worst = zip(taken, expected).map { Swift.abs($0 - $1) / (size + Swift.abs($1)) }.max() ?? 0
        let norm = (squares * Double(values.count)).squareRoot() + floor
        worst = max(worst, Swift.abs(values.reduce(0, +) - sum) / norm)
        let total = values.reduce(0) { $0 + $1 * $1 }
        return max(worst, Swift.abs(total - squares) / (squares + floor))
    }
}

/// A module's reference run.
struct ModuleCase: Decodable, CustomTestStringConvertible, Sendable {
    var name: String
    var kind: String
    var config: [String: SettingValue]
    var mode: String
    var input: Rule?
    var parameters: [Rule]
    var buffers: [Rule]
    var output: Digest
    var loss: Double?
    var gradients: [Digest]
    var inputGradient: Digest?
    var buffersAfter: [Digest]?

    var testDescription: String { name }

    func int(_ key: String) -> Int { Int(config[key]!.number!) }
    func double(_ key: String) -> Double { config[key]!.number! }
    func ints(_ key: String) -> [Int] {
        guard case .list(let list)? = config[key] else { return [] }
        return list.map { Int($0.number!) }
    }
    func flag(_ key: String) -> Bool { config[key] == .flag(true) }
}
extension Rule: Sendable {}
extension Digest: Sendable {}
