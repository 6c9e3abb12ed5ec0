import Foundation
import Testing

@testable import Datasets

struct TableErrorTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func faultOf(_ text: String, target: String? = nil, task: Datasets.PredictionTask? = nil) throws -> String {
        fault(DataRequest(source: try scratch.table(text), target: target, task: task))
    }

    @Test func emptyTablesAreRefused() throws {
        #expect(try faultOf("").contains("the file is empty"))
        #expect(try faultOf("a,b\n") == "t.csv: the file has a header but no rows. Check its content.")
        #expect(
            try faultOf("a,b\n1,x\n")
                == "t.csv: there is only 1 row to learn from. Give two rows or more.")
        #expect(try faultOf("y\n0\n1\n").contains("the table has no column but 'y'"))
        #expect(try faultOf("x,y\n,a\n,b\n").contains("no column is left to learn from"))
    }

    @Test func oneClassIsRefused() throws {
        let rows = String(repeating: "1,a\n", count: 120)
        #expect(
            try faultOf("x,y\n" + rows)
                == "t.csv: all 120 labels are 'a': a classifier needs two classes or more. "
                + "Check that `target` names the right one.")
    }

    @Test func aMissingTargetColumnListsTheColumns() throws {
        let text = try faultOf("a,b\n1,2\n3,4\n", target: "z")
        #expect(text.hasPrefix("t.csv: there is no column 'z' to predict; the columns are 'a', 'b'."))
        #expect(try faultOf("a,b\n1,2\n3,4\n", target: "3").contains("there is no column '3'"))
    }

    @Test func targetsThatAreNoClassesAreRefused() throws {
        #expect(try faultOf("x,y\n1,a\n2,b\n3,c\n").contains("holds 3 different texts in 3 rows, so no classes"))
        #expect(try faultOf("x,y\n1,\n2,\n", target: "y").contains("the target column 'y' is empty"))
        #expect(
            try faultOf("x,y\n1,2\n3,oops\n", task: .regression)
                .contains("the target column 'y' holds text in line 3, so it cannot be predicted as a number"))
        let rows = (0..<100).map { "\($0),\($0 == 7 ? "oops" : "\($0 / 2)")" }.joined(separator: "\n")
        #expect(try faultOf("x,y\n" + rows).contains("the target column 'y' holds numbers but text in line 9"))
    }

    @Test func infiniteValuesNameTheirLineAndColumn() throws {
        #expect(try faultOf("x,z,y\n1,2,a\n\n1,inf,b\n").contains("column 'z' holds an infinity in line 4"))
        #expect(try faultOf("x,y\r\n1,0.5\r\n1,-inf\r\n").contains("target column 'y' holds an infinity in line 3"))
        // The quoted field takes two lines, so only the row is certain.
        #expect(try faultOf("n,x,y\n\"a\nb\",1,0\na,inf,1\n").contains("'x' holds an infinity in row 2 of the data"))
    }

    @Test func testTablesMustHoldTheTrainingColumns() throws {
        let path = try scratch.table("a,b,c,y\n1,2,3,u\n4,5,6,v\n")
        func faultOfTest(_ text: String) throws -> String {
            fault(DataRequest(source: path, test: try scratch.table(text, name: "test.csv")))
        }
        #expect(
            try faultOfTest("a,y\n1,u\n2,v\n")
                == "test.csv: columns 'b', 'c' of the training data are missing. Give the same columns as in training.")
        #expect(try faultOfTest("a,b,c\n1,2,3\n").contains("the target column 'y' is missing among 3 columns"))
        #expect(try faultOfTest("1,2,u\n2,3,u\n3,4,v\n").contains("the target column 'y' is missing"))
        #expect(try faultOfTest("a,b,c,y\n1,2,3,w\n").contains("holds 'w', which is no class of the training data"))
        #expect(try faultOfTest("a,b,c,y\n1,x,3,u\n").contains("column 'b' holds text in line 2"))
        let numbers = try scratch.table("1,2,3,0\n4,5,6,1\n", name: "numbers.csv")
        let encoding = try loadData(DataRequest(source: numbers)).train.encoding
        let narrower = try scratch.table("1,2\n4,5\n", name: "narrower.csv")
        #expect(
            fault(DataRequest(source: narrower, encoding: encoding))
                .contains("it has 2 feature columns where the training data have 3"))
    }

    @Test func errorsTakeOneLine() {
        let error = DataError(subject: "a\nb", problem: "c", advice: "d")
        #expect(error.description == "a b: c. d.")
        #expect(DataError("a", "b").description == "a: b.")
    }
}
