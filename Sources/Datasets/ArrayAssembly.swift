import Foundation
import Interchange
import Torch

/// Makes a data set of arrays: features n × d or images n × h × w, and labels or targets.
struct ArrayAssembly {
    /// What the second array holds, as far as its name tells.
    enum Role {
        case labels
        case targets
        case unknown
    }

    let context: ReadContext
    let features: FeatureArray
    let target: (name: String, role: Role, array: ArrayData)?

    func dataset() throws -> Dataset {
        let shape = features.shape
        guard let rows = shape.first else {
            throw context.error("'\(features.name)' is a single number", "Give one row of features for each example")
        }
        guard rows > 0 else { throw context.error("'\(features.name)' of shape \(shape) has no rows") }
        guard features.matrix.count > 0 else {
            throw context.error("'\(features.name)' of shape \(shape) has no columns")
        }
        var dataset = Dataset(name: context.name, features: features.matrix)
        if shape.count == 3 { dataset.imageShape = Array(shape[1...]) }
        if features.isScaled { dataset.notices.append(Dataset.scaledPixels) }
        if features.mayBeInfinite { try requireFinite(dataset.features) }
        dataset.encoding = context.encoding
        dataset.classNames = context.encoding?.classNames ?? []
        guard let target else {
            guard !context.needsTarget else {
                throw context.error("there are no labels for '\(features.name)'", "Name them with `target`")
            }
            return dataset
        }
        guard target.array.shape.first == rows else {
            let count = target.array.shape.first ?? 1
            throw context.error(
                "'\(features.name)' has \(counted(rows, "row")) but '\(target.name)' has \(count)",
                "Give one label for each row")
        }
        try addTarget(target.name, target.role, target.array, to: &dataset)
        return dataset
    }

    private func addTarget(_ name: String, _ role: Role, _ array: ArrayData, to dataset: inout Dataset) throws {
        let columns = array.count / dataset.count
        let numbers = array.doubles()
        try requireNumbers(numbers, name: name, columns: columns)
        guard columns == 1 else {
            guard columns > 0, role != .labels, context.knownTask != .classification else {
                throw context.error(
                    "'\(name)' of shape \(array.shape) holds no class labels", "Give one whole number for each row")
            }
            dataset.targets = Tensor(numbers, shape: [dataset.count, columns])
            dataset.targetNames = (1...columns).map { "\(name)\($0)" }
            dataset.encoding = context.encoding ?? TableEncoding(targetName: name, task: .regression)
            return
        }
        let values = TargetValues(path: context.path, title: "array '\(name)'", numbers: numbers, text: nil)
        var task = context.knownTask
        switch role {
        case .labels: task = task ?? .classification
        case .targets: task = task ?? .regression
        case .unknown:
            let found = try values.task(asked: task)
            if let notice = found.notice { dataset.notices.append(notice) }
            task = found.task
        }
        if task == .classification { try requireLabels(numbers, name: name, mayBeNegative: role == .unknown) }
        try dataset.setTarget(
            values, task: task ?? .classification, name: name,
            encoding: TableEncoding(targetName: name, task: .classification), known: context.encoding)
    }

    private func requireNumbers(_ numbers: [Double], name: String, columns: Int) throws {
        guard let index = numbers.firstIndex(where: { !$0.isFinite }) else { return }
        let place = columns > 1 ? "row \(index / columns + 1), column \(index % columns + 1)" : "row \(index + 1)"
        throw context.error(
            "'\(name)' holds \(numbers[index].isNaN ? "NaN" : "an infinity") in \(place) (counting from 1)",
            "Remove or correct such rows")
    }

    private func requireLabels(_ numbers: [Double], name: String, mayBeNegative: Bool) throws {
        guard let index = numbers.firstIndex(where: { $0 != $0.rounded() || ($0 < 0 && !mayBeNegative) }) else {
            let distinct = Set(numbers).count
            guard distinct <= 2 || distinct < numbers.count || context.encoding != nil else {
                throw context.error(
                    "'\(name)' holds \(distinct) different values in \(numbers.count) rows, so no classes",
                    "Ask for `task` regression to predict numbers")
            }
            return
        }
        let value = numbers[index]
        let fault = value < 0 ? "is negative" : "is no whole number"
        throw context.error(
            "label \(Datasets.name(of: value)) of '\(name)' in row \(index + 1) (counting from 1) \(fault)",
            value < 0 ? "Number the classes from 0" : "Ask for `task` regression to predict numbers")
    }

    private func requireFinite(_ features: Tensor) throws {
        guard !features.isFinite else { return }
        let columns = features.shape[1]
        for row in 0..<features.shape[0] {
            let values = features.rows(row..<row + 1).doubles()
            guard let column = values.firstIndex(where: { !$0.isFinite }) else { continue }
            let value = values[column].isNaN ? "NaN" : "an infinity"
            throw context.error(
                "'\(self.features.name)' of \(columns) columns holds \(value) in row \(row + 1), column \(column + 1) "
                    + "(counting from 1)", "Remove or correct such rows")
        }
    }
}
