import Foundation

/// Writes files so that a reader sees the old content or the new, never a part.
public enum AtomicFile {
    /// Replaces the file at `path` by `bytes`; on an error the old file is untouched and no other is left behind.
    public static func write(_ bytes: some ContiguousBytes, to path: String) throws(InterchangeError) {
        try replace(path) { descriptor in
            bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        }
    }

    /// Replaces the file at `path` by `chunks`, one after the other, without joining them in memory.
    public static func write(chunks: [[UInt8]], to path: String) throws(InterchangeError) {
        try replace(path) { descriptor in
            for chunk in chunks {
                let code = chunk.withUnsafeBytes { writeAll($0, to: descriptor) }
                if code != 0 { return code }
            }
            return 0
        }
    }

    /// Runs `body` on a temporary file beside `path` and renames it; `body` returns 0 or an error number.
    private static func replace(_ path: String, _ body: (Int32) -> Int32) throws(InterchangeError) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw InterchangeError(path, "this is not a usable path") }
        var existing = stat()
        let exists = stat(path, &existing) == 0
        if exists, existing.st_mode & S_IFMT != S_IFREG {
            return try writeThrough(path, isFolder: existing.st_mode & S_IFMT == S_IFDIR, body)
        }
        let target = exists ? resolved(path) : path
        let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
        let temporary = "\(folder)\(temporaryPrefix)\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))"

        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure(path, errno) }
        if exists { _ = fchmod(descriptor, existing.st_mode & 0o777) }
        var code = body(descriptor)
        // The content must be on the disk before the name is, or a power cut leaves a name without it.
        if code == 0 && fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP { code = errno }
        // A network file system may report a full disk only here.
        if close(descriptor) != 0 && code == 0 { code = errno }
        if code == 0 && rename(temporary, target) != 0 { code = errno }
        guard code == 0 else {
            unlink(temporary)
            throw failure(path, code)
        }
    }

    /// What the name of a temporary file starts with; a killed process leaves its own behind.
    public static let temporaryPrefix = ".partial-"

    /// Removes the temporary files that killed processes left in a folder.
    ///
    /// - Precondition: no other process writes there, as a lock can say; process numbers of another machine say nothing.
    public static func removeTemporaries(in folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let parts = name.dropFirst(temporaryPrefix.count).split(separator: "-")
            guard name.hasPrefix(temporaryPrefix), parts.count == 2, Int32(parts[0]) != nil else { continue }
            unlink(folder + "/" + name)
        }
    }

    /// Writes to a pipe or a device in place, where a rename would replace it by a file.
    private static func writeThrough(
        _ path: String, isFolder: Bool, _ body: (Int32) -> Int32
    ) throws(InterchangeError) {
        guard !isFolder else { throw failure(path, EISDIR) }
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, errno) }
        let code = body(descriptor)
        close(descriptor)
        guard code == 0 else { throw failure(path, code) }
    }

    /// The path with links followed, so that a link to a file stays a link.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
        var done = 0
        while done < bytes.count {
            let wrote = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if wrote < 0 && errno == EINTR { continue }
            if wrote < 0 { return errno }
            done += wrote
        }
        return 0
    }

    private static func failure(_ path: String, _ code: Int32) -> InterchangeError {
        let reason = String(cString: strerror(code))
        let problem = "it cannot be written: \(reason)"
        switch code {
        case ENOSPC: return InterchangeError(path, problem, "Free some space or write to another disk")
        case EDQUOT: return InterchangeError(path, problem, "Free some of your quota or write to another disk")
        case ENOENT: return InterchangeError(path, problem, "Create its folder first")
        case EACCES, EPERM, EROFS: return InterchangeError(path, problem, "Choose a folder you may write to")
        case EISDIR: return InterchangeError(path, problem, "Give the path of a file in that folder")
        default: return InterchangeError(path, problem, "Check the path and the disk")
        }
    }
}
