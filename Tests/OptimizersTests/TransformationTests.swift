import Foundation
import Settings
import Testing
import Torch
@testable import Trajectories

@testable import Optimizers

@Suite("What is around an optimizer follows its references")
struct TransformationTests {
    static let names = TransformationCatalogue.all.map { $0.name }

    private func load(_ name: String) throws -> TrajectoryFile {
        let url = Bundle.module.url(forResource: "Resources/transformations/" + name, withExtension: "json")
        return try TrajectoryFile(contentsOf: #require(url).path)
    }

    @Test("Every step of every run agrees, of each alone and of a chain", arguments: names + ["chain"])
    func agrees(name: String) throws {
        let deviations = try Verification.replay(load(name))
        #expect(!deviations.isEmpty)
        for deviation in deviations {
            #expect(deviation.steps >= 10 && deviation.largest <= 1e-12, "step \(deviation.step)")
        }
    }

    @Test("A changed hyperparameter leaves the trajectory, whichever it is", arguments: names)
    func hyperparameters(name: String) throws {
        let type = try #require(TransformationCatalogue.all.first { $0.name == name })
        let configuration = try #require(load(name).configs.first)
        let run = try #require(configuration.trajectories.first)
        for hyperparameter in type.hyperparameters {
            var changed = configuration
            func change(_ chain: inout [NamedSettings]) throws {
                let number = try #require(chain[0].settings[hyperparameter.name]?.number)
                let isWhole = number == number.rounded()
                chain[0].settings[hyperparameter.name] = .number(isWhole ? number + 1 : number * 1.05)
            }
            if changed.before?.isEmpty == false { try change(&changed.before!) } else { try change(&changed.after!) }
            let rule = try #require(try changed.rule(OptimizerCatalogue.make("sgd", settings: changed.settings)))
            #expect(try Verification.replay(rule, run, changed).largest > 1e-8, "\(hyperparameter.name)")
        }
    }

    @Test("An entry of the state that a single step forgets is noticed", arguments: names)
    func memory(name: String) throws {
        let configuration = try #require(load(name).configs.first)
        let run = try #require(configuration.trajectories.first)
        let rule = try #require(
            try configuration.rule(OptimizerCatalogue.make("sgd", settings: configuration.settings)))
        var changing = Set<String>()
        _ = try Verification.replay(rule, run, configuration) { before, after in
            for (old, new) in zip(before.parts, after.parts).dropFirst() where !old.slots.isEmpty {
                for (name, tensor) in new.slots[0].tensors
                where tensor.doubles() != old.slots[0].tensors[name]?.doubles() {
                    changing.insert(name)
                }
            }
        }
        for entry in changing {
            let isCaught = try (1..<run.steps.count - 1).contains { step in
                try Verification.replay(rule, run, configuration) { before, after in
                    guard before.step == step else { return }
                    // The optimizer's own state comes first.
                    for part in after.parts.indices.dropFirst() {
                        after.parts[part].slots[0].tensors[entry] = before.parts[part].slots[0].tensors[entry]
                    }
                }.largest > 1e-8
            }
            #expect(isCaught, "\(entry)")
        }
        // Without an entry there is nothing to forget.
        #expect(changing.isEmpty == !["lookahead", "ema"].contains(name))
    }

    @Test("Defaults are within their ranges, names are those of the settings, and no name is taken twice")
    func catalogue() throws {
        for type in TransformationCatalogue.all {
            let defaults = type.init().settings
            #expect(Set(defaults.keys) == Set(type.hyperparameters.map(\.name)), "\(type.name)")
            for one in type.hyperparameters { #expect(one.allows(try #require(defaults[one.name])), "\(type.name)") }
            #expect(!type.summary.isEmpty && !type.citation.isEmpty)
        }
        #expect(Set(Self.names).count == Self.names.count)
    }

    @Test("Text names an entry and its settings, by name or in their order")
    func text() throws {
        let types = TransformationCatalogue.all
        func read(_ text: String) throws -> NamedSettings { try NamedSettings(text: text, among: types) }
        #expect(try read("ema") == NamedSettings("ema"))
        #expect(try read("clip-norm( 2.5 )") == NamedSettings("clip_norm", settings: ["max_norm": .number(2.5)]))
        let both = NamedSettings("lookahead", settings: ["k": .number(3), "alpha": .number(0.25)])
        #expect(try read("lookahead(3, alpha=0.25)") == both && read(both.text) == both)
        for broken in ["", "ema(0.9", "(0.9)", "ema(0.9, 1)", "ema(=1)", "lookahead(3, k=4)"] {
            #expect(throws: SettingError.self, "\(broken)") { try read(broken) }
        }
        let decoded = try JSONDecoder().decode(
            [NamedSettings].self, from: Data(#"["ema(decay=0.5)", {"name": "sam"}]"#.utf8))
        #expect(decoded == [NamedSettings("ema", settings: ["decay": .number(0.5)]), NamedSettings("sam")])
    }
}

/// Adds a constant to gradients: what a user might write.
private struct Shift: GradientTransformation {
    static let name = "shift"
    static let summary = "adds a constant"
    static let citation = "none"
    static let settings: [Setting<Self>] = [Setting("by", \.by, .any, "what is added")]
    var by = 1.0

    func transform(
        _ gradients: inout Gradients, parameters: [Tensor], state: inout OptimizerState, evaluate: Evaluation
    ) {
        state.begin(parameters)
        gradients.tensors = gradients.tensors.map { $0 + by }
    }
}

/// Has two hyperparameters of one name.
private struct Doubled: ParameterTransformation {
    static let name = "doubled"
    static let summary = "has a name twice"
    static let citation = "none"
    static let settings: [Setting<Self>] = [
        Setting("rate", \.speed, .any, "a rate"), Setting("rate", \.length, .any, "another"),
    ]
    var speed = 1.0
    var length = 1.0

    func transform(_ parameters: inout [Tensor], state: inout OptimizerState) {}
}

@Suite("Catalogues are open")
struct OpenCatalogueTests {
    @Test("A registered type is made by its name; wrong ones are refused")
    func register() throws {
        let catalogue = Catalogue<any GradientTransformation>("transformation", [ClipNorm.self])
        #expect(throws: SettingError.self) { try catalogue.make("shift") }
        try catalogue.register(Shift.self)
        let made = try catalogue.make("shift", settings: ["by": .number(2)])
        var gradients = Gradients([Tensor([1.0])])
        #expect(gradients.norm() == 1)
        var state = OptimizerState()
        try made.transform(&gradients, parameters: [Tensor([0.0])], state: &state) { _ in (0, []) }
        #expect(gradients.tensors[0].doubles() == [3] && gradients.norm() == 3 && catalogue.all.count == 2)
        #expect(throws: SettingError.self) { try catalogue.register(Shift.self) }
        #expect(throws: SettingError.self) { try catalogue.register(SGD.self) }
        let parameters = Catalogue<any ParameterTransformation>("transformation", [])
        let problem = #expect(throws: SettingError.self) { try parameters.register(Doubled.self) }
        #expect(problem?.description.contains("'rate'") == true)
    }
}
