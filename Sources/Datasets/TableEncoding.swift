/// How the columns and classes of a training file became numbers.
///
/// Arrays and images have no columns here, only classes.
public struct TableEncoding: Sendable, Codable, Equatable {
    /// What a column of a table gives to the features.
    public enum Kind: String, Sendable, Codable {
        /// One feature: the number itself.
        case number
        /// One feature for each category, 1 where the text is that category and else 0.
        case categories
        /// No feature.
        case ignored
    }

    /// One column of the training table.
    public struct Column: Sendable, Codable, Equatable {
        /// The name in the header, or `column1`, `column2`... where there is none.
        public var name: String
        /// What the column gives to the features.
        public var kind: Kind
        /// The texts that have a feature each, in order; empty unless the kind is `categories`.
        public var categories: [String]
        /// What stands for missing numbers; 0 unless the kind is `number`.
        public var mean: Double

        /// Makes a column.
        public init(name: String, kind: Kind, categories: [String] = [], mean: Double = 0) {
            self.name = name
            self.kind = kind
            self.categories = categories
            self.mean = mean
        }

        /// The names of the features the column gives.
        var featureNames: [String] {
            switch kind {
            case .number: [name]
            case .categories: categories.map { "\(name)=\($0)" }
            case .ignored: []
            }
        }
    }

    /// The columns of the training table without the target, in the order of the file.
    public var columns: [Column]
    /// The name of the column or array that holds the target.
    public var targetName: String
    /// Where the target stands among all columns of the table, from 0; nil for arrays.
    public var targetPosition: Int?
    /// The classes of the training file, in class order, before any selection; empty for regression.
    public var classNames: [String]
    /// What the training file was read for.
    public var task: PredictionTask

    /// Makes an encoding.
    public init(
        columns: [Column] = [], targetName: String, targetPosition: Int? = nil, classNames: [String] = [],
        task: PredictionTask
    ) {
        self.columns = columns
        self.targetName = targetName
        self.targetPosition = targetPosition
        self.classNames = classNames
        self.task = task
    }

    /// Why no table can be read by this, as a file may hold it; nil where one can.
    ///
    /// - Parameter features: number of features that the tables' columns are to give.
    public func fault(features: Int) -> String? {
        guard Set(classNames).count == classNames.count else { return "two classes have one name" }
        if let targetPosition, targetPosition < 0 { return "a target in column \(targetPosition)" }
        guard !columns.isEmpty else { return nil }
        var width = 0
        for column in columns {
            guard Set(column.categories).count == column.categories.count else {
                return "column '\(column.name)' has a category twice"
            }
            guard column.mean.isFinite else { return "column '\(column.name)' has no finite mean" }
            width += column.kind == .number ? 1 : column.kind == .categories ? column.categories.count : 0
        }
        return width == features ? nil : "table columns give \(width) features, the network takes \(features)"
    }
}
