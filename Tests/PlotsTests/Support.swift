import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Parses a document and fails the test where it is not well-formed.
func expectWellFormed(_ text: String, _ location: SourceLocation = #_sourceLocation) {
    let parser = XMLParser(data: Data(text.utf8))
    let isWellFormed = parser.parse()
    let message = "\(String(describing: parser.parserError)) in line \(parser.lineNumber)"
    #expect(isWellFormed, Comment(rawValue: message), sourceLocation: location)
}

/// Collects the values of one attribute of all elements of a name.
final class Attributes: NSObject, XMLParserDelegate {
    private let element: String
    private let attribute: String
    private(set) var values: [String] = []

    init(_ attribute: String, of element: String, in text: String) {
        self.attribute = attribute
        self.element = element
        super.init()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = self
        _ = parser.parse()
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        if name == element, let value = attributes[attribute] { values.append(value) }
    }
}

let hostile = "<script>alert(\"1\")</script> & ]]> ' \u{0}\u{1B} --> ünïcode 数字"
