import Foundation
import Optimizers
import Settings

/// The layout of trajectories of regularised optimizers: flat arrays, the rate and momentum of every step, and a problem
/// in a file of its own beside it.
///
/// `optimizer`, `penalty` and `tolerance` say what a file holds; where the first two are missing, its name does, as in
/// `ramda_exact_proxadamw_glasso_f64.json`. `source` says whose code it was, `dtype` in which precision.
struct RegularisedTrajectory: Decodable {
    struct Step: Decodable {
        var lr: Double
        var momentum: Double?
        var epsilon: Double?
        var grad: [String: [Double]]
        var weights: [String: [Double]]
    }

    struct Parameter: Decodable {
        var shape: [Int]
        var data: [Double]
    }

    struct Start: Decodable {
        var params: [String: Parameter]
    }

    var source: String?
    var dtype: String?
    var optimizer: String?
    var penalty: String?
    /// How near a right implementation comes; nil for what source and precision allow.
    var tolerance: Double?
    var problem: String
    var hyperparameters: [String: SettingValue]
    var steps: [Step]

    /// Names of optimizers in file names, with ours.
    private static let optimizers = [
        ("proxadamw", "proxgen"), ("proxssi", "proxssi"), ("proxsgd", "proxsgd"), ("rmda", "rmda"), ("ramda", "ramda"),
    ]

    /// Hyperparameters' names in the file, with ours.
    private static let names = [
        "lr": "lr", "momentum": "momentum", "betas": "betas", "epsilon": "eps", "eps": "eps", "amsgrad": "amsgrad",
        "weight_decay": "weight_decay", "max_iters": "max_iters", "rtol": "rtol",
    ]

    /// The same as a trajectory file.
    ///
    /// - Throws: `SettingError` when the name says no optimizer or the problem is missing.
    func file(path: String) throws -> TrajectoryFile {
        let url = URL(filePath: path)
        let label = url.deletingPathExtension().lastPathComponent
        let words = label.split(separator: "_").dropFirst().map(String.init)
        guard let optimizer = optimizer ?? Self.optimizers.first(where: { words.contains($0.0) })?.1 else {
            let known = Self.optimizers.map(\.0).joined(separator: ", ")
            throw SettingError(path, "it has no 'optimizer', and its name none of \(known)")
        }
        let beside = url.deletingLastPathComponent().appending(component: problem).path
        guard let data = FileManager.default.contents(atPath: beside),
            let start = try? JSONDecoder().decode(Start.self, from: data)
        else { throw SettingError(path, "the problem '\(problem)' must lie beside it") }
        func point(_ flat: [String: [Double]]) -> TrajectoryFile.Point {
            flat.reduce(into: [:]) { $0[$1.key] = NestedNumbers($1.value, shape: start.params[$1.key]?.shape ?? []) }
        }
        let initial = point(start.params.mapValues(\.data))
        var last: Double?
        let moves = steps.map { step -> TrajectoryFile.Step in
            defer { last = step.lr }
            var move = TrajectoryFile.Step(gradient: point(step.grad), after: point(step.weights))
            move.settings = ["lr": .number(step.lr)]
            move.settings?["momentum"] = step.momentum.map { .number($0) }
            if optimizer != "rmda", optimizer != "proxsgd" {
                move.settings?["eps"] = step.epsilon.map { .number($0) }
            }
            // These optimizers start afresh where the rate falls.
            move.restart = last.map { step.lr < $0 }
            return move
        }
        let regularised = start.params.filter { $0.value.shape.count >= 2 }.keys.sorted()
        let isNuclear = (penalty ?? (words.contains("nuclear") ? "nuclear" : "group_lasso")) == "nuclear"
        let strength = hyperparameters["lambda_"] ?? .number(0)
        let (settings, near) = solved(optimizer, isNuclear: isNuclear)
        var configuration = TrajectoryFile.Configuration(
            name: label, settings: settings,
            trajectories: [.init(problem: .init(name: problem, initial: initial), steps: moves)])
        configuration.tolerance = tolerance ?? near
        if strength != .number(0) {
            configuration.penalty = .init(
                name: isNuclear ? "nuclear" : "group_lasso", settings: ["lambda": strength], parameters: regularised)
        }
        return TrajectoryFile(optimizer: optimizer, configs: [configuration])
    }

    /// Settings of the optimizer, and how near a right implementation can come.
    private func solved(
        _ optimizer: String, isNuclear: Bool
    ) -> (settings: [String: SettingValue], tolerance: Double) {
        let type = OptimizerCatalogue.all.first { $0.name == optimizer }
        let known = Set(type?.hyperparameters.map(\.name) ?? [])
        var settings: [String: SettingValue] = [:]
        for (name, value) in hyperparameters {
            if let ours = Self.names[name], known.contains(ours), value != .null { settings[ours] = value }
        }
        let (isSingle, code) = (dtype == "float32", source ?? "")
        guard known.contains("solver") else {
            // ProxSSI's own Newton stops at 1e-7.
            return (settings, isSingle ? 1e-5 : isNuclear ? 1e-9 : optimizer == "proxssi" ? 1e-6 : 1e-12)
        }
        if code.contains("exact") || hyperparameters["lambda_"] == .number(0) {
            settings["max_iters"] = .number(5000)
            settings["rtol"] = .number(1e-15)
            return (settings, isNuclear ? 1e-7 : 1e-11)
        }
        settings["solver"] = .word("proximal_gradient")
        // Where a file does not say, the published codes' defaults hold, which are not ours.
        settings["max_iters"] = settings["max_iters"] ?? .number(100)
        settings["rtol"] = settings["rtol"] ?? .number(1e-8)
        // The release weighs the smooth part by the number of groups and stops too early: the file holds its error.
        return (settings, code.contains("exp") ? 1e-11 : 1)
    }
}

extension NestedNumbers {
    /// Nested lists of a shape from numbers in C order.
    init(_ flat: [Double], shape: [Int]) {
        guard let first = shape.first else {
            self = .number(flat.first ?? .nan)
            return
        }
        let size = flat.count / max(1, first)
        self = .list(
            (0..<first).map { NestedNumbers(Array(flat[$0 * size..<($0 + 1) * size]), shape: Array(shape.dropFirst())) }
        )
    }
}
