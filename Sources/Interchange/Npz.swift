/// Reads and writes NumPy's `.npz` archives.
public enum Npz {
    /// Reads every array of a `.npz` archive, stored or deflated, by its name without `.npy`.
    ///
    /// Throws where the file is not a ZIP archive, is damaged, does not match its CRC-32 sums, holds anything but npy
    /// files, or holds arrays that `Npy` cannot read.
    public static func read(_ path: String) throws(InterchangeError) -> [String: ArrayData] {
        try parse(try InputFile.bytes(path), path: path)
    }

    static func parse(_ bytes: [UInt8], path: String) throws(InterchangeError) -> [String: ArrayData] {
        guard !bytes.isEmpty else { throw .empty(path) }
        var arrays: [String: ArrayData] = [:]
        for entry in try ZipReader.entries(bytes, path: path) where !entry.name.hasSuffix("/") {
            guard entry.name.hasSuffix(".npy") else {
                let advice = "Give an archive written by numpy.savez"
                throw InterchangeError(path, "the archive holds '\(entry.name)', which is not a npy file", advice)
            }
            let array = try Npy.parse(
                try ZipReader.content(of: entry, in: bytes, path: path), path: "\(path)(\(entry.name))")
            guard arrays.updateValue(array, forKey: String(entry.name.dropLast(4))) == nil else {
                throw InterchangeError(path, "the archive holds '\(entry.name)' twice", "Write it again")
            }
        }
        return arrays
    }

    /// Writes an uncompressed archive by way of a temporary file beside `path`, as `numpy.savez` does.
    ///
    /// Throws for equal names, for arrays that `Npy` cannot write, and where `path` cannot be written.
    public static func write(_ arrays: [(String, ArrayData)], to path: String) throws(InterchangeError) {
        try write(arrays, to: path, zip64From: Int(UInt32.max))
    }

    /// Writes as the public function does, with ZIP64 fields for sizes and offsets from `limit` on.
    static func write(_ arrays: [(String, ArrayData)], to path: String, zip64From limit: Int) throws(InterchangeError) {
        var writer = ZipWriter(limit: limit)
        var names: Set<String> = []
        for (name, array) in arrays {
            guard names.insert(name).inserted, name.utf8.count < 60_000 else {
                throw InterchangeError(
                    path, "the name '\(name.prefix(100))' is used twice or too long", "Nothing was written")
            }
            let header = try Npy.header(array, name: "'\(name)'", path: path)
            writer.append(name: name + ".npy", content: [header, array.bytes])
        }
        try AtomicFile.write(chunks: writer.finished(), to: path)
    }
}
