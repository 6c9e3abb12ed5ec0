import Torch

/// Loads the training rows, the test rows and the task that a request describes.
///
/// Throws `DataError` for data that cannot be learnt from and for requests that do not fit them, and
/// `InterchangeError` for files that cannot be read.
public func loadData(_ request: DataRequest) throws -> LoadedData {
    try loadData(request, searching: DatasetCatalogue.folders(request.dataFolder))
}

/// Loads data, looking for those of the catalogue in the given folders.
func loadData(_ request: DataRequest, searching folders: [String]) throws -> LoadedData {
    let location = try SourceLocation(request.source, target: request.target, folders: folders)
    let isTraining = request.encoding == nil && !request.isForPrediction
    let needsTarget = isTraining && !request.mayLackTarget
    let context = ReadContext(
        path: location.path, target: request.target, task: request.task, encoding: request.encoding,
        needsTarget: needsTarget)
    var (train, ownTest) = try location.read(context, withTest: request.test == nil)
    let encoding = train.encoding
    // Rows without a target are numbers to learn from.
    guard let task = encoding?.task ?? request.task ?? (request.mayLackTarget ? .regression : nil) else {
        throw context.error(
            "there is nothing to predict",
            "Give rows with labels or values; networks that learn from their inputs alone are trained by descent train")
    }
    if isTraining { try train.requireLearnable(context, byLabels: needsTarget) }

    var test = ownTest
    if let path = request.test {
        let place = try SourceLocation(path, target: nil, folders: folders)
        // A file of labels belongs to the training rows alone; a column or an array has its name in both files.
        let target = place.kind == .npy ? nil : request.target
        let testContext = ReadContext(
            path: place.path, target: target, task: task, encoding: encoding, needsTarget: needsTarget)
        test = try place.read(testContext, withTest: false).rows
    }
    if let test, test.features.shape[1] != train.features.shape[1] {
        throw DataError(
            request.test ?? test.name,
            "the test data have \(counted(test.features.shape[1], "column")), the training data "
                + "\(train.features.shape[1])", "Give the same features for both")
    }
    if !location.classNames.isEmpty {
        train.name(classes: location.classNames)
        test?.name(classes: location.classNames)
    }
    if let classes = request.classes {
        let selection = try ClassSelection(classes, of: train, task: task, subject: "`classes`")
        train = try selection.applied(to: train)
        test = try test.map { try selection.applied(to: $0) }
    }
    if let subset = request.subset { train = try train.drawn(subset, seed: request.seed) }
    return LoadedData(train: train, test: test, task: task)
}
