import Foundation
import Interchange

/// Where a source lies and how it is to be read.
struct SourceLocation {
    let path: String
    let kind: FileKind
    let idx: IdxFiles?
    let entry: DatasetEntry?
    /// File of the test rows of a named data set.
    private(set) var testPath: String?

    init(_ source: String, target: String?, folders: [String]) throws {
        if let entry = DatasetCatalogue.entry(source) {
            guard let files = entry.files(in: folders) else { throw entry.missing(folders) }
            self.init(path: entry.name, kind: .idx, idx: files, entry: entry)
            return
        }
        if SyntheticData.all.contains(where: { $0.name == source }) {
            self.init(path: source, kind: .synthetic, idx: nil, entry: nil)
            return
        }
        if let named = NamedFiles.all.first(where: { $0.name == source }) {
            guard let path = named.path(in: folders) else { throw named.missing(folders) }
            self.init(path: path, kind: FileKind(of: path), idx: nil, entry: nil)
            testPath = NamedFiles.testFile(beside: path)
            return
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
            throw DataError(
                source.isEmpty ? "''" : source, "there is no data set and no file of that name",
                "Known data sets are \(listed(Self.names)); "
                    + "the path of a CSV, NPZ, NPY, IDX, safetensors or CIFAR-10 file works too")
        }
        if isFolder.boolValue {
            let prefixes = [""] + DatasetCatalogue.all.map { $0.name + "-" }
            guard let files = IdxFiles(folder: source, prefixes: prefixes) else {
                throw DataError(
                    source, "this is a folder without train-images-idx3-ubyte and train-labels-idx1-ubyte",
                    "Give the path of a file in it")
            }
            self.init(path: source, kind: .idx, idx: files, entry: nil)
            return
        }
        let kind = FileKind(of: source)
        let labels = target.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
        self.init(
            path: source, kind: kind, idx: kind == .idx ? IdxFiles(images: source, labels: labels) : nil, entry: nil)
    }

    private static let names =
        DatasetCatalogue.all.map(\.name) + NamedFiles.all.map(\.name) + SyntheticData.all.map(\.name)

    private init(path: String, kind: FileKind, idx: IdxFiles?, entry: DatasetEntry?) {
        self.path = path
        self.kind = kind
        self.idx = idx
        self.entry = entry
    }

    /// The rows and, where asked for, the test rows that come with them.
    func read(_ context: ReadContext, withTest: Bool) throws -> (rows: Dataset, test: Dataset?) {
        switch kind {
        case .table:
            var reader = try TableReader(context: context)
            return (try reader.dataset(), nil)
        case .synthetic:
            guard let made = SyntheticData.all.first(where: { $0.name == path }) else {
                fatalError("no synthetic data '\(path)'")
            }
            return (made.make(false), withTest ? made.make(true) : nil)
        case .cifar:
            let rows = try Cifar.read(path, context: context)
            guard withTest, let test = testPath ?? NamedFiles.testFile(beside: path) else { return (rows, nil) }
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
