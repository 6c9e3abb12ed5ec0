import Foundation

/// Numbers for people.
package enum Format {
    package static func number(_ value: Double) -> String {
        let size = abs(value)
        if size >= 1e6 || (size < 1e-3 && size > 0) { return String(format: "%.3e", value) }
        return String(format: size >= 100 ? "%.1f" : "%.4f", value)
    }

    package static func percent(_ value: Double) -> String {
        String(format: abs(value) < 0.001 ? "%.4f %%" : "%.2f %%", value * 100)
    }

    package static func duration(_ seconds: Double) -> String {
        if seconds < 120 { return String(format: "%.0f s", seconds) }
        if seconds < 7200 { return String(format: "%.0f min", seconds / 60) }
        return String(format: "%.1f h", seconds / 3600)
    }

    package static func bytes(_ count: Int) -> String {
        let size = Double(count)
        if size >= 1e9 { return String(format: "%.2f GB", size / 1e9) }
        return String(format: "%.0f MB", size / 1e6)
    }
}
