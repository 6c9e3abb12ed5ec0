import Foundation
import Settings
import Torch

/// A file of reference trajectories: what an implementation did from given points with given settings.
///
/// ```
/// {"optimizer": "adam", "configs": [{"name": "default", "settings": {"lr": 0.01}, "trajectories": [
///   {"problem": {"name": "mine", "init": {"w": [[1.0, 2.0]]}},
///    "steps": [{"grad": {"w": [[0.1, 0.2]]}, "params_after": {"w": [[0.99, 1.99]]}}]}]}]}
/// ```
/// Any problem will do where the gradients are given; optimizers that evaluate the function need one of
/// ``TestFunction/all``.
public struct TrajectoryFile: Codable, Sendable {
    /// Parameters by name, as nested lists of numbers.
    public typealias Point = [String: NestedNumbers]

    /// One setting of the optimizer.
    public struct Configuration: Codable, Sendable {
        /// What the setting is called.
        public var name: String
        /// Hyperparameters; the others have their defaults.
        public var settings: [String: SettingValue]
        /// Penalty of some parameters.
        public var penalty: Penalised?
        /// What is done to gradients before the optimizer.
        public var before: [NamedSettings]?
        /// What is done to parameters behind it.
        public var after: [NamedSettings]?
        /// How near a right implementation comes; nil for rounding.
        public var tolerance: Double?
        /// Runs with this setting.
        public var trajectories: [Trajectory]

        init(name: String, settings: [String: SettingValue], trajectories: [Trajectory]) {
            (self.name, self.settings, self.trajectories) = (name, settings, trajectories)
        }
    }

    /// A penalty with the parameters that it applies to.
    public struct Penalised: Codable, Sendable {
        /// Name of the penalty.
        public var name: String
        /// Its hyperparameters; the others have their defaults.
        public var settings: [String: SettingValue]
        /// Names of the parameters.
        public var parameters: [String]
    }

    /// One run.
    public struct Trajectory: Codable, Sendable {
        /// What was minimised, from where.
        public var problem: Problem
        /// The steps, first to last.
        public var steps: [Step]
    }

    /// What was minimised.
    public struct Problem: Codable, Sendable {
        /// Name of the function.
        public var name: String
        /// Start.
        public var initial: Point

        private enum CodingKeys: String, CodingKey {
            case name
            case initial = "init"
        }
    }

    /// One step.
    public struct Step: Codable, Sendable {
        /// Gradients before the step.
        public var grad: Point?
        /// Parameters after the step.
        public var after: Point
        /// Averages after the step, for optimizers that evaluate those.
        public var evaluated: Point?
        /// Estimated distance after the step, for optimizers that find their rate.
        public var d: Double?
        /// Hyperparameters of this step, over those of the configuration.
        public var settings: [String: SettingValue]?
        /// Whether the optimizer starts afresh before this step.
        public var restart: Bool?

        private enum CodingKeys: String, CodingKey {
            case grad, d, settings, restart
            case after = "params_after"
            case evaluated = "eval_params_after"
            case average = "ax"
        }

        init(gradient: Point, after: Point) { (grad, self.after) = (gradient, after) }

        /// Reads a step.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            grad = try values.decodeIfPresent(Point.self, forKey: .grad)
            after = try values.decode(Point.self, forKey: .after)
            evaluated =
                try values.decodeIfPresent(Point.self, forKey: .evaluated)
                ?? values.decodeIfPresent(Point.self, forKey: .average)
            d = try values.decodeIfPresent(Double.self, forKey: .d)
            settings = try values.decodeIfPresent([String: SettingValue].self, forKey: .settings)
            restart = try values.decodeIfPresent(Bool.self, forKey: .restart)
        }

        /// Writes a step.
        public func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encodeIfPresent(grad, forKey: .grad)
            try values.encode(after, forKey: .after)
            try values.encodeIfPresent(evaluated, forKey: .evaluated)
            try values.encodeIfPresent(d, forKey: .d)
            try values.encodeIfPresent(settings, forKey: .settings)
            try values.encodeIfPresent(restart, forKey: .restart)
        }
    }

    /// Name of the optimizer.
    public var optimizer: String
    /// Settings with their runs.
    public var configs: [Configuration]

    init(optimizer: String, configs: [Configuration]) { (self.optimizer, self.configs) = (optimizer, configs) }

    /// Reads a file, also of the layout with flat arrays that published trajectories of RAMDA have.
    ///
    /// - Throws: `SettingError` that says which field is missing or wrong.
    public init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SettingError(path, "cannot be read")
        }
        if let other = try? JSONDecoder().decode(RegularisedTrajectory.self, from: data) {
            self = try other.file(path: path)
            return
        }
        do {
            self = try JSONDecoder().decode(TrajectoryFile.self, from: data)
        } catch let error as DecodingError {
            throw SettingError(path, "is no trajectory file: \(Self.text(error))")
        }
    }

    private static func text(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context): "'\(key.stringValue)' is missing\(place(context))"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): context.debugDescription + place(context)
        case .dataCorrupted(let context): context.debugDescription + place(context)
        @unknown default: "it cannot be decoded"
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        return path.isEmpty ? "" : " at \(path)"
    }
}

/// A number, or a list of them, as deep as the tensor has dimensions.
public enum NestedNumbers: Codable, Sendable, Equatable {
    case number(Double)
    case list([NestedNumbers])

    /// Reads a number or a list; "inf", "-inf" and "nan" stand for what JSON lacks.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let word = try? container.decode(String.self), let number = Double(word) {
            self = .number(number)
        } else {
            self = .list(try container.decode([NestedNumbers].self))
        }
    }

    /// Writes a number or a list.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .list(let list): try container.encode(list)
        }
    }

    /// The tensor, float64; nil where the lists are ragged.
    public var tensor: Tensor? {
        guard let shape else { return nil }
        return Tensor(numbers, shape: shape)
    }

    private var numbers: [Double] {
        switch self {
        case .number(let number): [number]
        case .list(let list): list.flatMap(\.numbers)
        }
    }

    private var shape: [Int]? {
        guard case .list(let list) = self else { return [] }
        let inner = list.map(\.shape)
        guard let first = inner.first ?? .some([]), inner.allSatisfy({ $0 == first }) else { return nil }
        return [list.count] + first
    }
}
