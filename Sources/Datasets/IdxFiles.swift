import Foundation

/// The paths of images and labels for training and, where there are any, for testing.
struct IdxFiles: Sendable {
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
