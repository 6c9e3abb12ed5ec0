import Foundation
import Testing
import Torch

@testable import Datasets

struct TableTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func textTargetsAreClassesInAlphabeticalOrder() throws {
        let path = try scratch.table("width,species\n1,b\n2,a\n3.5,b\n4,c\n")
        let data = try loadData(DataRequest(source: path))
        #expect(data.task == .classification && data.test == nil)
        #expect(data.train.labels == [1, 0, 1, 2] && data.train.classNames == ["a", "b", "c"])
        #expect(data.train.name == "t" && data.train.count == 4 && data.train.featureNames == ["width"])
        #expect(data.train.features.dtype == .float64 && data.train.features.doubles() == [1, 2, 3.5, 4])
        #expect(data.train.targets == nil && data.train.targetNames == ["species"])
        #expect(data.train.notices.contains("the target is column 'species', by its name"))
        #expect(data.train.notices.contains("the target column 'species' holds text (3 values): classification"))
    }

    @Test func numericalClassesAreOrderedAsNumbers() throws {
        let rows = (0..<24).map { "\($0),\([10, 9, 100][$0 % 3])" }.joined(separator: "\n")
        let data = try loadData(DataRequest(source: try scratch.table("x,y\n" + rows)))
        #expect(data.train.classNames == ["9", "10", "100"])
        #expect(data.train.labels?.prefix(3) == [1, 0, 2])
    }

    @Test func manyNumbersAreARegression() throws {
        let rows = (0..<60).map { "\($0),\($0 * 3)" }.joined(separator: "\n")
        let path = try scratch.table("x,price\n" + rows)
        let data = try loadData(DataRequest(source: path))
        #expect(data.task == .regression && data.train.labels == nil && data.train.classNames.isEmpty)
        #expect(data.train.targets?.shape == [60, 1] && data.train.targets?.doubles()[2] == 6)
        #expect(data.train.notices.contains("the target is the last column, 'price'"))
        #expect(
            data.train.notices.contains("the target column 'price' holds 60 different whole numbers: regression"))
        let fractions = try scratch.table("x,y\n1,0.5\n2,0.5\n3,1\n4,1")
        #expect(try loadData(DataRequest(source: fractions)).task == .regression)
        #expect(try loadData(DataRequest(source: fractions, task: .classification)).train.classNames == ["0.5", "1"])
    }

    @Test(arguments: ["b", "B", "2"]) func theTargetIsNamedOrNumbered(target: String) throws {
        let path = try scratch.table("a,b,c\n1,0,7\n2,1,8\n3,0,9\n")
        let data = try loadData(DataRequest(source: path, target: target))
        #expect(data.train.labels == [0, 1, 0] && data.train.featureNames == ["a", "c"])
        #expect(data.train.features.doubles() == [1, 7, 2, 8, 3, 9])
    }

    @Test func textColumnsBecomeOneHot() throws {
        let path = try scratch.table("city,x,y\nRome,1,0\nOslo,2,1\n,3,0\nOslo,4,1\n")
        let train = try loadData(DataRequest(source: path)).train
        #expect(train.featureNames == ["city=Oslo", "city=Rome", "x"])
        #expect(train.features.doubles() == [0, 1, 1, 1, 0, 2, 0, 0, 3, 1, 0, 4])
        #expect(train.notices.contains("column 'city' holds text (2 values): encoded as one-hot"))
        #expect(
            train.notices.contains("1 missing value in column 'city' (first in line 4): encoded as no category"))
    }

    @Test func columnsOfManyTextsAreLeftOut() throws {
        let rows = (0..<60).map { "id\($0),\($0),\($0 % 2)" }.joined(separator: "\n")
        let train = try loadData(DataRequest(source: try scratch.table("key,x,y\n" + rows))).train
        #expect(train.featureNames == ["x"])
        #expect(train.notices.contains("column 'key' holds text (60 values), too many to encode: left out"))
    }

    @Test func missingValuesAreFilledWithTheTrainingMean() throws {
        let path = try scratch.table("age,y\n10,a\n\nNA,b\n20,a\n,b\n")
        let test = try scratch.table("age,y\n,a\n7,b\n", name: "test.csv")
        let data = try loadData(DataRequest(source: path, test: test))
        #expect(data.train.features.doubles() == [10, 15, 20, 15])
        #expect(
            data.train.notices.contains(
                "2 missing values in column 'age' (first in line 4): filled with the training mean"))
        #expect(data.test?.features.doubles() == [15, 7])
    }

    @Test func rowsWithoutTargetAreDropped() throws {
        let path = try scratch.table("x,y\n1,a\n2,\n3,b\n4,?\n")
        let train = try loadData(DataRequest(source: path)).train
        #expect(train.features.doubles() == [1, 3] && train.labels == [0, 1])
        #expect(train.notices.contains("2 rows without a value of the target 'y' dropped (first in line 3)"))
        let numbers = try scratch.table("x,y\n1,0.5\n2,\n3,1.5\n", name: "n.csv")
        #expect(try loadData(DataRequest(source: numbers)).train.targets?.doubles() == [0.5, 1.5])
    }

    @Test func testRowsAreEncodedLikeTrainingRows() throws {
        let path = try scratch.table("city,x,y\nRome,1,no\nOslo,2,yes\nRome,3,no\n")
        let test = try scratch.table("y,extra,x,city\nyes,0,5,Paris\nyes,0,6,Rome\n", name: "test.csv")
        let data = try loadData(DataRequest(source: path, test: test))
        #expect(data.test?.features.doubles() == [0, 0, 5, 0, 1, 6])
        #expect(data.test?.labels == [1, 1] && data.test?.classNames == ["no", "yes"])
        let notices = data.test?.notices ?? []
        #expect(notices.contains("column 'city' holds what the training data do not: 'Paris', encoded as zeros"))
        #expect(notices.contains("not in the training data and left out: 'extra'"))
    }

    @Test func aTableWithoutTargetLoadsForPrediction() throws {
        let train = try loadData(DataRequest(source: try scratch.table("city,x,y\nRome,1,a\nOslo,2,b\n"))).train
        let bytes = try JSONEncoder().encode(try #require(train.encoding))
        let encoding = try JSONDecoder().decode(TableEncoding.self, from: bytes)
        #expect(encoding == train.encoding)
        let unknown = try scratch.table("x,city\n9,Oslo\n", name: "new.csv")
        let data = try loadData(DataRequest(source: unknown, encoding: encoding))
        #expect(data.train.labels == nil && data.train.features.doubles() == [1, 0, 9])
        #expect(data.task == .classification && data.train.classNames == ["a", "b"])
        let known = try scratch.table("x,city,y\n9,Oslo,b\n", name: "known.csv")
        #expect(try loadData(DataRequest(source: known, encoding: encoding)).train.labels == [1])
        let empty = try scratch.table("x,city,y\n9,Oslo,\n", name: "empty.csv")
        #expect(try loadData(DataRequest(source: empty, encoding: encoding)).train.labels == nil)
    }

    @Test func tablesWithoutHeaderAreMatchedByPosition() throws {
        let train = try loadData(DataRequest(source: try scratch.table("1,2,0\n3,4,1\n5,6,1\n"), target: "1")).train
        #expect(train.featureNames == ["column2", "column3"] && train.targets?.doubles() == [1, 3, 5])
        let new = try scratch.table("7,8\n9,10\n", name: "new.csv")
        let data = try loadData(DataRequest(source: new, encoding: train.encoding))
        #expect(data.train.features.doubles() == [7, 8, 9, 10] && data.train.targets == nil)
        let three = try scratch.table("5,7,8\n3,9,10\n", name: "three.csv")
        #expect(
            try loadData(DataRequest(source: three, encoding: train.encoding)).train.features.doubles()
                == [7, 8, 9, 10])
    }

    @Test func equalColumnNamesAreToldApart() throws {
        let train = try loadData(DataRequest(source: try scratch.table("x,x,y\n1,2,0\n3,4,1\n"))).train
        #expect(train.featureNames == ["x", "x (2)"])
    }
}
