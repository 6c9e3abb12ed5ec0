import Foundation
import Interchange
import Torch

/// CIFAR-10's own binary format: records of one label byte and 3 × 32 × 32 bytes, red, green and blue planes
/// (Krizhevsky 2009).
enum Cifar {
    static let classNames = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]
    private static let pixels = 3 * 32 * 32

    /// Reads a file of records, compressed by gzip or not; `data_batch_1.bin` brings the batches beside it.
    static func read(_ path: String, context: ReadContext) throws -> Dataset {
        var bytes = try Gzip.read(path)
        if path.hasSuffix("data_batch_1.bin") {
            for number in 2...5 {
                let next = path.dropLast(5) + "\(number).bin"
                if FileManager.default.fileExists(atPath: String(next)) { bytes += try Gzip.read(String(next)) }
            }
        }
        let record = pixels + 1
        guard !bytes.isEmpty, bytes.count % record == 0 else {
            throw context.error(
                "\(bytes.count) bytes are no whole number of records of \(record) bytes, as CIFAR-10 has them",
                "Give data_batch_1.bin or another binary file of CIFAR-10")
        }
        let count = bytes.count / record
        let labels = (0..<count).map { Int(bytes[$0 * record]) }
        if let row = labels.firstIndex(where: { $0 > 9 }) {
            throw context.error(
                "record \(row + 1) has the label \(labels[row]), but CIFAR-10 has ten classes", "Check the file")
        }
        let raw = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [count, record], dtype: .uint8) }
        let features = raw.columns(1..<record).to(.float32) / Tensor([Float(255)])
        var dataset = Dataset(
            name: context.name, features: features, imageShape: [3, 32, 32], notices: [Dataset.scaledPixels])
        let values = TargetValues(
            path: path, title: "label", numbers: labels.map(Double.init), text: nil)
        try dataset.setTarget(
            values, task: .classification, name: "label",
            encoding: TableEncoding(targetName: "label", task: .classification), known: context.encoding)
        dataset.name(classes: classNames)
        return dataset
    }
}
