import Foundation
import Torch

/// What a reader has to know beside the file.
struct ReadContext {
    /// The file, as messages name it.
    var path: String
    /// The target as the request names it.
    var target: String?
    /// The task that was asked for.
    var task: PredictionTask?
    /// The encoding to read by; nil to make one.
    var encoding: TableEncoding?
    /// Whether a file without target is an error.
    var needsTarget: Bool

    /// The task asked for, by the request or by the encoding.
    var knownTask: PredictionTask? { encoding?.task ?? task }

    /// The file's name without folder and extensions.
    var name: String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let stem = file.hasSuffix(".gz") ? String(file.dropLast(3)) : file
        guard let point = stem.lastIndex(of: "."), point != stem.startIndex else { return stem }
        return String(stem[..<point])
    }

    func error(_ problem: String, _ advice: String = "") -> DataError { DataError(path, problem, advice) }
}

extension Dataset {
    /// Stores the classes, or the numbers, that `values` hold, and how they were encoded.
    mutating func setTarget(
        _ values: TargetValues, task: PredictionTask, name: String, encoding: TableEncoding, known: TableEncoding?
    ) throws {
        var encoding = encoding
        encoding.task = task
        targetNames = [name]
        switch task {
        case .classification:
            let (labels, names) = try values.classes(known: known?.classNames)
            self.labels = labels
            classNames = names
            encoding.classNames = names
        case .regression:
            targets = Tensor(values.numbers, shape: [values.numbers.count, 1])
        }
        self.encoding = known ?? encoding
    }
}
