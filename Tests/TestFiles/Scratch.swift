import Foundation

/// A folder for one test, removed with everything in it when the test lets go of it.
public final class Scratch: Sendable {
    /// Where it is.
    public let folder = FileManager.default.temporaryDirectory.path + "/descent-test-\(UUID().uuidString)"

    /// Makes the folder.
    public init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The path of a name in it.
    public func path(_ name: String) -> String { folder + "/" + name }

    /// Writes a file, with the folders that it is in.
    ///
    /// - Returns: its path.
    @discardableResult
    public func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let url = URL(filePath: path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
        return path(name)
    }

    /// What is in it.
    public var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
}

/// What an error says; "no error" where there is none.
public func fault(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
