import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Proximal
import Settings
import Torch

/// How a model is chosen and trained; every field has a default that needs no knowledge of optimisation.
public struct FitOptions: Sendable {
    /// How the penalty β is found.
    public enum Penalty: Sendable, Equatable {
        /// `search` for tables, a fixed multiple of the number of rows for large data.
        case automatic
        /// Scores along a path of penalties: by cross-validation, or on one held-out part of large data.
        case search
        /// A given β > 0.
        case fixed(Double)
    }

    /// Where patterns come from.
    public enum Patterns: Sendable, Equatable {
        /// A short stochastic run, whose patterns and directions the convex solve keeps.
        case network
        /// This many Gaussian gates.
        case sampled(Int)
        /// Column generation.
        case grow
        /// A given source.
        case source(PatternSource)
    }

    /// The convex program, solver settings and seed.
    public var convex = ConvexSettings()
    /// The loss; nil for softmax or logistic on classes and squared on values.
    public var loss: (any Loss)?
    /// The penalty.
    public var penalty = Penalty.automatic
    /// The patterns.
    public var patterns = Patterns.network
    /// Hidden units asked for; nil for the default of the data's size.
    public var neurons: Int?
    /// Whether a column of ones is appended.
    public var hasBias = true
    /// Standardisation; nil for per column on tables and global on images.
    public var standardisation: Standardisation?
    /// A standardiser to reuse, as that of a model whose patterns are taken; nil to fit one.
    public var standardiser: Standardiser?
    /// Fraction of the training rows held out for the validation score; nil for the default.
    public var validation: Double?
    /// Precision of the solve; nil for double where it costs little, single otherwise.
    public var precision: DType?
    /// Rows up to which the penalty is searched unless asked, and by cross-validation.
    public var crossValidationRows = 25_000
    /// Numbers in the table, rows × columns, up to which the penalty is searched unless asked: seconds, not minutes.
    public var crossValidationElements = 5_000_000
    /// Folds of the cross-validation.
    public var folds = 5
    /// Where the solve runs.
    public var device = Device.cpu

    /// Creates the default options.
    public init() {}

    /// The precision of a solve: double where a product with all the data takes milliseconds, or where the tolerance
    /// asks for it. Multipliers in single precision certify about 1e-3 and no better.
    func resolvedPrecision(rows: Int, columns: Int, outputs: Int) -> DType {
        if let precision { return precision }
        if convex.tolerance < 1e-3 { return .float64 }
        let d = Double(min(rows, columns))
        let patterns = Double(Sizes(options: self, rows: rows).patterns)
        return Double(rows) * d * patterns * Double(max(1, outputs)) <= 1e8 ? .float64 : .float32
    }

    /// The loss for a task: the named one, or the task's default.
    func resolvedLoss(_ task: PredictionTask, outputs classes: Int) -> any Loss {
        if let loss { return loss }
        // The paper's splitting keeps the squared loss inside its linear system.
        if convex.admm.splitting == .two { return SquaredLoss() }
        switch task {
        case .regression: return SquaredLoss()
        case .classification: return classes == 2 ? LogisticLoss() : SoftmaxLoss()
        }
    }

    /// Everything that must be the same where a run goes on, as text: all but the limits of iterations and time.
    var identity: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            func text(_ value: some Encodable) throws -> String {
                String(decoding: try encoder.encode(value), as: UTF8.self)
            }
            func text(_ network: TwoLayerNetwork) -> String {
                "\(network.hidden.fingerprint) \(network.output.fingerprint)"
            }
            let c = convex
            var parts = [
                "\(c.formulation.rawValue) \(c.sharing.rawValue) \(c.refreshes) \(c.tolerance) \(c.seed)",
                "epochs \(c.epochs ?? -1), penalty of patterns \(c.patternPenalty ?? -1)", try text(c.admm),
                loss?.text ?? "usual loss", try text(penalty), "\(neurons ?? -1) \(hasBias)",
                "\(standardisation?.rawValue ?? "usual") \(validation ?? 0) \(precision.map { "\($0)" } ?? "usual")",
                "\(crossValidationRows) \(crossValidationElements) \(folds)",
            ]
            switch patterns {
            case .source(.gates(let gates)): parts.append("gates \(gates.fingerprint)")
            case .source(.given(let network)): parts.append("given \(text(network))")
            default: parts.append("\(patterns)")
            }
            if let first = c.initialNetwork { parts.append("from \(text(first))") }
            if let standardiser {
                var hash = FNV1a()
                hash.add(try text(standardiser))
                parts.append("prepared by \(hash.digits)")
            }
            return parts.joined(separator: "\n")
        }
    }
}
