import Foundation
import Interchange

/// The header of every model file: what its tensors are, and what stands around them.
///
/// It is JSON under the key `descent` of the file's metadata; the tensors have PyTorch's names.
///
/// - Parameter Body: what one kind of network needs besides.
package struct ModelHeader<Body: Codable & Sendable>: Codable, Sendable {
    /// 3; files of versions 1 and 2 are read too.
    package var formatVersion = ModelFile.version
    /// Kind of the network.
    package var kind: String
    /// What stands around it.
    package var preparation: Preparation
    /// How far it is from an optimum, where that was proven.
    package var certificate: ModelCertificate?
    /// Facts about the training run, for `descent inspect`.
    package var facts: [String: String]
    /// What this kind needs besides.
    package var body: Body

    package init(
        kind: String, preparation: Preparation, certificate: ModelCertificate? = nil, facts: [String: String] = [:],
        body: Body
    ) {
        (self.kind, self.preparation, self.certificate) = (kind, preparation, certificate)
        (self.facts, self.body) = (facts, body)
    }

    /// The text for the file.
    package var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// Reads the header of a file of this version.
    ///
    /// - Throws: `InterchangeError` for what this version cannot read.
    package init(_ file: SafeTensorsFile, path: String) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data((file.metadata[ModelFile.key] ?? "").utf8))
        } catch {
            throw ModelFile.unreadable(path, error)
        }
    }
}

/// What model files have in common.
package enum ModelFile {
    /// The version that is written.
    package static let version = 3
    /// The key of the header in the file's metadata.
    package static let key = "descent"
    /// The key that networks of versions before 3 had.
    package static let earlierNetworkKey = "descent.network"

    /// The model file of a path, which may be the run folder that holds it.
    package static func path(_ path: String) -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return path
        }
        return path + "/model.safetensors"
    }

    /// What is in a file.
    package struct Kind: Sendable {
        /// Version of the header.
        package var version: Int
        /// Kind of the network.
        package var kind: String
    }

    private struct Start: Decodable {
        var formatVersion: Int
        var kind: String?
    }

    /// Version and kind of a file.
    ///
    /// - Throws: `InterchangeError` for a file that is no model, or one of a version that is not read here.
    package static func kind(_ file: SafeTensorsFile, path: String) throws -> Kind {
        let isEarlierNetwork = file.metadata[key] == nil && file.metadata[earlierNetworkKey] != nil
        guard let text = file.metadata[key] ?? file.metadata[earlierNetworkKey] else {
            throw InterchangeError(
                path: path, problem: "is a safetensors file, but not a Descent model (no 'descent' metadata)",
                advice: "Give a model.safetensors that descent fit or descent train wrote")
        }
        let start: Start
        do {
            start = try JSONDecoder().decode(Start.self, from: Data(text.utf8))
        } catch {
            throw unreadable(path, error)
        }
        guard (1...version).contains(start.formatVersion), (start.formatVersion == version) == (start.kind != nil)
        else {
            throw InterchangeError(
                path: path,
                problem: "has format version \(start.formatVersion), and this Descent reads 1 to \(version)",
                advice: "Use the version that wrote it")
        }
        return Kind(
            version: start.formatVersion,
            kind: start.kind ?? (isEarlierNetwork ? networkKind : convexKind))
    }

    /// Two layers of a convex program.
    package static let convexKind = "convex"
    /// An architecture, or a program.
    package static let networkKind = "network"

    package static func damaged(_ path: String, _ problem: String) -> InterchangeError {
        InterchangeError(
            path: path, problem: "has metadata that do not go together: \(problem)",
            advice: "The file is damaged: train again")
    }

    package static func unreadable(_ path: String, _ error: any Error) -> InterchangeError {
        let reason =
            switch error {
            case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
                DecodingError.valueNotFound(_, let context), DecodingError.keyNotFound(_, let context):
                context.debugDescription
            default: "\(error)"
            }
        return InterchangeError(
            path: path, problem: "has metadata that this version of Descent cannot read: \(reason)",
            advice: "Train the model again, or use the version that wrote it")
    }
}
