/// How a CSV text is written: what separates its fields and whether names come first.
struct CSVDialect {
    let separator: UInt8
    let hasHeader: Bool
    /// The number of fields of the first row.
    let columnCount: Int

    /// How many rows are looked at.
    private static let sampleSize = 100
    /// A column takes memory whatever it holds, so that a line of commas would take a hundredfold of the file's size.
    private static let greatestColumnCount = 1 << 17

    /// Finds what `header` and `separator` leave open; a text without rows is an error.
    init(
        of text: UnsafeBufferPointer<UInt8>, path: String, header: Bool?, separator: UInt8?
    ) throws(InterchangeError) {
        guard !text.isEmpty else { throw .empty(path) }
        let separator = separator ?? CSVDialect.separator(of: text)
        var scanner = CSVScanner(text, separator: separator, path: path)
        // A fault in a later row is left to the reader, which reports it with all that came before it checked.
        guard let first = try CSVDialect.row(&scanner, path) else {
            throw InterchangeError(path, "the file holds only blank lines", "Check that it is the right file")
        }
        self.separator = separator
        columnCount = first.count
        hasHeader = header ?? CSVDialect.looksLikeHeader(first, &scanner)
    }

    private static func row(
        _ scanner: inout CSVScanner, _ path: String = ""
    ) throws(InterchangeError) -> [CSVScanner.Field]? {
        guard scanner.beginRow() else { return nil }
        var fields: [CSVScanner.Field] = []
        repeat {
            guard fields.count < greatestColumnCount else {
                let problem = "the first row has more than \(greatestColumnCount) fields"
                throw InterchangeError(path, problem, "Give a table this wide as a npy file")
            }
            fields.append(try scanner.field())
        } while scanner.passFieldEnd()
        return fields
    }

    /// The candidate that splits all sampled rows into the same number of fields, and into most; without one, that
    /// which splits the first row into most.
    private static func separator(of text: UnsafeBufferPointer<UInt8>) -> UInt8 {
        var best: (separator: UInt8, isConsistent: Bool, count: Int) = (UInt8(ascii: ","), false, 1)
        for candidate in [UInt8(ascii: ","), UInt8(ascii: ";"), 0x09, UInt8(ascii: "|")] {
            var scanner = CSVScanner(text, separator: candidate, path: "")
            guard let first = (try? row(&scanner))?.count, first > 1 else { continue }
            var isConsistent = true
            for _ in 1..<sampleSize where isConsistent {
                do throws(InterchangeError) {
                    guard let next = try row(&scanner) else { break }
                    isConsistent = next.count == first
                } catch {
                    isConsistent = false
                }
            }
            if (isConsistent ? 1 : 0, first) > (best.isConsistent ? 1 : 0, best.count) {
                best = (candidate, isConsistent, first)
            }
        }
        return best.separator
    }

    private static func looksLikeHeader(_ first: [CSVScanner.Field], _ scanner: inout CSVScanner) -> Bool {
        let isText = first.map { !$0.isMissing && $0.number == nil }
        guard isText.contains(true) else { return false }
        var numbers = [Int](repeating: 0, count: first.count)
        var texts = numbers
        for _ in 0..<sampleSize {
            guard let fields = (try? row(&scanner)) ?? nil else { break }
            for (column, field) in fields.prefix(first.count).enumerated() where !field.isMissing {
                if field.number == nil { texts[column] += 1 } else { numbers[column] += 1 }
            }
        }
        if first.indices.contains(where: { isText[$0] && numbers[$0] > 0 && texts[$0] == 0 }) { return true }
        // One name may be empty, as that of an index column often is.
        let names = Set(first.map(\.text))
        return names.count == first.count && first.indices.allSatisfy { isText[$0] || first[$0].bytes.isEmpty }
    }
}
