import Interchange
import Testing
import Torch

@testable import Datasets

struct SelectionTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func archive() throws -> String {
        let labels = (0..<100).map { Int64([0, 0, 0, 0, 1, 1, 1, 2, 2, 3][$0 % 10]) }
        return try scratch.npz([("x", counting(100, 2)), ("labels", whole(labels))])
    }

    @Test func chosenClassesAreRelabelledInTheirOrder() throws {
        let train = try loadData(DataRequest(source: try archive(), classes: [3, 1])).train
        #expect(train.count == 40 && train.classNames == ["3", "1"])
        #expect(train.labels?.prefix(4) == [1, 1, 1, 0] && train.features.doubles()[0] == 8)
        #expect(train.encoding?.classNames == ["0", "1", "2", "3"])
    }

    @Test func numbersMeanNamesWhereClassesAreNumbered() throws {
        let numbered = try scratch.npz([("x", counting(6, 1)), ("labels", whole([5, 7, 9, 5, 7, 9]))])
        #expect(try loadData(DataRequest(source: numbered, classes: [9, 5])).train.labels == [1, 0, 1, 0])
        let named = try scratch.table("x,y\n1,a\n2,b\n3,c\n4,c\n")
        let train = try loadData(DataRequest(source: named, classes: [2, 0])).train
        #expect(train.classNames == ["c", "a"] && train.labels == [1, 0, 0])
    }

    @Test func classesThatCannotBeChosenAreRefused() throws {
        let path = try archive()
        func faultOf(_ classes: [Int]) -> String { fault(DataRequest(source: path, classes: classes)) }
        #expect(faultOf([0, 4]) == "`classes`: there is no class 4. The classes are 0, 1, 2, 3.")
        #expect(faultOf([1, 2, 1]).hasPrefix("`classes`: class 1 is named twice."))
        #expect(faultOf([1]).hasPrefix("`classes`: a classifier needs two classes or more, not 1."))
        let named = try scratch.table("x,y\n1,a\n2,b\n3,c\n4,c\n")
        #expect(fault(DataRequest(source: named, classes: [0, 7])).contains("The classes are 0 'a', 1 'b', 2 'c'."))
        #expect(
            fault(DataRequest(source: path, task: .regression, classes: [0, 1])).contains("which has no classes"))
    }

    @Test func subsetsKeepTheProportionsOfClasses() throws {
        let request = DataRequest(source: try archive(), subset: 20, seed: 7)
        let train = try loadData(request).train
        let labels = try #require(train.labels)
        #expect((0..<4).map { label in labels.count { $0 == label } } == [8, 6, 4, 2])
        #expect(try loadData(request).train.hash == train.hash)
        #expect(try loadData(DataRequest(source: try archive(), subset: 20, seed: 8)).train.hash != train.hash)
        let numbers = DataRequest(source: try archive(), task: .regression, subset: 33)
        #expect(try loadData(numbers).train.targets?.shape == [33, 1])
        #expect(try loadData(DataRequest(source: try archive(), subset: 5)).train.count == 5)
    }

    @Test func subsetsThatCannotBeDrawnAreRefused() throws {
        let path = try archive()
        #expect(
            fault(DataRequest(source: path, subset: 101))
                == "`subset`: 101 rows cannot be drawn from the 100 rows of 'a'. Choose from 2 to 100.")
        #expect(fault(DataRequest(source: path, subset: 1)).contains("1 row cannot be drawn"))
    }

    @Test func theHashDependsOnFeaturesAndLabelsOnly() {
        // FNV-1a of no bytes at all is its offset basis.
        let nothing = Dataset(name: "a", features: Tensor.zeros([0, 1]))
        #expect(nothing.hash == "cbf29ce484222325")
        let letter = Dataset(name: "b", features: Tensor([UInt8(ascii: "a")], shape: [1, 1]))
        #expect(letter.hash == "af63dc4c8601ec8c")
        var labelled = letter
        labelled.labels = [1]
        #expect(labelled.hash != letter.hash && labelled.hash.count == 16)
        var renamed = letter
        renamed.name = "c"
        #expect(renamed.hash == letter.hash)
    }

    @Test func rowsAreTakenInOrder() {
        let dataset = Dataset(
            name: "a", features: Tensor([1.0, 2, 3, 4, 5, 6], shape: [3, 2]), labels: [0, 1, 2],
            targets: Tensor([7.0, 8, 9], shape: [3, 1]))
        let part = dataset.rows([2, 0, 2])
        #expect(part.features.doubles() == [5, 6, 1, 2, 5, 6] && part.labels == [2, 0, 2])
        #expect(part.targets?.doubles() == [9, 7, 9])
    }
}
