import Foundation
import Interchange

/// The file of an interrupted run: tensors, and a header of what is none, sealed by a checksum and replaced atomically.
///
/// - Parameter State: what a method keeps besides its tensors.
public struct CheckpointFile<State: Codable> {
    /// What the method keeps.
    public var state: State
    /// Its tensors.
    public var tensors: [(name: String, array: ArrayData)]

    /// Creates the content of a file.
    public init(_ state: State, tensors: [(name: String, array: ArrayData)]) {
        (self.state, self.tensors) = (state, tensors)
    }

    /// Grows whenever the header changes its form.
    private static var version: Int { 5 }

    private struct Header: Codable {
        var version: Int
        /// Name of the method.
        var method: String
        /// What was asked for, as text.
        var identity: String
        var dataHash: String
        var state: State
    }

    /// What tells one run from others: a file of another is refused.
    public struct Key: Sendable, Equatable {
        /// Name of the method.
        public var method: String
        /// What was asked for, as text, without what may differ where a run goes on.
        public var identity: String
        /// Hash of the training data.
        public var dataHash: String

        /// Creates a key.
        public init(method: String, identity: String, dataHash: String) {
            (self.method, self.identity, self.dataHash) = (method, identity, dataHash)
        }
    }

    /// Writes the file, by way of a temporary one.
    ///
    /// - Throws: `InterchangeError` when it cannot be written; an older file then stays as it was.
    public func write(to path: String, key: Key) throws {
        let header = Header(
            version: Self.version, method: key.method, identity: key.identity, dataHash: key.dataHash, state: state)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let text = String(decoding: try encoder.encode(header), as: UTF8.self)
        let file = SafeTensorsFile(tensors: tensors, metadata: [CheckpointKey.metadata: text])
        try SafeTensors.write(file.sealed(), to: path)
    }

    /// Reads the content of a file of the run that a key names; `path` is named in errors.
    ///
    /// - Throws: `InterchangeError` for files of another version, another run or other data, and for damaged ones.
    public init(_ file: SafeTensorsFile, path: String, key: Key) throws {
        func fault(_ problem: String, _ advice: String) -> InterchangeError {
            InterchangeError(path: path, problem: problem, advice: advice)
        }
        guard let text = file.metadata[CheckpointKey.metadata] ?? file.metadata[CheckpointKey.earlier] else {
            throw fault("is no checkpoint", "Give the folder of an interrupted run")
        }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let data = Data(text.utf8)
        guard let kind = try? decoder.decode(CheckpointKind.self, from: data), kind.version == Self.version,
            file.isSealed
        else {
            throw fault("is a checkpoint of another version of Descent", "Discard it, and start the run again")
        }
        guard file.isIntact else {
            throw fault(
                "is a damaged checkpoint: its checksum is not that of its content",
                "Discard it, and start the run again")
        }
        guard kind.method == key.method else {
            throw fault("is a checkpoint of another method, \(kind.method)", "Resume with the same arguments")
        }
        guard let header = try? decoder.decode(Header.self, from: data) else {
            throw fault(
                "is a damaged checkpoint: its header is not one of \(key.method)",
                "Discard it, and start the run again")
        }
        guard header.identity == key.identity else {
            throw fault("is a checkpoint of a run with other settings or test rows", "Resume with the same arguments")
        }
        guard header.dataHash == key.dataHash else {
            throw fault(
                "is a checkpoint of other data (hash \(header.dataHash), now \(key.dataHash))",
                "Resume with the same data")
        }
        self.init(header.state, tensors: file.tensors)
    }
}

/// What every version of a header begins with.
private struct CheckpointKind: Decodable {
    var version: Int
    var method: String
}

/// Where the header of a checkpoint is.
public enum CheckpointKey {
    /// Its key in the metadata of the file.
    public static let metadata = "descent.checkpoint"
    /// What training runs of earlier versions had in its place.
    package static let earlier = "descent.training"
}
