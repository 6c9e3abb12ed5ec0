import ArgumentParser
import Datasets
import Estimators
import Foundation
import Interchange
import Reports
import RunLog
import Settings
import Torch
import Training

/// `descent predict`
struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Applies a model to data and writes its predictions.",
        discussion: """
            The output is a table with one line per row: the predicted class and a score per class, or the predicted
            values. With --out FILE.npy the raw scores are written as an array.

              descent predict runs/iris new.csv
              descent predict runs/fashion-mnist/model.safetensors images-idx3-ubyte.gz --out predictions.csv
            """)

    @Argument(help: "A model file, or the run folder that holds it.") var model: String
    @Argument(help: "Data in any format that descent fit reads; a target column is ignored.") var source: String

    @Option(
        help: ArgumentHelp(
            "Where to write: .csv, or .npy for raw scores; standard output unless given.", valueName: "file"))
    var out: String?

    @Option(help: ArgumentHelp("Folder that holds the named data sets.", valueName: "folder"))
    var data: String?

    @Flag(help: "Print one JSON object: rows, and accuracy where the data hold labels.")
    var json = false

    mutating func run() throws {
        let model = try loadModel(ModelFile.path(self.model))
        var request = DataRequest(source: source)
        request.dataFolder = data
        request.encoding = model.encoding
        request.task = model.task
        request.isForPrediction = true
        let read = try loadData(request)
        let loaded = read.test ?? read.train
        let outputs = try model.outputs(loaded.features)
        if let out, out.hasSuffix(".npy") {
            // Values keep the digits that they were computed with.
            let array =
                model.task == .regression
                ? ArrayData(outputs.doubles(), shape: outputs.shape) : ArrayData(outputs.floats(), shape: outputs.shape)
            try Npy.write(array, to: out)
        } else if let out {
            try AtomicFile.write(Array(table(model, outputs).utf8), to: out)
        } else if !json {
            try Console.result(table(model, outputs))
        }
        try report(model, loaded, outputs)
    }

    private func table(_ model: any PredictiveModel, _ outputs: Tensor) -> String {
        let columns = outputs.shape[1]
        let values =
            model.task == .regression ? outputs.doubles().map { "\($0)" } : outputs.floats().map { "\($0)" }
        let scores = (0..<columns).map { model.task == .regression ? model.targetNames[$0] : "score\($0)" }
        let header = (model.task == .classification ? ["prediction"] : []) + scores
        var text = header.map(Self.quoted).joined(separator: ",") + "\n"
        let labels = model.task == .classification ? Scoring.labels(outputs) : []
        for row in 0..<outputs.shape[0] {
            if model.task == .classification { text += Self.quoted(model.classNames[labels[row]]) + "," }
            text += (0..<columns).map { values[row * columns + $0] }.joined(separator: ",") + "\n"
        }
        return text
    }

    private static func quoted(_ field: String) -> String {
        guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
        return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }

    /// The model's class of each row; nil where there are no labels or some are none of its classes.
    private func modelLabels(_ model: any PredictiveModel, _ data: Dataset) -> [Int]? {
        guard let labels = data.labels else { return nil }
        // The files of a named data set hold numbers where the model has names.
        let names = DatasetCatalogue.all.map { $0.init().classNames }.first { names in
            !names.isEmpty && model.classNames.allSatisfy(names.contains)
        }
        let classes = data.classNames.map { name -> Int? in
            if let found = model.classNames.firstIndex(of: name) { return found }
            guard let names, let number = Int(name), names.indices.contains(number) else { return nil }
            return model.classNames.firstIndex(of: names[number])
        }
        let known = labels.compactMap { classes[$0] }
        return known.count == labels.count ? known : nil
    }

    private func report(_ model: any PredictiveModel, _ data: Dataset, _ outputs: Tensor) throws {
        var score: Double?
        if model.task == .classification, let labels = modelLabels(model, data) {
            score = Scoring.accuracy(outputs, labels)
        } else if let targets = data.targets, model.task == .regression, targets.shape == outputs.shape {
            score = Scoring.determination(outputs, targets)
        }
        if json {
            var fields: [String: Double] = ["rows": Double(data.count)]
            fields[model.task == .classification ? "accuracy" : "r2"] = score
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            try Console.result(String(decoding: try encoder.encode(fields), as: UTF8.self) + "\n")
        } else if let score {
            Console.note(
                model.task == .classification
                    ? "accuracy \(Format.percent(score)) on \(data.count) rows"
                    : "R² \(Format.number(score)) on \(data.count) rows")
        }
    }
}
