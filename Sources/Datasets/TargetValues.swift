import Foundation

/// The target of every row, from a table or an array, on its way to classes or numbers.
struct TargetValues {
    /// The file, for errors.
    let path: String
    /// What the values are called in messages, as in `target column 'species'`.
    let title: String
    /// One number a row; NaN where `text` says more.
    let numbers: [Double]
    /// One text a row, where any row is text.
    let text: [String]?
    /// The line of the first text, for tables.
    var firstTextLine: Int?

    /// What to learn: what was asked for, else what the values suggest, with a notice that says why.
    func task(asked: PredictionTask?) throws -> (task: PredictionTask, notice: String?) {
        if text != nil {
            guard asked != .regression else {
                throw DataError(
                    path, "the \(title) holds text\(line), so it cannot be predicted as a number",
                    "Correct it, or ask for `task` classification")
            }
            return try textTask(asked: asked)
        }
        if let asked { return (asked, nil) }
        let distinct = Set(numbers).count
        let whole = numbers.allSatisfy { $0 == $0.rounded() }
        let isFew = Double(distinct) <= max(20, Double(numbers.count).squareRoot())
        if whole && isFew && (distinct <= 2 || 2 * distinct <= numbers.count) {
            return (.classification, "the \(title) holds \(counted(distinct, "whole number")): classification")
        }
        let values = whole ? counted(distinct, "different whole number") : "numbers with fractions"
        return (.regression, "the \(title) holds \(values): regression")
    }

    private func textTask(asked: PredictionTask?) throws -> (task: PredictionTask, notice: String?) {
        let distinct = Set(text ?? [])
        guard distinct.count <= 2 || distinct.count < numbers.count else {
            throw DataError(
                path, "the \(title) holds \(distinct.count) different texts in \(numbers.count) rows, so no classes",
                "Name another with `target`")
        }
        let isFew = Double(distinct.count) <= max(20, Double(numbers.count).squareRoot())
        if asked == nil && !isFew && 2 * numbers.count(where: { !$0.isNaN }) > numbers.count {
            throw DataError(
                path, "the \(title) holds numbers but text\(line)",
                "Correct it, or ask for `task` classification")
        }
        return (.classification, "the \(title) holds text (\(counted(distinct.count, "value"))): classification")
    }

    private var line: String { firstTextLine.map { " in line \($0)" } ?? "" }

    /// The class of each row and the names of all classes: the known ones, else those that occur, in order.
    func classes(known: [String]?) throws -> (labels: [Int], names: [String]) {
        guard let text else {
            let distinct = Set(numbers)
            let names = known ?? ordered(distinct.map(name(of:)))
            let index = indices(names)
            var labelOf: [Double: Int] = [:]
            for value in distinct.sorted() { labelOf[value] = try label(name(of: value), index, names) }
            return (numbers.map { labelOf[$0]! }, names)
        }
        let names = known ?? ordered(Array(Set(text)))
        let index = indices(names)
        return (try text.map { try label($0, index, names) }, names)
    }

    private func indices(_ names: [String]) -> [String: Int] {
        Dictionary(zip(names, names.indices), uniquingKeysWith: { first, _ in first })
    }

    private func label(_ name: String, _ index: [String: Int], _ names: [String]) throws -> Int {
        if let label = index[name] { return label }
        throw DataError(
            path, "the \(title) holds '\(name)', which is no class of the training data: \(listed(names))",
            "Correct or remove those rows, or train on data that hold this class")
    }
}

/// A number as a class name: whole numbers without a point.
func name(of number: Double) -> String {
    Int(exactly: number).map(String.init) ?? "\(number)"
}

/// The names in numerical order where all are numbers, else in alphabetical order.
func ordered(_ names: [String]) -> [String] {
    let numbers = names.compactMap { Double($0) }
    guard numbers.count == names.count, !numbers.contains(where: \.isNaN) else { return names.sorted() }
    return zip(numbers, names).sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.1)
}
