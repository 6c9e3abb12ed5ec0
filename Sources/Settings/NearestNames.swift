/// Suggestions for a mistyped name.
public enum NearestNames {
    /// `"; did you mean …?"` with the closest names, or the list of all.
    public static func hint(for name: String, among known: [String]) -> String {
        let ranked = known.map { ($0, distance(name.lowercased(), $0.lowercased())) }.sorted { $0.1 < $1.1 }
        let close = ranked.filter { $0.1 <= max(2, name.count / 3) }.prefix(3).map { "'\($0.0)'" }
        if close.isEmpty { return "; it knows \(known.joined(separator: ", "))" }
        return "; did you mean \(close.joined(separator: " or "))?"
    }

    /// Levenshtein's edit distance.
    static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let substitution = diagonal + (x == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
