import Datasets

/// What two kinds of model files say besides their tensors: a file is data, so that it is checked before it is used.
public enum ModelFacts {
    /// Why these do not go together; nil where they do.
    ///
    /// - Parameter outputs: columns of the network's output.
    public static func fault(
        task: PredictionTask, classNames: [String], targetNames: [String], outputs: Int, standardiser: Standardiser,
        encoding: TableEncoding?
    ) -> String? {
        guard (1...1 << 31).contains(outputs) else { return "\(outputs) outputs" }
        switch task {
        case .classification where classNames.count != max(2, outputs):
            return "\(classNames.count) class names for \(outputs) outputs"
        case .regression where targetNames.count != outputs:
            return "\(targetNames.count) target names for \(outputs) outputs"
        default: break
        }
        return standardiser.fault ?? encoding?.fault(features: standardiser.inputColumns)
    }
}
