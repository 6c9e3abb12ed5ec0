import Foundation

/// Makes text safe inside XML elements and attributes.
func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
        default:
            // XML has no way to write the other control characters, not even as references.
            let forbidden = scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF
            result.unicodeScalars.append(forbidden ? "\u{FFFD}" : scalar)
        }
    }
    return result
}

/// Writes a screen coordinate with at most one decimal.
func coordinate(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let tenths = Int((min(max(value, -20_000), 20_000) * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let (whole, rest) = abs(tenths).quotientAndRemainder(dividingBy: 10)
    return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest)"
}

/// Number formats for people.
enum Format {
    /// Writes a number with a fixed count of decimals, thin spaces between thousands and a true minus sign.
    static func fixed(_ value: Double, decimals: Int) -> String {
        let digits = String(format: "%.\(max(decimals, 0))f", abs(value))
        let parts = digits.split(separator: ".", maxSplits: 1)
        var grouped = ""
        let whole = parts[0]
        for (offset, digit) in whole.enumerated() {
            if offset > 0, whole.count > 4, (whole.count - offset) % 3 == 0 { grouped += "\u{2009}" }
            grouped.append(digit)
        }
        if parts.count == 2 { grouped += "." + parts[1] }
        let isZero = !digits.contains { $0 != "0" && $0 != "." }
        return (value < 0 && !isZero ? "\u{2212}" : "") + grouped
    }

    /// Writes a number with about four significant digits and no trailing zeros.
    static func short(_ value: Double) -> String {
        guard value.isFinite else { return "\u{2013}" }
        if value == 0 { return "0" }
        let magnitude = Int(floor(log10(abs(value))))
        if magnitude >= 7 || magnitude < -4 {
            let mantissa = trimmed(fixed(value / pow(10, Double(magnitude)), decimals: 2))
            return mantissa + "\u{00D7}10" + superscript(magnitude)
        }
        if value == value.rounded() { return fixed(value, decimals: 0) }
        return trimmed(fixed(value, decimals: max(0, 3 - magnitude)))
    }

    /// Writes numbers that stand in one chart, with equally many decimals where that hides none of them.
    static func consistent(_ values: [Double]) -> [String] {
        let shorts = values.map(short)
        let largest = values.filter(\.isFinite).map(abs).max() ?? 0
        guard largest > 0, !shorts.contains(where: { $0.contains("\u{00D7}") }) else { return shorts }
        let needed = shorts.map { $0.split(separator: ".").dropFirst().first?.count ?? 0 }.max() ?? 0
        let decimals = min(needed, max(0, 3 - Int(floor(log10(largest)))))
        let unit = pow(10, -Double(decimals))
        guard values.allSatisfy({ !$0.isFinite || $0 == 0 || abs($0) >= unit / 2 }) else { return shorts }
        return values.map { $0.isFinite ? fixed($0, decimals: decimals) : short($0) }
    }

    /// Writes an exponent with a true minus sign.
    static func exponent(_ value: Int) -> String {
        (value < 0 ? "\u{2212}" : "") + String(value.magnitude)
    }

    private static func superscript(_ value: Int) -> String {
        let digits: [Character] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]
        return (value < 0 ? "⁻" : "") + String(String(value.magnitude).map { digits[$0.wholeNumberValue ?? 0] })
    }

    private static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var result = text
        while result.hasSuffix("0") { result.removeLast() }
        if result.hasSuffix(".") { result.removeLast() }
        return result
    }

    /// Says whether every filled cell of a table column reads as a number.
    static func isNumericColumn(_ cells: [String]) -> Bool {
        let filled = cells.filter { !$0.allSatisfy { $0 == " " || $0 == "–" || $0 == "-" || $0 == "—" } }
        return !filled.isEmpty && filled.allSatisfy(isNumeric)
    }

    private static func isNumeric(_ cell: String) -> Bool {
        var text = cell.replacingOccurrences(of: "\u{2212}", with: "-")
        for separator in [" ", "\u{2009}", "\u{202F}", "\u{00A0}", ",", "_", "%"] {
            text = text.replacingOccurrences(of: separator, with: "")
        }
        if let cut = text.range(of: "\u{00D7}10") { text = String(text[..<cut.lowerBound]) }
        return Double(text) != nil
    }
}

/// Estimates of the size of text, since an SVG is laid out before any font is known.
enum TextMetrics {
    /// The approximate width of text in the widest of the common sans-serif faces.
    static func width(_ text: String, size: Double) -> Double {
        text.reduce(0) { $0 + advance($1) } * size
    }

    private static func advance(_ character: Character) -> Double {
        if isWide(character) { return 1.05 }
        if "il.,:;|!'j".contains(character) { return 0.32 }
        if "tfrI()[] \u{2009}-".contains(character) { return 0.4 }
        if "mwMW%@".contains(character) { return 0.95 }
        if character.isUppercase { return 0.71 }
        return 0.625
    }

    /// Whether a character takes two columns of a terminal.
    static func isWide(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first?.value else { return false }
        switch scalar {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return true
        default: return false
        }
    }

    /// Cuts text to a width and marks the cut with an ellipsis.
    static func shortened(_ text: String, to limit: Double, size: Double) -> String {
        guard width(text, size: size) > limit else { return text }
        var result = ""
        var used = 0.6 * size
        for character in text {
            used += advance(character) * size
            if used > limit { break }
            result.append(character)
        }
        return result + "\u{2026}"
    }

    /// Breaks text into at most `lines` lines of a width.
    static func wrapped(_ text: String, to limit: Double, size: Double, lines: Int) -> [String] {
        var result: [String] = []
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        for word in words {
            if let last = result.last, result.count >= lines || width(last + " " + word, size: size) <= limit {
                result[result.count - 1] = last + " " + word
            } else {
                result.append(word)
            }
        }
        return result.map { shortened($0, to: limit, size: size) }
    }
}
