import Foundation

/// A data set that has a name and lies in files that the user has.
public struct NamedFiles: Sendable {
    /// The name in place of a path.
    public let name: String
    /// What the rows are, in a few words.
    public let summary: String
    /// Names that the file of training rows may have.
    let trainFiles: [String]

    /// All entries, in alphabetical order.
    public static let all: [NamedFiles] = [
        NamedFiles(
            name: "cifar-10", summary: "photographs, 32 × 32 pixels in three colours, 10 classes",
            trainFiles: ["cifar10_train.bin.gz", "cifar10_train.bin", "data_batch_1.bin"]),
        NamedFiles(
            name: "imdb-minilm", summary: "film reviews as 384 features of a frozen sentence encoder, 2 classes",
            trainFiles: ["imdb_minilm_train.npz"]),
    ]

    /// The first of the files in one of the folders, or in a folder of this name in one of them.
    func path(in folders: [String]) -> String? {
        for folder in folders {
            for place in ["\(folder)/\(name)", folder] {
                let found = trainFiles.map { "\(place)/\($0)" }.first { FileManager.default.fileExists(atPath: $0) }
                if let found { return found }
            }
        }
        return nil
    }

    func missing(_ folders: [String]) -> DataError {
        DataError(
            name, "\(listed(trainFiles)) are in none of the folders \(listed(folders))",
            "Put one of them there, or name the folder with `data`")
    }

    /// The file of test rows beside one of training rows, by its name.
    static func testFile(beside path: String) -> String? {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? ""
        let file = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var names = [file.replacingOccurrences(of: "train", with: "test")]
        if file.hasPrefix("data_batch") { names.append("test_batch.bin") }
        return names.first { $0 != file && FileManager.default.fileExists(atPath: folder + $0) }.map { folder + $0 }
    }
}
