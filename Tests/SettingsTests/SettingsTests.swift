import Settings
import Testing

@testable import Settings

/// A value with one hyperparameter of each kind.
private struct Everything: Configurable {
    static let name = "everything"
    static let summary = "for a test"
    static let citation = "none"
    static let settings: [Setting<Self>] = [
        Setting("rate", \.rate, .above(0), "a rate"), Setting("count", \.count, .count(1), "a count"),
        Setting("flag", \.flag, .flag, "a flag"), Setting("betas", \.betas, .decays(2), "two decays"),
        Setting("mode", \.mode, .oneOf(["a", "b"]), "a word"),
    ]
    var rate = 0.5
    var count = 3
    var flag = false
    var betas = [0.9, 0.99]
    var mode = "a"
}

/// Properties of every kind that a setting can have, with ranges that take anything.
private struct Kinds: Configurable {
    enum Word: String, SettingConvertible { case a, b }
    static let name = "kinds"
    static let summary = "for a test"
    static let citation = "none"
    private static let anything = Hyperparameter.Range("anything") { _ in true }
    static let settings: [Setting<Self>] = [
        Setting("word", \.word, anything, "a word"), Setting("floors", \.floors, anything, "numbers or null"),
        Setting("limit", \.limit, anything, "a number or null"), Setting("sizes", \.sizes, anything, "whole numbers"),
        Setting("rate", \.rate, .atLeast(0), "a number"),
    ]
    var word = Word.a
    var floors: [Double?] = [nil]
    var limit: Double? = 1
    var sizes = [1, 2]
    var rate = 0.0
}

@Suite("Hyperparameters and their values")
struct SettingsTests {
    @Test(
        "A range takes what it says and nothing beside it",
        arguments: [
            (Hyperparameter.Range.atLeast(0), ["0", "1e300"], ["-1e-300", "true", "x", "[1]", "null"]),
            (.above(0), ["1e-300"], ["0", "-1"]), (.decay, ["0", "0.999"], ["1", "-0.1"]),
            (.share, ["0", "1"], ["1.01"]),
            (.positiveShare, ["1", "0.1"], ["0", "1.1"]), (.count(2), ["2", "1000000000"], ["1", "2.5", "1e10"]),
            (.counts(1...4), ["1", "4"], ["0", "5", "1.5"]), (.any, ["-1e300", "0"], ["true", "x"]),
            (.flag, ["true", "false"], ["1", "yes"]),
            (.decays(2), ["[0, 0.5]"], ["[0.5]", "[0, 1]", "0.5", "[0, true]"]),
            (.pair("rising") { $0 < $1 }, ["[1, 2]"], ["[2, 1]", "[1]", "[1, null]", "1", "[1, 2, 3]"]),
            (.number("even") { $0 / 2 == ($0 / 2).rounded() }, ["2", "-4"], ["1", "x", "[2]"]),
            (.oneOf(["a", "b"]), ["a", "b"], ["c", "1"]), (.sizes, ["[]", "[1, 20]"], ["[0]", "[1.5]", "5"]),
            (.milestones, ["[0, 3]"], ["[3, 1]", "[-1]"]),
        ] as [(Hyperparameter.Range, [String], [String])])
    func ranges(range: Hyperparameter.Range, taken: [String], refused: [String]) {
        let hyperparameter = Hyperparameter("x", range, "for a test")
        for text in taken { #expect(hyperparameter.allows(SettingValue(text: text)), "\(text)") }
        for text in refused { #expect(!hyperparameter.allows(SettingValue(text: text)), "\(text)") }
        #expect(!hyperparameter.rangeText.isEmpty)
        #expect(!hyperparameter.allows(.number(.nan)))
    }

    @Test("What is typed is read, and written as it was typed")
    func texts() {
        for text in ["null", "true", "0.5", "12", "word", "[1, 2]", "1e30", "-3", "[0.9, 0.99]"] {
            #expect(SettingValue(text: text).text == text)
        }
        #expect(SettingValue(text: "1e3") == .number(1000) && SettingValue(text: "\"a\"") == .word("a"))
    }

    @Test("Settings make a value; unknown names, wrong kinds and what is out of range are refused by their names")
    func configurable() throws {
        #expect(try Everything(settings: [:]) == Everything())
        let made = try Everything(settings: ["rate": .number(2), "flag": .flag(true), "mode": .word("b")])
        #expect(made.rate == 2 && made.flag && made.mode == "b" && made.count == 3)
        #expect(try Everything(settings: made.settings) == made)
        for (name, value, text) in [
            ("rat", SettingValue.number(1), "did you mean 'rate'?"),
            ("rate", .number(0), "rate is 0, but must be a number > 0"),
            ("count", .number(1.5), "a whole number"), ("mode", .word("c"), "'a' or 'b'"),
            ("flag", .number(1), "true or false"),
        ] {
            let error = #expect(throws: SettingError.self) { try Everything(settings: [name: value]) }
            #expect("\(try #require(error))".contains(text))
        }
    }

    @Test("Names and settings in one text, by place or by name")
    func named() throws {
        let types: [any Configurable.Type] = [Everything.self]
        #expect(try NamedSettings(text: "everything") == NamedSettings("everything"))
        #expect(
            try NamedSettings(text: "everything(0.1, flag=true)", among: types)
                == NamedSettings("everything", settings: ["rate": .number(0.1), "flag": .flag(true)]))
        #expect(
            try NamedSettings(text: "everything(betas=[0.5, 0.6])", among: types).settings["betas"]?.text
                == "[0.5, 0.6]")
        for text in [
            "", "everything(", "everything(1", "everything(1, 2, true, [1], a, 9)", "everything(0.1, rate=2)", "else",
        ] {
            #expect(throws: SettingError.self, "\(text)") { try NamedSettings(text: text, among: types) }
        }
        let named = try NamedSettings(text: "x(b=2, a=1)")
        let again = try NamedSettings(text: named.text)
        #expect(named.text == "x(a=1, b=2)" && again == named)
        #expect(try NamedSettings(text: "y", synonyms: ["y": "z"]).name == "z")
    }

