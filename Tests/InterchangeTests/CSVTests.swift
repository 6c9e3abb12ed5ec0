import Foundation
import Testing

@testable import Interchange

struct CSVTests {
    private func table(_ text: String, header: Bool? = nil, separator: Character? = nil) throws -> CSVTable {
        try CSV.parse(Array(text.utf8), path: "t.csv", header: header, separator: separator)
    }

    private func fault(_ text: String) -> String { message { _ = try table(text) } }

    @Test(arguments: [",", ";", "\t", "|"]) func theSeparatorAndTheHeaderAreFound(separator: String) throws {
        let text = ["a,b,c", "1,2.5,x", "3,-4e2,\"y\""].joined(separator: "\r\n")
        let found = try table("\u{FEFF}" + text.replacingOccurrences(of: ",", with: separator) + "\r\n\r\n")
        #expect(found.separator == Character(separator) && found.hasHeader && found.rowCount == 2)
        #expect(found.columns.map(\.name) == ["a", "b", "c"])
        #expect(found.columns[0].values == [1, 3] && found.columns[1].values == [2.5, -400])
        #expect(found.columns[2].text == ["x", "y"] && found.columns[2].firstTextLine == 2)
        #expect(found.columns[2].values.allSatisfy(\.isNaN) && found.columns[2].missingCount == 0)
    }

    @Test func aTableWithoutHeaderGetsNumberedColumns() throws {
        let found = try table("1,2\n3,4\n")
        #expect(!found.hasHeader && found.rowCount == 2 && found.columns.map(\.name) == ["column1", "column2"])
        // The first row is like the others, so it holds no names.
        let irises = try table("5.1,setosa\n4.9,virginica\n6,setosa")
        #expect(!irises.hasHeader && irises.columns[1].text == ["setosa", "virginica", "setosa"])
        #expect(try table("x,y\nred,blue\nred,green").hasHeader)
        #expect(!(try table("red,red\nred,blue").hasHeader))
        #expect(try table(",a\n0,1\n1,2").columns.map(\.name) == ["column1", "a"])
        #expect(try table("1,2\n3,4", header: true).columns.map(\.name) == ["1", "2"])
        #expect(try table("a,b\n3,4", header: false).columns[0].text == ["a", "3"])
        #expect(try table("a,b\n").rowCount == 0)
    }

    @Test func quotedFieldsHoldSeparatorsQuotesAndLines() throws {
        let found = try table("name,note\n\"a, \"\"b\"\"\",1\n\"two\nlines\" , 2\n\"\",x\n")
        #expect(found.columns[0].text == ["a, \"b\"", "two\nlines", ""])
        #expect(found.columns[0].missingCount == 1 && found.columns[0].firstMissingLine == 5)
        #expect(found.columns[1].text == ["1", "2", "x"])
        #expect(Array(found.columns[1].values.prefix(2)) == [1, 2] && found.columns[1].firstTextLine == 5)
        #expect(try table("\"1\",\"2.5\"\n\"3\",\"4\"").columns[1].values == [2.5, 4])
    }

    @Test func missingFieldsAreCountedAndInfinitiesKept() throws {
        let found = try table("x\n1\nNA\nN/A\nnan\nNaN\nnull\n?\ninf\n-Infinity\n", header: true)
        let column = found.columns[0]
        #expect(column.text == nil && column.missingCount == 6 && column.firstMissingLine == 3)
        #expect(column.values[0] == 1 && column.values[7] == .infinity && column.values[8] == -.infinity)
        #expect(column.values[1...6].allSatisfy { $0.isNaN })
        let holes = try table("a,b,c\n1,,3\n,,\n")
        #expect(holes.rowCount == 2 && holes.columns.map(\.missingCount) == [1, 2, 1])
        #expect(holes.columns.map(\.firstMissingLine) == [3, 2, 3])
    }

    @Test func faultsNameTheirLine() {
        #expect(
            fault("a,b\n1,2\n\n1,2,3\n") == "t.csv: line 4 has 3 fields where the first row has 2. "
                + "Correct that line, or name the separator.")
        #expect(fault("a,b\n1,2\n1\n").contains("line 3 has 1 fields"))
        #expect(fault("a,b\n1,\"2\n3,4\n").contains("line 2: the quote that begins a field is never closed"))
        #expect(fault("a,b\n\"1\"2,3\n").contains("line 2: text follows the closing quote"))
        #expect(fault("\n \n").contains("only blank lines"))
        #expect(fault("\u{FEFF}").contains("the file is empty"))
        #expect(message { _ = try CSV.parse([0xFF, 0xFE, 65, 0], path: "t") }.contains("UTF-16"))
        #expect(message { _ = try table("a", separator: "é") }.contains("cannot separate fields"))
    }

    @Test func compressedTablesAreRead() throws {
        // A gzip member of one stored block.
        let text = Array("a,b\n1,2\n".utf8)
        var bytes: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1]
        bytes.appendLittle(UInt16(text.count))
        bytes.appendLittle(~UInt16(text.count))
        bytes += text
        bytes.appendLittle(CRC32.zip.checksum(text))
        bytes.appendLittle(UInt32(text.count))
        #expect(try CSV.parse(bytes, path: "t.csv.gz").columns[1].values == [2])
    }

    @Test(arguments: [
        "1", "-0", "+5", ".5", "5.", "1e5", "1E-5", "123456789012345678", "0.1", "1e22", "1e23", "1e-22",
        "9007199254740993",
        "0.30000000000000004", "1.7976931348623157e308", "4.9e-324", "2.2250738585072014e-308", "1e400", "-1e400",
        "1e-400",
        "0.000000000000000000000000000001", "123456789012345678901234567890", "1.00000000000000011102230246251565404",
        "0e999",
        "18446744073709551615", "9223372036854775807e27", "18446744073709551615e-27", "00000000000000000000000001.5",
        "-.5e1",
        "9007199254740993e0", "9007199254740992.5", "1234567890123456789e-19", "1e-27", "3e27",
    ]) func aNumberIsReadAsTheStandardLibraryReadsIt(text: String) throws {
        let value = try table("\(text),1\n", header: false).columns[0].values[0]
        let expected = strtod(text, nil)
        #expect(value == expected && value.sign == expected.sign)
    }

    @Test(arguments: [
        "1e", "1e+", "--1", "1_000", "0x10", "1.2.3", "e5", ".", "-", "+", "1 2", "infinit", "tru", "1d5",
    ])
    func whatIsNoNumberIsText(text: String) throws {
        #expect(try table("\(text),1\n", header: false).columns[0].text == [text])
    }

    @Test func randomDoublesSurviveTheirShortestText() throws {
        var generator = SeededGenerator(state: 3)
        var values: [Double] = []
        for index in 0..<20_000 {
            let value = Double(bitPattern: generator.next())
            if index % 2 == 0, value.isFinite { values.append(value) }
            values.append(Double.random(in: -1...1, using: &generator) * (index % 3 == 0 ? 1e-4 : 1e3))
        }
        let text = values.map { "\($0)" }.joined(separator: "\n")
        #expect(try table(text, header: false).columns[0].values == values)
    }
}
