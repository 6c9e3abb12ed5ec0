import Foundation
import RunLog

extension JSONEncoder {
    /// Sorted and indented; numbers that JSON lacks become texts, so that a failed run still has its report.
    package static var report: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return encoder
    }
}

extension JSONDecoder {
    /// Reads what `JSONEncoder.report` writes.
    package static var report: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return decoder
    }
}

/// Appends one JSON object for each progress report.
package final class MetricsLog {
    private let handle: FileHandle?
    private let encoder = JSONEncoder()

    package init(path: String) {
        handle = FileHandle(forWritingAtPath: path)
        _ = try? handle?.seekToEnd()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = JSONEncoder.report.nonConformingFloatEncodingStrategy
    }

    package func append(_ progress: RunProgress) {
        guard let line = try? encoder.encode(progress) else { return }
        try? handle?.write(contentsOf: line + Data("\n".utf8))
    }

    deinit { try? handle?.close() }
}
