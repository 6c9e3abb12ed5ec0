import Estimators
import Settings

/// One line for any error.
enum ErrorText {
    static func oneLine(_ error: any Error) -> String {
        oneLine((error as? SettingError).map(setting) ?? String(describing: error))
    }

    static func oneLine(_ text: String) -> String {
        let line = flags(text.split(separator: "\n").first.map(String.init) ?? "failed")
        let isMemory = line.contains("allocate memory") || line.contains("out of memory")
        return isMemory ? line + "; lower --batch or the network's sizes" : line
    }

    /// A text of the library, in which settings stand in backticks, with the flags that set them: `timeLimit` becomes
    /// --time-limit.
    static func flags(_ text: String) -> String {
        text.replacing(#/`([A-Za-z_]+)`/#) { match in
            let name = String(match.1)
            return unlike[name] ?? flag(name)
        }
    }

    /// What is wrong with a setting, by its flag.
    static func setting(_ error: SettingError) -> String {
        // What a catalogue makes is called by its own name.
        flags(fitSettings.contains(error.subject) ? "`\(error.subject)` \(error.problem)" : error.description)
    }

    private static let fitSettings = Set(Mirror(reflecting: FitSettings()).children.compactMap(\.label))

    /// The flag of a setting: `timeLimit` and `time_limit` are --time-limit.
    static func flag(_ name: String) -> String {
        "--" + name.map { $0.isUppercase ? "-" + $0.lowercased() : $0 == "_" ? "-" : String($0) }.joined()
    }

    /// Flags that are not called as their settings are.
    private static let unlike = ["precision": "--dtype", "data": "--data FOLDER"]
}
