/// The classes of a data set that are kept, and their order.
struct ClassSelection {
    private let chosen: [Int]
    private let subject: String

    /// Checks that the numbers name two or more classes of the data, none twice.
    init(_ numbers: [Int], of dataset: Dataset, task: PredictionTask, subject: String) throws {
        guard task == .classification else {
            throw DataError(subject, "the data pose a regression, which has no classes", "Leave the option away")
        }
        let names = dataset.encoding?.classNames ?? dataset.classNames
        let values = names.compactMap { Int($0) }
        // Where names are numbers, a number means the class of that name.
        let keys = values.count == names.count ? values : Array(names.indices)
        let known = zip(keys, dataset.classNames).map { "\($0)" == $1 ? $1 : "\($0) '\($1)'" }.joined(separator: ", ")
        let advice = "The classes are \(known)"
        guard numbers.count >= 2 else {
            throw DataError(subject, "a classifier needs two classes or more, not \(numbers.count)", advice)
        }
        var seen: Set<Int> = []
        chosen = try numbers.map { number in
            guard let index = keys.firstIndex(of: number) else {
                throw DataError(subject, "there is no class \(number)", advice)
            }
            guard seen.insert(index).inserted else {
                throw DataError(subject, "class \(number) is named twice", advice)
            }
            return index
        }
        self.subject = subject
    }

    /// The rows of the chosen classes, relabelled by their order.
    func applied(to dataset: Dataset) throws -> Dataset {
        var result = dataset
        if let labels = dataset.labels {
            let position = Dictionary(uniqueKeysWithValues: zip(chosen, chosen.indices))
            let rows = labels.indices.filter { position[labels[$0]] != nil }
            guard !rows.isEmpty else {
                throw DataError(subject, "'\(dataset.name)' has no row of these classes", "Choose others")
            }
            result = dataset.rows(rows)
            result.labels = rows.map { position[labels[$0]]! }
        }
        result.classNames = chosen.map { dataset.classNames[$0] }
        return result
    }
}

extension Dataset {
    /// Throws unless there are two rows, and for classification two classes, or more.
    func requireLearnable(_ context: ReadContext, byLabels: Bool) throws {
        guard count > 1 else {
            throw context.error("there is only 1 row to learn from", "Give two rows or more")
        }
        guard byLabels, let labels, let first = labels.first, labels.allSatisfy({ $0 == first }) else { return }
        throw context.error(
            "all \(count) labels are '\(classNames[first])': a classifier needs two classes or more",
            "Check that `target` names the right one")
    }

    /// A draw of `size` rows, each class in proportion.
    func drawn(_ size: Int, seed: UInt64) throws -> Dataset {
        guard (2...max(2, count)).contains(size), size <= count else {
            throw DataError(
                "`subset`", "\(counted(size, "row")) cannot be drawn from the \(counted(count, "row")) of '\(name)'",
                "Choose from 2 to \(count)")
        }
        guard let labels else { return rows(Split.drawn(size, of: count, seed: seed)) }
        return rows(Split.drawn(size, labels: labels, seed: seed, leavingOne: false))
    }

    /// Replaces class names that are numbers, as files hold them, by names to read.
    mutating func name(classes names: [String]) {
        classNames = classNames.map { number in
            Int(number).flatMap { names.indices.contains($0) ? names[$0] : nil } ?? number
        }
    }
}
