import Foundation
import Settings
import Testing
import Torch

@testable import Datasets

struct CatalogueTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func unknownNamesListTheKnownOnes() {
        let text = fault(DataRequest(source: "cifar"))
        #expect(text.hasPrefix("cifar: there is no data set and no file of that name."))
        #expect(
            text.contains("'fashion-mnist', 'mnist', 'cifar-10', ") && text.contains("'teacher', 'wide-images'")
                && text.contains("; the path of a CSV") && !text.contains("\n"))
        let names = DatasetCatalogue.all.map { $0.name }
        #expect(Set(names).count == names.count && names.count >= 9)
        #expect(DatasetCatalogue.all.allSatisfy { $0.init().fault == nil && !$0.citation.isEmpty })
    }

    @Test func missingFilesSayHowToGetThem() {
        let text = fault(DataRequest(source: "fashion-mnist"), searching: ["/nowhere"])
        #expect(
            text == "fashion-mnist: its files are in none of the folders '/nowhere'. "
                + "Run scripts/bootstrap, or name the folder with `data`.")
        #expect(fault(DataRequest(source: "mnist"), searching: ["/nowhere"]).contains("`data`"))
    }

    @Test(arguments: [
        ("fashion-mnist/train", "fashion-mnist/t10k"), ("fashion-mnist-train", "fashion-mnist-test3k"),
        ("fashion-mnist/fashion-mnist-train", "fashion-mnist/fashion-mnist-t10k"),
    ]) func dataSetsAreFoundInFolders(train: String, test: String) throws {
        try scratch.images(train, labels: [9, 0, 9])
        try scratch.images(test, labels: [0, 0])
        let request = DataRequest(source: "fashion-mnist")
        let data = try loadData(request, searching: ["/nowhere", scratch.folder])
        #expect(data.train.name == "fashion-mnist" && data.train.imageShape == [2, 2])
        #expect(data.train.labels == [1, 0, 1] && data.train.classNames == ["T-shirt/top", "Ankle boot"])
        #expect(data.train.features.shape == [3, 4] && data.train.features.floats()[1] == Float(1) / 255)
        #expect(data.test?.labels == [0, 0] && data.test?.classNames == data.train.classNames)
        #expect(FashionMNIST().found(in: scratch.folder)?.hasPrefix(scratch.folder) == true)
    }

    @Test func filesWithoutPrefixNeedTheirFolder() throws {
        try scratch.images("mnist/train", labels: [0, 1])
        let folder = scratch.path("mnist")
        #expect(try loadData(DataRequest(source: "mnist"), searching: [folder]).train.labels == [0, 1])
        #expect(fault(DataRequest(source: "fashion-mnist"), searching: [folder]).contains("none of the folders"))
    }

    @Test func imagesFindTheirLabelsAndTestImages() throws {
        try scratch.images("my-train", labels: [4, 2, 4])
        try scratch.images("my-t10k", labels: [2])
        let data = try loadData(DataRequest(source: scratch.path("my-train-images-idx3-ubyte")))
        #expect(data.train.labels == [1, 0, 1] && data.test?.labels == [0])
        #expect(data.train.classNames == ["2", "4"])
        try scratch.images("train", labels: [1, 0])
        #expect(try loadData(DataRequest(source: scratch.folder)).train.labels == [1, 0])
        try FileManager.default.removeItem(atPath: scratch.path("my-train-labels-idx1-ubyte"))
        #expect(fault(scratch.path("my-train-images-idx3-ubyte")).contains("no labels-idx1 file beside these images"))
        let labels = scratch.path("train-labels-idx1-ubyte")
        let request = DataRequest(source: scratch.path("my-t10k-images-idx3-ubyte"), target: labels)
        #expect(fault(request).contains("'images' has 1 row but 'labels' has 2"))
    }

    @Test func foldersWithoutImagesAreRefused() {
        #expect(fault(scratch.folder).contains("this is a folder without train-images-idx3-ubyte"))
    }
}
