import Foundation

/// The data sets that have a name.
public enum DatasetCatalogue {
    /// All entries, in alphabetical order.
    public static let all: [DatasetEntry] = [
        DatasetEntry(
            name: "fashion-mnist", summary: "photographs of clothes, 28 × 28 grey pixels, 10 classes",
            source: "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; MIT licence", rows: 70_000,
            task: .classification,
            classNames: [
                "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot",
            ]),
        DatasetEntry(
            name: "mnist", summary: "handwritten digits, 28 × 28 grey pixels, 10 classes",
            source: "LeCun, Cortes and Burges 1998; CC BY-SA 3.0", rows: 70_000, task: .classification,
            classNames: []),
    ]

    /// The entry of that name, or nil where there is none.
    public static func entry(_ name: String) -> DatasetEntry? { all.first { $0.name == name } }

    /// The folders that are searched, in order: the given one, then those of the environment and of the system.
    public static func folders(_ dataFolder: String? = nil) -> [String] {
        let environment = ProcessInfo.processInfo.environment
        func folder(_ variable: String) -> String? { environment[variable].flatMap { $0.isEmpty ? nil : $0 } }
        let home = folder("HOME") ?? FileManager.default.homeDirectoryForCurrentUser.path
        let cache = folder("XDG_CACHE_HOME") ?? home + "/.cache"
        let local = FileManager.default.currentDirectoryPath + "/.cache/descent/data"
        let system = "/usr/share/datasets"
        return [dataFolder, folder("DESCENT_DATA"), cache + "/descent/data", local, system].compactMap(\.self)
    }
}

/// One data set of the catalogue: four IDX files of images and labels.
public struct DatasetEntry: Sendable {
    /// The name that `DataRequest.source` takes, and of the folder that holds the files.
    public let name: String
    /// What the rows are, in a few words.
    public let summary: String
    /// Who made it and under which licence it may be used.
    public let source: String
    /// The number of training and test rows together.
    public let rows: Int
    /// What there is to learn.
    public let task: PredictionTask
    /// The name of each class, in order; empty where their numbers are their names.
    public let classNames: [String]

    /// The folder that holds the data set's training files; nil where no searched folder has them.
    ///
    /// The folder given comes first, then those of `DatasetCatalogue.folders()`.
    public func found(in dataFolder: String? = nil) -> String? {
        files(in: DatasetCatalogue.folders(dataFolder))?.folder
    }

    /// The files in the first of the folders that has them.
    func files(in folders: [String]) -> IdxFiles? {
        for folder in folders {
            let last = folder.split(separator: "/").last.map(String.init) ?? ""
            // Files without a prefix say nothing about what they are, so their folder has to.
            let direct = last == name ? ["", "\(name)-"] : ["\(name)-"]
            if let files = IdxFiles(folder: "\(folder)/\(name)", prefixes: ["", "\(name)-"])
                ?? IdxFiles(folder: folder, prefixes: direct)
            {
                return files
            }
        }
        return nil
    }

    /// The error for a data set whose files are in none of the folders.
    func missing(_ folders: [String]) -> DataError {
        let advice =
            name == "fashion-mnist"
            ? "Run scripts/bootstrap, or name the folder with `data`"
            : "Put its four files, train-images-idx3-ubyte.gz and so on, there, or name the folder with `data` "
                + "(scripts/bootstrap fetches fashion-mnist only)"
        return DataError(name, "its files are in none of the folders \(listed(folders))", advice)
    }
}

/// The paths of images and labels for training and, where there are any, for testing.
struct IdxFiles {
    var folder: String
    var images: String
    var labels: String?
    var testImages: String?
    var testLabels: String?

    private static let testNames = ["t10k", "test3k", "test"]

    /// Finds the files by their usual names behind one of the prefixes; nil where training files are missing.
    init?(folder: String, prefixes: [String]) {
        for prefix in prefixes {
            guard let images = Self.existing("\(folder)/\(prefix)train-images-idx3-ubyte"),
                let labels = Self.existing("\(folder)/\(prefix)train-labels-idx1-ubyte")
            else { continue }
            self.folder = folder
            self.images = images
            self.labels = labels
            findTest("\(folder)/\(prefix)")
            return
        }
        return nil
    }

    /// Finds the labels and the test files that belong to a file of images.
    init(images: String, labels: String?) {
        let (folder, file) = Self.divided(images)
        self.folder = folder
        self.images = images
        self.labels = labels ?? Self.labels(of: images)
        if let range = file.range(of: "train-images") { findTest(folder + "/" + file[..<range.lowerBound]) }
    }

    private mutating func findTest(_ start: String) {
        for name in Self.testNames {
            guard let images = Self.existing("\(start)\(name)-images-idx3-ubyte"),
                let labels = Self.existing("\(start)\(name)-labels-idx1-ubyte")
            else { continue }
            (testImages, testLabels) = (images, labels)
            return
        }
    }

    private static func labels(of images: String) -> String? {
        let (folder, file) = divided(images)
        let name = file.replacingOccurrences(of: "images", with: "labels")
            .replacingOccurrences(of: "idx3", with: "idx1")
        let plain = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
        return name == file ? nil : existing("\(folder)/\(plain)")
    }

    private static func divided(_ path: String) -> (folder: String, file: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    /// The path of the file, plain or compressed; nil where there is neither.
    private static func existing(_ path: String) -> String? {
        [path, path + ".gz"].first { FileManager.default.fileExists(atPath: $0) }
    }
}
