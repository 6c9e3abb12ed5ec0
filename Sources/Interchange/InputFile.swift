import Foundation

/// A file opened for reading, closed when the last reference goes.
public final class InputFile {
    let path: String
    /// The size in bytes when the file was opened; nil for a pipe.
    let size: Int?
    private let descriptor: Int32

    /// Opens `path`; a missing file, a folder or a device is an error.
    init(_ path: String) throws(InterchangeError) {
        guard !path.utf8.contains(0) else { throw InterchangeError(path, "the path holds a zero byte") }
        let opened = open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw InputFile.failure(path, errno) }
        var information = stat()
        guard fstat(opened, &information) == 0 else {
            let code = errno
            close(opened)
            throw InputFile.failure(path, code)
        }
        let kind = information.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFIFO else {
            close(opened)
            throw kind == S_IFDIR
                ? InputFile.failure(path, EISDIR)
                : InterchangeError(path, "this is a device, not a file", "Give the path of a file")
        }
        self.path = path
        size = kind == S_IFREG ? Int(information.st_size) : nil
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// All bytes of the file at `path`, which may be a pipe.
    ///
    /// Throws where there is no such file, or it cannot be read.
    public static func bytes(_ path: String) throws(InterchangeError) -> [UInt8] {
        let file = try InputFile(path)
        if let size = file.size { return try file.read(upTo: size) }
        var all: [UInt8] = []
        while true {
            let chunk = try file.read(upTo: 1 << 20)
            if chunk.isEmpty { return all }
            all += chunk
        }
    }

    /// The next `count` bytes; fewer only where the file ends first.
    func read(upTo count: Int) throws(InterchangeError) -> [UInt8] {
        var code: Int32 = 0
        let descriptor = descriptor
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = Foundation.read(descriptor, buffer.baseAddress! + filled, count - filled)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { code = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        guard code == 0 else { throw InputFile.failure(path, code) }
        return bytes
    }

    private static func failure(_ path: String, _ code: Int32) -> InterchangeError {
        switch code {
        case ENOENT: InterchangeError(path, "there is no such file", "Check the path")
        case EISDIR: InterchangeError(path, "this is a folder, not a file", "Give the path of a file in it")
        case EACCES: InterchangeError(path, "permission to read it is denied", "Check the file's permissions")
        default: InterchangeError(path, "it cannot be read: \(String(cString: strerror(code)))", "Check the path")
        }
    }
}
