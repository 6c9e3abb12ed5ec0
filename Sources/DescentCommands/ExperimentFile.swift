import Datasets
import Foundation
import Interchange
import Yams

/// The YAML of an experiment as a tree that is small enough to be decoded.
///
/// A file is data: an alias can name a list of aliases, so that a few hundred bytes stand for any number of nodes, and
/// nesting takes the parser's stack.
enum ExperimentFile {
    private static let greatestSize = 1 << 20
    private static let greatestDepth = 32
    private static let greatestCount = 20_000

    /// Reads a file.
    ///
    /// - Throws: `DataError` naming the file and what is wrong.
    static func read(_ path: String) throws -> Node { try tree(InputFile.bytes(path), path: path) }

    /// The tree of a file's bytes; `path` is named in errors.
    static func tree(_ bytes: [UInt8], path: String) throws -> Node {
        func fault(_ problem: String) -> DataError {
            DataError(subject: path, problem: problem, advice: "Compare it with the files in Experiments/")
        }
        guard bytes.count <= greatestSize else { throw fault("is no experiment: it has \(bytes.count) bytes") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("is no experiment: it is no text")
        }
        guard nesting(text) <= greatestDepth else { throw fault("is no experiment: it is nested too deeply") }
        let tree: Node?
        do {
            tree = try Yams.compose(yaml: text)
        } catch {
            throw fault("is no experiment: \(ErrorText.oneLine(error))")
        }
        guard let tree else { throw fault("is no experiment: it is empty") }
        var left = greatestCount
        guard isSmall(tree, depth: greatestDepth, &left) else {
            throw fault("is no experiment: it is nested too deeply, or its aliases stand for too much")
        }
        return tree
    }

    /// A bound on how deeply the parser would go: brackets that are open, and the marks and columns of a line's start.
    private static func nesting(_ text: String) -> Int {
        var (open, deepest) = (0, 0)
        for line in text.split(separator: "\n") {
            let start = line.prefix { " -?:\t".contains($0) }
            let marks = start.count { "-?:".contains($0) }
            deepest = max(deepest, open + marks + (start.count - marks) / 4)
            for character in line {
                if character == "[" || character == "{" { open += 1 }
                if character == "]" || character == "}" { open = max(0, open - 1) }
                deepest = max(deepest, open)
            }
        }
        return deepest
    }

    private static func isSmall(_ node: Node, depth: Int, _ left: inout Int) -> Bool {
        left -= 1
        guard left > 0, depth > 0 else { return false }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard isSmall(key, depth: depth - 1, &left), isSmall(value, depth: depth - 1, &left) else {
                    return false
                }
            }
        case .sequence(let list):
            for item in list { guard isSmall(item, depth: depth - 1, &left) else { return false } }
        default: break
        }
        return true
    }
}
