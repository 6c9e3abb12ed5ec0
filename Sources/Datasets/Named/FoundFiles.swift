import Foundation
import Settings

/// A data set in files that the user has.
public protocol FoundDataset: NamedDataset {
    /// Names that the file of training rows may have; that of the test rows is found beside it.
    static var trainFiles: [String] { get }
}

extension FoundDataset {
    /// The first of the files in one of the folders, or in a folder of this name in one of them.
    ///
    /// - Throws: `DataError` with the names that were looked for.
    public func contents(in folders: [String]) throws -> DatasetContents {
        for folder in folders {
            for place in ["\(folder)/\(Self.name)", folder] {
                let found = Self.trainFiles.map { "\(place)/\($0)" }
                if let path = found.first(where: { FileManager.default.fileExists(atPath: $0) }) {
                    return .files(train: path, test: TestFile.beside(path))
                }
            }
        }
        throw DataError(
            Self.name, "\(listed(Self.trainFiles)) are in none of the folders \(listed(folders))",
            "Put one of them there, or name the folder with `data`")
    }
}

/// Where test rows are.
enum TestFile {
    /// The file of test rows beside one of training rows, by its name.
    static func beside(_ path: String) -> String? {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        let file = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var names = [file.replacingOccurrences(of: "train", with: "test")]
        if file.hasPrefix("data_batch") { names.append("test_batch.bin") }
        return names.first { $0 != file && FileManager.default.fileExists(atPath: folder + $0) }.map { folder + $0 }
    }
}

/// 60,000 small photographs.
public struct CIFAR10: FoundDataset {
    /// Name on the command line.
    public static let name = "cifar-10"
    /// One line of help.
    public static let summary = "photographs, 32 × 32 pixels in three colours, 10 classes"
    /// Who made it.
    public static let citation = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    /// It has no settings.
    public static let settings: [Setting<Self>] = []
    /// Names of the file of training rows.
    public static let trainFiles = ["cifar10_train.bin.gz", "cifar10_train.bin", "data_batch_1.bin"]

    /// Creates the data set.
    public init() {}
}

/// Film reviews, already as numbers.
public struct FilmReviews: FoundDataset {
    /// Name on the command line.
    public static let name = "imdb-minilm"
    /// One line of help.
    public static let summary = "film reviews as 384 features of a frozen sentence encoder, 2 classes"
    /// Who made it.
    public static let citation = "Maas et al., ACL 2011, encoded by all-MiniLM-L6-v2"
    /// It has no settings.
    public static let settings: [Setting<Self>] = []
    /// Names of the file of training rows.
    public static let trainFiles = ["imdb_minilm_train.npz"]

    /// Creates the data set.
    public init() {}
}
