import Interchange
import Testing
import Torch

@testable import Datasets

struct ArrayTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func faultOf(_ features: ArrayData, _ name: String, _ target: ArrayData) throws -> String {
        fault(try scratch.npz([("features", features), (name, target)]))
    }

    @Test(arguments: [("features", "labels"), ("x", "y"), ("X", "Y"), ("data", "label"), ("x_train", "y_train")])
    func archivesGiveFeaturesAndLabels(features: String, labels: String) throws {
        let path = try scratch.npz([(features, counting(4, 2)), (labels, whole([3, 1, 3, 1]))])
        let data = try loadData(DataRequest(source: path))
        #expect(data.task == .classification && data.train.name == "a")
        #expect(data.train.features.dtype == .float32 && data.train.features.shape == [4, 2])
        #expect(data.train.labels == [1, 0, 1, 0] && data.train.classNames == ["1", "3"])
    }

    @Test func archivesGiveTargets() throws {
        let targets = ArrayData([Double](arrayLiteral: 1, 2, 3, 4, 5, 6), shape: [3, 2])
        let path = try scratch.npz([("features", ArrayData([1, 2, 3] as [Double], shape: [3])), ("targets", targets)])
        let train = try loadData(DataRequest(source: path)).train
        #expect(train.features.shape == [3, 1] && train.features.dtype == .float64)
        #expect(train.targets?.shape == [3, 2] && train.targets?.dtype == .float64)
        #expect(train.targetNames == ["targets1", "targets2"] && train.labels == nil)
        let single = try scratch.npz([("x", counting(3, 1)), ("y", ArrayData([Float(0.5), 1, 2], shape: [3, 1]))])
        #expect(try loadData(DataRequest(source: single)).train.targets?.doubles() == [0.5, 1, 2])
        let asked = DataRequest(
            source: try scratch.npz([("x", counting(3, 1)), ("labels", whole([0, 1, 1]))]), task: .regression)
        #expect(try loadData(asked).train.targets?.doubles() == [0, 1, 1])
    }

    @Test func imagesOfBytesAreFlattenedAndDivided() throws {
        let images = ArrayData(elementType: .uint8, shape: [2, 2, 2], bytes: [0, 255, 51, 102, 1, 2, 3, 4])
        let train = try loadData(DataRequest(source: try scratch.npz([("x", images), ("y", whole([0, 1]))]))).train
        #expect(train.imageShape == [2, 2] && train.features.shape == [2, 4] && train.features.dtype == .float32)
        #expect(train.notices.contains { $0.contains("divided by 255") })
        #expect(train.features.floats().prefix(5) == [0, 1, Float(51) / 255, Float(102) / 255, Float(1) / 255])
    }

    @Test func anArchiveMayHoldItsTestRows() throws {
        let path = try scratch.npz([
            ("x_train", counting(6, 2)), ("y_train", whole([0, 1, 2, 0, 1, 2])), ("x_test", counting(2, 2)),
            ("y_test", whole([2, 1])),
        ])
        #expect(try loadData(DataRequest(source: path)).test?.labels == [2, 1])
    }

    @Test func featuresAndLabelsMayBeTwoFiles() throws {
        let path = try scratch.npy("d.npy", counting(3, 2))
        #expect(fault(path).contains("there is no file"))
        _ = try scratch.npy("d-labels.npy", whole([1, 0, 1]))
        #expect(try loadData(DataRequest(source: path)).train.labels == [1, 0, 1])
        let other = try scratch.npy("other.npy", ArrayData([0.5, 1.5, 2.5] as [Double], shape: [3]))
        #expect(try loadData(DataRequest(source: path, target: other)).task == .regression)
        // The labels named for the training rows are not those of the test rows.
        let test = try scratch.npy("test.npy", counting(3, 2))
        #expect(fault(DataRequest(source: path, test: test, target: other)).contains("no file"))
        _ = try scratch.npy("test-targets.npy", ArrayData([7, 8, 9] as [Double], shape: [3]))
        let data = try loadData(DataRequest(source: path, test: test, target: other))
        #expect(data.train.targets?.doubles() == [0.5, 1.5, 2.5] && data.test?.targets?.doubles() == [7, 8, 9])
    }

    @Test func safetensorsAreRead() throws {
        let file = SafeTensorsFile(tensors: [("features", counting(3, 2)), ("labels", whole([0, 1, 1]))])
        try SafeTensors.write(file, to: scratch.path("s.safetensors"))
        #expect(try loadData(DataRequest(source: scratch.path("s.safetensors"))).train.labels == [0, 1, 1])
        let archive = try scratch.npz([("x", counting(3, 2)), ("y", whole([0, 1, 1]))], name: "noExtension")
        #expect(try loadData(DataRequest(source: archive)).train.labels == [0, 1, 1])
    }

    @Test func featuresAloneLoadForPrediction() throws {
        let path = try scratch.npz([("x", counting(3, 2)), ("y", whole([0, 5, 5]))])
        let encoding = try loadData(DataRequest(source: path)).train.encoding
        let new = try scratch.npz([("x", counting(1, 2))], name: "new.npz")
        let data = try loadData(DataRequest(source: new, encoding: encoding))
        #expect(data.train.labels == nil && data.train.classNames == ["0", "5"] && data.task == .classification)
        let same = try scratch.npz([("x", counting(2, 2)), ("y", whole([5, 5]))], name: "same.npz")
        #expect(try loadData(DataRequest(source: same, encoding: encoding)).train.labels == [1, 1])
    }

    @Test func labelsThatAreNoClassesAreRefused() throws {
        let features = counting(3, 2)
        #expect(
            try faultOf(features, "labels", whole([0, -1, 1]))
                == "a.npz: label -1 of 'labels' in row 2 (counting from 1) is negative. Number the classes from 0.")
        #expect(
            try faultOf(features, "labels", ArrayData([0, 0.5, 1] as [Double], shape: [3]))
                .contains("label 0.5 of 'labels' in row 2 (counting from 1) is no whole number"))
        #expect(try faultOf(features, "labels", whole([5, 9, 700])).contains("3 different values in 3 rows"))
        #expect(try faultOf(features, "labels", counting(3, 2)).contains("of shape [3, 2] holds no class labels"))
        #expect(try faultOf(features, "labels", whole([1, 1, 1])).contains("all 3 labels are '1'"))
        let path = try scratch.npz([("x", features), ("labels", whole([0, 1, 1]))])
        let test = try scratch.npz([("x", features), ("labels", whole([0, 1, 2]))], name: "test.npz")
        #expect(fault(DataRequest(source: path, test: test)).contains("no class of the training data: '0', '1'"))
    }

    @Test func shapesThatDoNotFitAreRefused() throws {
        let labels = whole([0, 1, 1])
        #expect(
            try faultOf(counting(4, 2), "labels", labels)
                == "a.npz: 'features' has 4 rows but 'labels' has 3. Give one label for each row.")
        #expect(try faultOf(counting(0, 2), "labels", whole([])).contains("has no rows"))
        #expect(try faultOf(counting(3, 0), "labels", labels).contains("has no columns"))
        #expect(try faultOf(counting(1, 2), "labels", whole([0])).contains("only 1 row to learn from"))
        #expect(try faultOf(ArrayData([Float(1)], shape: []), "labels", labels).contains("is a single number"))
        #expect(
            try fault(scratch.npz([("a", labels), ("b", labels)])).contains(
                "it holds no array 'features', only 'a', 'b'"))
        #expect(
            try fault(scratch.npz([("x", labels), ("b", labels)]))
                .contains("it holds no array 'labels' or 'targets', only 'b', 'x'"))
        let path = try scratch.npz([("x", counting(3, 5)), ("y", labels)])
        let missing = fault(DataRequest(source: path, target: "z"))
        #expect(missing.contains("it holds no array 'z' to predict, only 'x', 'y'"))
        let test = try scratch.npz([("x", counting(3, 4)), ("y", labels)], name: "test.npz")
        #expect(
            fault(DataRequest(source: path, test: test))
                .contains("the test data have 4 columns, the training data 5"))
    }

    @Test func valuesThatAreNotFiniteNameTheirPlace() throws {
        let labels = whole([0, 1])
        let holes = ArrayData([1, 2, 3, 4, Double.nan, 6], shape: [2, 3])
        #expect(try faultOf(holes, "labels", labels).contains("holds NaN in row 2, column 2 (counting from 1)"))
        let infinite = ArrayData([Float(1), 2, .infinity, 4, .nan, 6], shape: [2, 3])
        #expect(try faultOf(infinite, "labels", labels).contains("holds an infinity in row 1, column 3"))
        let features = counting(2, 2)
        let target = ArrayData([1, Double.nan], shape: [2])
        #expect(try faultOf(features, "targets", target).contains("'targets' holds NaN in row 2 (counting from 1)"))
        let pairs = ArrayData([1, 2, -Double.infinity, 3], shape: [2, 2])
        #expect(try faultOf(features, "y", pairs).contains("'y' holds an infinity in row 2, column 1"))
    }
}
