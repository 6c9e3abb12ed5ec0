import Foundation
import Torch

/// The engine's generator and thread count belong to the process: tests that set them take turns.
package enum Engine {
    private static let lock = NSRecursiveLock()

    package static func exclusively<R>(_ body: () throws -> R) rethrows -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }

    /// Runs `body` with so many threads inside one operation.
    package static func withThreads<R>(_ count: Int, _ body: () throws -> R) rethrows -> R {
        try exclusively {
            let before = Runtime.threads
            Runtime.threads = count
            defer { Runtime.threads = before }
            return try body()
        }
    }

    /// Resident memory of this process in bytes; nil where the system does not say.
    package static var residentBytes: Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") })
        else { return nil }
        return Int(line.filter(\.isNumber)).map { $0 * 1024 }
    }
}
