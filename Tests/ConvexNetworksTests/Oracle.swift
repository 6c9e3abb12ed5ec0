import Foundation
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

/// Optima by CLARABEL and ADMM traces by an independent implementation (research/cronos.md, section 9).
struct Oracle: Decodable, Sendable, CustomTestStringConvertible {
    struct Optimum: Decodable {
        var optimalValue: Double
        var dualValue: Double
        var fitted: [Double]
    }

    struct TracePoint: Decodable {
        var k: Int
        var normU: Double
        var normV: Double
        var normS: Double
        var normLam: Double
        var normNu: Double
        var primalRes: Double
        var objAtV: Double
        var u000: Double
        var vFirstBlock: [Double]

        enum CodingKeys: String, CodingKey {
            case k, normU, normV, normS, normLam, normNu, primalRes, objAtV
            case u000 = "u000"
            case vFirstBlock
        }
    }

    var name: String
    var n: Int
    var d: Int
    var patterns: Int
    var outputs: Int
    var beta: Double
    var rho: Double
    var features: [[Double]]
    var targets: [[Double]]
    var mask: [[Int]]
    var gates: [[Double]]
    var gated: [Optimum]
    var relu: [Optimum]
    var gatedTotal: Double
    var reluTotal: Double
    var traces: [[TracePoint]]
    var nonConvexBest: Double?

    enum CodingKeys: String, CodingKey {
        case name, n, d, beta, rho, gates, gated, relu, gatedTotal, reluTotal
        case patterns = "P"
        case outputs = "nOutputs"
        case features = "X"
        case targets = "Y"
        case mask = "D"
        case traces = "admmTraceReluExact"
        case nonConvexBest = "nonconvexBestOf200LbfgsWidth10"
    }

    var testDescription: String { name }
    var x: Tensor { Matrix(features).tensor }
    var y: Tensor { Matrix(targets).tensor }
    /// D as a mask.
    var d01: Tensor { Tensor(mask.flatMap { $0.map { UInt8($0) } }, shape: [n, patterns]) }

    func optima(_ formulation: Formulation) -> [Optimum] { formulation == .relu ? relu : gated }
    func total(_ formulation: Formulation) -> Double { formulation == .relu ? reluTotal : gatedTotal }
    /// Fitted values of all outputs, `n × C`.
    func fitted(_ formulation: Formulation) -> Matrix {
        Matrix(optima(formulation).map(\.fitted)).transposed
    }

    static let binary = load("cronos_a_binary")
    static let wide = load("cronos_c_wide_3class")
    static let exhaustive = load("cronos_d_exhaustive_2d")
    static let all = [binary, wide, exhaustive]

    private static func load(_ name: String) -> Oracle {
        let url = Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Resources")!
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        // The files are part of the test: failing to read one is not a result.
        return try! decoder.decode(Oracle.self, from: Data(contentsOf: url))
    }
}
