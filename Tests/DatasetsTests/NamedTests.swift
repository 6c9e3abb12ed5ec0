import Foundation
import Settings
import Testing
import Torch

@testable import Datasets

struct NamedTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Records of CIFAR-10 whose pixels are the label plus the plane's number.
    private func records(_ labels: [UInt8]) -> [UInt8] {
        labels.flatMap { label in
            [label] + (0..<3).flatMap { plane in [UInt8](repeating: label + UInt8(plane), count: 1024) }
        }
    }

    @Test func recordsOfCifarAreImagesInThreePlanes() throws {
        let path = try scratch.file("cifar10_train.bin", records([3, 0, 3, 1]))
        _ = try scratch.file("cifar10_test.bin", records([1, 3]))
        let data = try loadData(DataRequest(source: path))
        #expect(data.train.imageShape == [3, 32, 32] && data.train.features.shape == [4, 3072])
        #expect(data.train.classNames == ["airplane", "automobile", "cat"] && data.train.labels == [2, 0, 2, 1])
        let row = data.train.features.rows(0..<1).floats()
        #expect(row[0] == Float(3) / 255 && row[1024] == Float(4) / 255 && row[2048] == Float(5) / 255)
        #expect(data.test?.labels == [1, 2])
    }

    @Test func namedFilesAreFoundWithTheirTestRows() throws {
        _ = try scratch.file("data_batch_1.bin", records([0, 1]))
        _ = try scratch.file("data_batch_2.bin", records([1, 0]))
        _ = try scratch.file("test_batch.bin", records([1, 0]))
        let data = try loadData(DataRequest(source: "cifar-10"), searching: [scratch.folder])
        #expect(data.train.labels == [0, 1, 1, 0] && data.test?.labels == [1, 0])
        #expect(
            fault(DataRequest(source: "imdb-minilm"), searching: [scratch.folder]).contains("imdb_minilm_train.npz"))
    }

    @Test func recordsThatAreNoneAreRefused() throws {
        let cut = try scratch.file("a.bin", records([1]).dropLast())
        #expect(fault(DataRequest(source: cut)).contains("no whole number of records"))
        let wrong = try scratch.file("b.bin", records([1, 12]))
        #expect(fault(DataRequest(source: wrong)).contains("record 2 has the label 12"))
    }

    /// A data set of one's own.
    private struct Line: NamedDataset {
        static let name = "test-line"
        static let summary = "points of a line"
        static let citation = "none"
        static let settings: [Setting<Self>] = [Setting("slope", \.slope, .any, "its slope")]
        var slope = 1.0

        func contents(in folders: [String]) -> DatasetContents {
            .made { isTest in
                let x = Tensor((0..<10).map { Double($0) + (isTest ? 0.5 : 0) }, shape: [10, 1])
                return Dataset(
                    name: Self.name, features: x, targets: x * slope, targetNames: ["y"],
                    encoding: TableEncoding(targetName: "y", task: .regression))
            }
        }
    }

    @Test func aDataSetOfOnesOwnIsKnownByItsNameWithItsSettings() throws {
        #expect(fault(DataRequest(source: "test-line")).contains("no data set"))
        try DatasetCatalogue.catalogue.register(Line.self)
        #expect(try loadData(DataRequest(source: "test-line")).train.targets?.doubles()[2] == 2)
        #expect(try loadData(DataRequest(source: "test-line(slope=3)")).train.targets?.doubles()[2] == 6)
        #expect(try loadData(DataRequest(source: "test-line(-1)")).test?.targets?.doubles()[0] == -0.5)
        #expect(try loadData(DataRequest(source: "spirals(points=50)")).train.count == 100)
        #expect(fault(DataRequest(source: "spirals(point=50)")).contains("did you mean 'points'"))
        #expect(fault(DataRequest(source: "wide-images(rows=1000000,side=1000)")).contains("GB of memory"))
        #expect(fault(DataRequest(source: "teacher(rows=10000000,columns=10000)")).contains("GB of memory"))
        let path = try scratch.table("x,y\n1,2\n2,4\n3,7\n", name: "spirals(1).csv")
        #expect(try loadData(DataRequest(source: path, target: "y", task: .regression)).train.count == 3)
        #expect(fault(DataRequest(source: "spirals(points=0)")).contains("a whole number from 2"))
    }

    @Test func syntheticDataAreTheSameAtEveryCallAndTestsAreOthers() throws {
        for entry in [any NamedDataset.Type]([ModularArithmetic.self, Speech.self, Spirals.self, Teacher.self]) {
            guard case .made(let make) = try entry.init().contents(in: []) else {
                throw DataError(entry.name, "is read")
            }
            let (one, other) = (try make(false), try make(true))
            #expect(one.hash == (try make(false)).hash && one.hash != other.hash)
            guard one.encoding != nil else { continue }
            let (first, second) = (
                try loadData(DataRequest(source: entry.name)), try loadData(DataRequest(source: entry.name))
            )
            #expect(first.train.hash == second.train.hash && first.test?.hash == second.test?.hash)
            #expect(first.train.hash != first.test?.hash)
            #expect(first.train.features.isFinite && first.train.count > 100)
        }
        let unlabelled = DataRequest(source: "speech")
        #expect(fault(unlabelled).contains("nothing to predict"))
        var free = unlabelled
        free.mayLackTarget = true
        let speech = try loadData(free)
        #expect(speech.train.targets == nil && speech.train.labels == nil && speech.train.targetNames.isEmpty)
        #expect(speech.train.count == 3000 && speech.test?.count == 400)
        #expect(throws: DataError.self) { try speech.requireTarget() }
        let sums = try loadData(DataRequest(source: "modular-arithmetic"))
        let rows = sums.train.features.doubles()
        for (row, label) in sums.train.labels!.enumerated() {
            #expect((Int(rows[3 * row]) + Int(rows[3 * row + 1])) % 23 == label)
        }
        #expect(sums.train.vocabulary == 24 && sums.train.count + sums.test!.count == 529)
    }
}
