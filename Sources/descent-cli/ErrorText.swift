/// One line for any error.
enum ErrorText {
    static func oneLine(_ error: any Error) -> String { oneLine(String(describing: error)) }

    static func oneLine(_ text: String) -> String {
        let line = text.split(separator: "\n").first.map(String.init) ?? "failed"
        let isMemory = line.contains("allocate memory") || line.contains("out of memory")
        return isMemory ? line + "; lower --batch or the network's sizes" : line
    }
}
