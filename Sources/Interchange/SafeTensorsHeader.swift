/// The header of a safetensors file: what tensors there are and where.
struct SafeTensorsHeader {
    struct Entry {
        var name: String
        var elementType: ElementType
        var shape: [Int]
        /// Where the elements lie, in bytes from the end of the header.
        var offsets: Range<Int>
    }

    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]
    /// The indices of the entries by where they lie.
    private(set) var fileOrder: [Int] = []

    /// Parses the header's JSON and checks every entry by itself.
    init(parsing bytes: [UInt8], path: String) throws(InterchangeError) {
        guard bytes.first == UInt8(ascii: "{") else {
            throw InterchangeError(
                path, "this is not a safetensors file: no header begins at byte 8", SafeTensors.checkIt)
        }
        var scanner = JSONScanner(bytes: bytes)
        do throws(JSONScanner.Failure) {
            try parse(&scanner)
        } catch {
            let problem = "the header is damaged at byte \(8 + scanner.position): \(error.problem)"
            throw InterchangeError(path, problem, SafeTensors.checkIt)
        }
        fileOrder = entries.indices.sorted {
            let (left, right) = (entries[$0].offsets, entries[$1].offsets)
            return (left.lowerBound, left.upperBound, $0) < (right.lowerBound, right.upperBound, $1)
        }
    }

    /// The size of all elements in bytes, after checking that the tensors neither overlap nor leave gaps.
    func dataSize(path: String) throws(InterchangeError) -> Int {
        var end = 0
        for index in fileOrder {
            let entry = entries[index]
            guard entry.offsets.lowerBound == end else {
                let fault = entry.offsets.lowerBound < end ? "overlaps another tensor" : "follows a gap"
                let problem = "tensor '\(entry.name)' \(fault): it begins at \(entry.offsets.lowerBound), not \(end)"
                throw InterchangeError(path, problem, SafeTensors.checkIt)
            }
            end = entry.offsets.upperBound
        }
        return end
    }

    private mutating func parse(_ scanner: inout JSONScanner) throws(JSONScanner.Failure) {
        var names: Set<String> = []
        try scanner.object { (scanner, name) throws(JSONScanner.Failure) in
            guard names.insert(name).inserted else { throw .init("the name '\(name)' is used twice") }
            if name == "__metadata__" {
                try scanner.object { (scanner, key) throws(JSONScanner.Failure) in
                    let text = try scanner.string()
                    guard metadata.updateValue(text, forKey: key) == nil else {
                        throw .init("the metadata key '\(key)' is used twice")
                    }
                }
            } else {
                entries.append(try SafeTensorsHeader.entry(name, &scanner))
            }
        }
        try scanner.end()
    }

    private static func entry(_ name: String, _ scanner: inout JSONScanner) throws(JSONScanner.Failure) -> Entry {
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.object { (scanner, key) throws(JSONScanner.Failure) in
            switch key {
            case "dtype" where type == nil: type = try scanner.string()
            case "shape" where shape == nil: shape = try scanner.integers()
            case "data_offsets" where offsets == nil: offsets = try scanner.integers()
            default: throw .init("tensor '\(name)' has the field '\(key)' twice or in vain")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
            throw .init("tensor '\(name)' lacks a proper dtype, shape or data_offsets")
        }
        guard let elementType = ElementType(rawValue: type) else {
            throw .init("tensor '\(name)' has the unsupported element type '\(type)'")
        }
        guard elementType.byteCount(shape: shape) == offsets[1] - offsets[0] else {
            let shape = InterchangeError.text(shape)
            throw .init("tensor '\(name)' of shape \(shape) and type \(type) has \(offsets[1] - offsets[0]) bytes")
        }
        return Entry(name: name, elementType: elementType, shape: shape, offsets: offsets[0]..<offsets[1])
    }
}
