import Foundation
import Settings

/// A data set that has a name: files that lie somewhere, or rows that are made.
///
/// One file holds one data set or a family; one line in ``DatasetCatalogue`` makes it known. Its settings are typed behind
/// the name, as in `spirals(points=200)`.
public protocol NamedDataset: Configurable {
    /// The name of each class, in order; empty where their numbers or the files name them.
    var classNames: [String] { get }
    /// Where the rows are, or what makes them.
    ///
    /// - Parameter folders: where files are to be looked for, the first one first.
    /// - Throws: `DataError` where the files are in none of the folders.
    func contents(in folders: [String]) throws -> DatasetContents
}

extension NamedDataset {
    /// Numbers, or what the files say.
    public var classNames: [String] { [] }
}

extension NamedDataset {
    /// Throws where rows that are to be made are more than this machine's memory.
    ///
    /// - Parameter bytes: of one number while it is made.
    func requireMemory(_ rows: Int, _ columns: Int, bytes: Double) throws {
        let (needed, present) = (
            bytes * Double(rows) * Double(columns), Double(ProcessInfo.processInfo.physicalMemory)
        )
        guard needed > present else { return }
        throw DataError(
            Self.name,
            String(
                format: "its rows would take %.0f GB of memory, this machine has %.0f GB", needed / 1e9, present / 1e9),
            "Ask for fewer")
    }
}

/// What a name stands for.
public enum DatasetContents: Sendable {
    /// A file of training rows, and one of test rows where there is one: of any format that can be read.
    case files(train: String, test: String?)
    /// Rows that are made: the training rows, or the test rows.
    case made(@Sendable (_ isTest: Bool) throws -> Dataset)
}

/// The data sets that have a name.
public enum DatasetCatalogue {
    /// The entries, to which a user's own may be added.
    public static let catalogue = Catalogue<any NamedDataset>(
        "data set",
        [
            FashionMNIST.self, MNIST.self, CIFAR10.self, FilmReviews.self, ModularArithmetic.self, Speech.self,
            Spirals.self, Teacher.self, WideImages.self,
        ])

    /// All entries, those of the package first.
    public static var all: [any NamedDataset.Type] { catalogue.all.compactMap { $0 as? any NamedDataset.Type } }

    /// The data set of a name with or without settings; nil where the text names none.
    ///
    /// - Throws: `SettingError` for settings that it does not have.
    static func find(_ text: String) throws -> (any NamedDataset)? {
        let name = String(text.prefix { $0 != "(" })
        // A file may be called after one, as `mnist(2).csv` is.
        guard name == text || text.last == ")", let type = catalogue[name] else { return nil }
        return try catalogue.make(NamedSettings(text: text, among: [type]))
    }

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
