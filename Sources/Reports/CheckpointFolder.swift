import Datasets
import Foundation

/// The checkpoints of a run folder: the newest few.
package struct CheckpointFolder {
    package let folder: String
    package let keeps: Int

    package init(folder: String, keeps: Int) { (self.folder, self.keeps) = (folder, keeps) }

    private var path: String { folder + "/checkpoint" }

    private var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { $0.hasPrefix("step-") && RunFolder.isCheckpoint(named: $0, in: path) }.sorted()
    }

    package func newest() throws -> String {
        // Fits of earlier versions had one file of this name, which its reader refuses.
        let earlier = path + "/state.safetensors"
        if files.isEmpty, RunFolder.isCheckpoint(named: "state.safetensors", in: path) { return earlier }
        guard let last = files.last else {
            throw DataError(
                subject: folder, problem: "holds no checkpoint to resume",
                advice: "Only a run stopped by Ctrl-C or `timeLimit` leaves one; start it again without `resume`")
        }
        return path + "/" + last
    }

    /// Writes the newest checkpoint, named by where the run is, and removes those beyond the number to keep.
    package func write(_ writeCheckpoint: (String) throws -> Void, position: Int) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let number = String(position)
        let padded = String(repeating: "0", count: max(0, 10 - number.count)) + number
        try writeCheckpoint("\(path)/step-\(padded).safetensors")
        for old in files.dropLast(keeps) { unlink(path + "/" + old) }
    }
}
