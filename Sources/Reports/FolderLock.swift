import Datasets
import Foundation
import Interchange

/// Keeps a second process out of a run folder for as long as this value lives, or the process.
package final class FolderLock {
    private let path: String
    private let descriptor: Int32

    /// - Throws: `DataError` where another process holds the lock.
    package init(_ folder: String) throws {
        let file = folder + "/.descent-lock"
        var held: Int32 = -1
        while held < 0 {
            let opened = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
            guard opened >= 0 else { break }
            guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
                let isTaken = errno == EWOULDBLOCK
                close(opened)
                guard isTaken else { break }
                throw DataError(
                    subject: folder, problem: "another run is writing there",
                    advice: "Wait for it, or give another `out`")
            }
            // The run that held it may have removed the file in between: then another file has the name by now.
            if Self.isSame(opened, file) { held = opened } else { close(opened) }
        }
        // Only now: what is set is undone when this value goes, and the file may be another run's. Where there are no
        // locks, as on some network file systems, there is no protection either.
        (path, descriptor) = (file, held)
    }

    /// Whether other processes are kept out.
    package var isHeld: Bool { descriptor >= 0 }

    /// Removes what killed processes left in a folder, unless another process is writing there.
    package static func clear(_ folder: String) {
        let folder = folder.isEmpty ? "." : folder
        if let lock = try? FolderLock(folder), lock.isHeld { AtomicFile.removeTemporaries(in: folder) }
    }

    /// Whether an open file is still the one of a name.
    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var (opened, named) = (stat(), stat())
        return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino
            && opened.st_dev == named.st_dev
    }

    /// Removes the file, while the lock is still held.
    package func removeFile() {
        if descriptor >= 0, Self.isSame(descriptor, path) { unlink(path) }
    }

    deinit {
        removeFile()
        if descriptor >= 0 { close(descriptor) }
    }
}