    @Test("What a property holds is what the settings say, by whatever kind it is")
    func kinds() throws {
        let made = try Kinds(settings: [
            "word": .word("b"), "floors": .list([.null, .number(2)]), "limit": .null, "sizes": .list([.number(3)]),
        ])
        #expect(made.word == .b && made.floors == [nil, 2] && made.limit == nil && made.sizes == [3])
        #expect(try Kinds(settings: made.settings) == made)
        // In range, but of another kind than the property.
        for (name, value) in [
            ("word", SettingValue.word("z")), ("limit", .word("x")), ("sizes", .list([.number(1.5)])),
            ("floors", .list([.flag(true)])), ("sizes", .number(1e300)),
        ] {
            #expect(throws: SettingError.self, "\(name)") { try Kinds(settings: [name: value]) }
        }
        var broken = Kinds()
        broken.rate = -1
        #expect(broken.fault?.description == "kinds: rate is -1, but must be a number ≥ 0" && Kinds().fault == nil)
        #expect(Kinds().named.text.hasPrefix("kinds(floors=[null], "))
    }

    @Test("A catalogue makes what it knows, and takes types that fit it once")
    func catalogue() throws {
        let catalogue = Catalogue<Everything>("thing", [], synonyms: ["all": "everything"])
        #expect(catalogue["everything"] == nil)
        try catalogue.register(Everything.self)
        #expect(try catalogue.make("everything", settings: ["count": .number(9)]).count == 9)
        #expect(try catalogue.make("all").count == 3)
        #expect(throws: SettingError.self) { try catalogue.register(Everything.self) }
        #expect(
            "\(#expect(throws: SettingError.self) { try catalogue.make("everythin") }!)".contains(
                "did you mean 'everything'?"))
        #expect(throws: SettingError.self) { try Catalogue<any Error>("error", []).register(Everything.self) }
    }

    @Test("The nearest names are those of the fewest edits")
    func nearest() {
        #expect(NearestNames.distance("kitten", "sitting") == 3 && NearestNames.distance("", "abc") == 3)
        #expect(NearestNames.distance("abc", "abc") == 0 && NearestNames.distance("ab", "ba") == 2)
        #expect(NearestNames.hint(for: "adma", among: ["adam", "sgd", "adamw"]).hasPrefix("; did you mean 'adam'"))
        #expect(NearestNames.hint(for: "zzzzzz", among: ["adam", "sgd"]) == "; it knows adam, sgd")
    }
}
