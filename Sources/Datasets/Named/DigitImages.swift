import Foundation
import Settings

/// Images and labels in four IDX files.
public protocol ImageFileDataset: NamedDataset {
    /// What to do where the files are missing.
    static var remedy: String { get }
}

extension ImageFileDataset {
    /// The files in the first of the folders that has them.
    ///
    /// - Throws: `DataError` that says how to get them.
    public func contents(in folders: [String]) throws -> DatasetContents {
        guard let files = files(in: folders) else {
            throw DataError(
                Self.name, "its files are in none of the folders \(listed(folders))",
                Self.remedy + ", or name the folder with `data`")
        }
        return .files(train: files.images, test: nil)
    }

    /// The folder that holds the training files; nil where no searched folder has them.
    ///
    /// The folder given comes first, then those of `DatasetCatalogue.folders()`.
    public func found(in dataFolder: String? = nil) -> String? {
        files(in: DatasetCatalogue.folders(dataFolder))?.folder
    }

    private func files(in folders: [String]) -> IdxFiles? {
        let name = Self.name
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
}

/// 70,000 photographs of clothes, MIT licence.
public struct FashionMNIST: ImageFileDataset {
    /// Name on the command line.
    public static let name = "fashion-mnist"
    /// One line of help.
    public static let summary = "photographs of clothes, 28 × 28 grey pixels, 10 classes"
    /// Who made it, and under which licence it may be used.
    public static let citation = "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; MIT licence"
    /// It has no settings.
    public static let settings: [Setting<Self>] = []
    /// What to do where the files are missing.
    public static let remedy = "Run scripts/bootstrap"

    /// Creates the data set.
    public init() {}

    /// The kinds of clothes.
    public var classNames: [String] {
        [
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ]
    }
}

/// 70,000 handwritten digits, CC BY-SA 3.0.
public struct MNIST: ImageFileDataset {
    /// Name on the command line.
    public static let name = "mnist"
    /// One line of help.
    public static let summary = "handwritten digits, 28 × 28 grey pixels, 10 classes"
    /// Who made it, and under which licence it may be used.
    public static let citation = "LeCun, Cortes and Burges 1998; CC BY-SA 3.0"
    /// It has no settings.
    public static let settings: [Setting<Self>] = []
    /// What to do where the files are missing.
    public static let remedy = "Put its four IDX files, train-images-idx3-ubyte.gz and so on, there"

    /// Creates the data set.
    public init() {}
}
