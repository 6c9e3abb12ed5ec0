import Foundation
import Interchange
import Torch

/// Makes a data set of a table of text and numbers.
struct TableReader {
    /// Column names that stand for the target where none is named, the first of them first.
    static let usualTargets = [
        "label", "labels", "target", "targets", "class", "classes", "y", "species", "outcome", "category", "diagnosis",
        "response", "quality", "survived",
    ]

    let context: ReadContext
    let columns: [CSVTable.Column]
    let rowCount: Int
    let hasHeader: Bool
    var notices: [String] = []

    init(context: ReadContext) throws {
        let table = try CSV.read(context.path)
        guard table.rowCount > 0 else { throw context.error("the file has a header but no rows", "Check its content") }
        self.context = context
        var used: [String: Int] = [:]
        columns = table.columns.map { column in
            var column = column
            let count = used[column.name, default: 0] + 1
            used[column.name] = count
            if count > 1 { column.name += " (\(count))" }
            return column
        }
        rowCount = table.rowCount
        hasHeader = table.hasHeader
    }

    /// The table as a data set, with the target resolved, its missing rows dropped and all columns encoded.
    mutating func dataset() throws -> Dataset {
        // A table to predict for has features alone, where nothing is known of its columns.
        let target = try context.encoding.map(findTarget) ?? (context.needsTarget ? chooseTarget() : nil)
        let rows = try target.map { try rowsWithTarget(columns[$0]) } ?? Array(0..<rowCount)
        let others = columns.indices.filter { $0 != target }
        guard !others.isEmpty else {
            throw context.error(
                "the table has no column but '\(columns[0].name)'", "Give features too, separated by commas or tabs")
        }
        let positions: [Int?]
        var encoding: TableEncoding
        if var known = context.encoding {
            // Arrays have no columns that could be compared: the table's are numbers, in order.
            if known.columns.isEmpty { known.columns = others.map { .init(name: columns[$0].name, kind: .number) } }
            encoding = known
            positions = try matched(known, others)
        } else {
            encoding = TableEncoding(
                targetName: target.map { columns[$0].name } ?? "", targetPosition: target, task: .classification)
            encoding.columns = try others.map { try fitted(columns[$0], rows) }
            positions = others
        }
        var encoder = TableEncoder(context: context, rows: rows, rowCount: rowCount, hasHeader: hasHeader)
        for (column, position) in zip(encoding.columns, positions) {
            if let position { try encoder.append(columns[position], as: column) }
        }
        notices += encoder.notices
        guard encoder.width > 0 else {
            throw context.error("no column is left to learn from", "Give columns of numbers or of few texts")
        }
        var dataset = Dataset(
            name: context.name, features: encoder.features(), featureNames: encoding.columns.flatMap(\.featureNames))
        dataset.encoding = encoding
        dataset.classNames = encoding.classNames
        if let target { try addTarget(columns[target], rows, encoding, to: &dataset) }
        dataset.notices = notices
        return dataset
    }

    private mutating func addTarget(
        _ column: CSVTable.Column, _ rows: [Int], _ encoding: TableEncoding, to dataset: inout Dataset
    ) throws {
        if let row = rows.first(where: { column.values[$0].isInfinite }) {
            let place = TableEncoder.place(ofRow: row, rowCount: rowCount, hasHeader: hasHeader, path: context.path)
            throw context.error(
                "the target column '\(column.name)' holds an infinity in \(place)", "Remove or correct such rows")
        }
        let values = TargetValues(
            path: context.path, title: "target column '\(column.name)'", numbers: rows.map { column.values[$0] },
            text: column.text.map { text in rows.map { text[$0] } }, firstTextLine: column.firstTextLine)
        let (task, notice) = try values.task(asked: context.knownTask)
        if let notice { notices.append(notice) }
        try dataset.setTarget(values, task: task, name: column.name, encoding: encoding, known: context.encoding)
    }

    // MARK: The target

    /// The target of a training file: what was asked for, else a usual name, else the last column.
    private mutating func chooseTarget() throws -> Int? {
        if let asked = context.target { return try column(asked) }
        for name in Self.usualTargets {
            if let found = columns.firstIndex(where: { $0.name.lowercased() == name }) {
                notices.append("the target is column '\(columns[found].name)', by its name")
                return found
            }
        }
        notices.append("the target is the last column, '\(columns[columns.count - 1].name)'")
        return columns.count - 1
    }

    /// The target of a file that is read by a known encoding; nil where it is not there or holds nothing.
    private func findTarget(_ known: TableEncoding) throws -> Int? {
        var found = columns.firstIndex { $0.name == known.targetName }
        let count = known.columns.count + (known.targetPosition == nil ? 0 : 1)
        if !hasHeader { found = columns.count == count ? known.targetPosition : nil }
        if let asked = context.target, found == nil, hasHeader, context.needsTarget { found = try column(asked) }
        if let position = found, !context.needsTarget, columns[position].missingCount == rowCount { return nil }
        guard found != nil || !context.needsTarget else {
            throw context.error(
                "the target column '\(known.targetName)' is missing among \(counted(columns.count, "column")): "
                    + listed(columns.map(\.name)), "Add it: without the target nothing can be measured")
        }
        return found
    }

    private func column(_ asked: String) throws -> Int {
        if let found = columns.firstIndex(where: { $0.name == asked }) { return found }
        let similar = columns.indices.filter { columns[$0].name.lowercased() == asked.lowercased() }
        if similar.count == 1 { return similar[0] }
        if let number = Int(asked), (1...columns.count).contains(number) { return number - 1 }
        throw context.error(
            "there is no column '\(asked)' to predict; the columns are \(listed(columns.map(\.name)))",
            "Name one of these with `target`, or give its number counting from 1")
    }

    private mutating func rowsWithTarget(_ column: CSVTable.Column) throws -> [Int] {
        guard let line = column.firstMissingLine else { return Array(0..<rowCount) }
        let count = column.missingCount
        guard count < rowCount else {
            throw context.error("the target column '\(column.name)' is empty", "Name another with `target`")
        }
        notices.append(
            "\(counted(count, "row")) without a value of the target '\(column.name)' dropped (first in line \(line))")
        if let text = column.text { return (0..<rowCount).filter { !text[$0].isEmpty } }
        return (0..<rowCount).filter { !column.values[$0].isNaN }
    }
}
