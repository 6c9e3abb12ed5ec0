import Foundation
import Interchange
import Settings

/// Where a source lies and how it is to be read.
struct SourceLocation {
    let path: String
    let kind: FileKind
    let idx: IdxFiles?
    /// Names of the classes of a named data set.
    private(set) var classNames: [String] = []
    /// File of the test rows of a named data set.
    private(set) var testPath: String?
    /// What makes the rows of a data set that is not read.
    private(set) var made: (@Sendable (_ isTest: Bool) throws -> Dataset)?

    init(_ source: String, target: String?, folders: [String]) throws {
        if let named = try DatasetCatalogue.find(source) {
            self.init(path: source, kind: .made, idx: nil)
            switch try named.contents(in: folders) {
            case .made(let make): made = make
            case .files(let train, let test):
                let kind = FileKind(of: train)
                self.init(
                    path: kind == .idx ? source : train, kind: kind,
                    idx: kind == .idx ? IdxFiles(images: train, labels: nil) : nil)
                testPath = test
            }
            classNames = named.classNames
            return
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
            throw DataError(
                source.isEmpty ? "''" : source, "there is no data set and no file of that name",
                "Known data sets are \(listed(DatasetCatalogue.all.map { $0.name })); "
                    + "the path of a CSV, NPZ, NPY, IDX, safetensors or CIFAR-10 file works too")
        }
        if isFolder.boolValue {
            let prefixes = [""] + DatasetCatalogue.all.filter { $0 is any ImageFileDataset.Type }.map { $0.name + "-" }
            guard let files = IdxFiles(folder: source, prefixes: prefixes) else {
                throw DataError(
                    source, "this is a folder without train-images-idx3-ubyte and train-labels-idx1-ubyte",
                    "Give the path of a file in it")
            }
            self.init(path: source, kind: .idx, idx: files)
            return
        }
        let kind = FileKind(of: source)
        let labels = target.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
        self.init(
            path: source, kind: kind, idx: kind == .idx ? IdxFiles(images: source, labels: labels) : nil)
    }

    private init(path: String, kind: FileKind, idx: IdxFiles?) {
        (self.path, self.kind, self.idx) = (path, kind, idx)
    }

    /// The rows and, where asked for, the test rows that come with them.
    func read(_ context: ReadContext, withTest: Bool) throws -> (rows: Dataset, test: Dataset?) {
        switch kind {
        case .table:
            var reader = try TableReader(context: context)
            return (try reader.dataset(), nil)
        case .made:
            guard let made else { fatalError("rows that nothing makes") }
            return (try made(false), withTest ? try made(true) : nil)
        case .cifar:
            let rows = try Cifar.read(path, context: context)
            guard withTest, let test = testPath ?? TestFile.beside(path) else { return (rows, nil) }
            var testContext = context
            (testContext.path, testContext.encoding) = (test, rows.encoding)
            return (rows, try Cifar.read(test, context: testContext))
        case .npy: return (try ArrayFiles.npy(context: context), nil)
        case .npz:
            var parts = try archive(try Npz.read(path), context, withTest: withTest)
            guard withTest, let testPath, parts.test == nil else { return parts }
            var testContext = context
            (testContext.path, testContext.encoding) = (testPath, parts.rows.encoding)
            parts.test = try archive(try Npz.read(testPath), testContext, withTest: false).rows
            return parts
        case .safetensors:
            let tensors = try SafeTensors.read(path).tensors.map { ($0.name, $0.array) }
            return try archive(Dictionary(uniqueKeysWithValues: tensors), context, withTest: withTest)
        case .idx:
            guard let idx else { fatalError("IDX files without paths") }
            let rows = try ArrayFiles.idx(images: idx.images, labels: idx.labels, context: context)
            guard withTest, let images = idx.testImages else { return (rows, nil) }
            var testContext = context
            testContext.encoding = rows.encoding
            return (rows, try ArrayFiles.idx(images: images, labels: idx.testLabels, context: testContext))
        }
    }

    private func archive(
        _ arrays: [String: ArrayData], _ context: ReadContext, withTest: Bool
    ) throws -> (rows: Dataset, test: Dataset?) {
        guard let rows = try ArrayFiles.archive(arrays, context: context) else {
            fatalError("training rows were neither found nor refused")
        }
        guard withTest else { return (rows, nil) }
        var testContext = context
        testContext.encoding = rows.encoding
        testContext.needsTarget = true
        return (rows, try ArrayFiles.archive(arrays, context: testContext, isTest: true))
    }
}
