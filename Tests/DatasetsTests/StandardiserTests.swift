import Foundation
import Testing
import Torch

@testable import Datasets

struct StandardiserTests {
    @Test func columnsGetMeanZeroAndDeviationOne() throws {
        let train = Tensor([1.0, 10, 3, 30, 5, 20, 7, 40], shape: [4, 2])
        let standardiser = Standardiser(fitting: train, method: .perColumn)
        #expect(
            standardiser.mean == [4, 25] && standardiser.scale == [Double(5).squareRoot(), Double(125).squareRoot()])
        let result = try standardiser.apply(train, dtype: .float64)
        #expect(result.mean(0).doubles().allSatisfy { abs($0) < 1e-15 })
        #expect(result.squared().mean(0).doubles().allSatisfy { abs($0 - 1) < 1e-15 })
        #expect(standardiser.notices.isEmpty)
    }

    @Test func testRowsUseTheTrainingStatistics() throws {
        let train = Tensor([Float(0), 2], shape: [2, 1])
        let test = Tensor([Float(100), 101, 102], shape: [3, 1])
        let standardiser = Standardiser(fitting: train, method: .perColumn)
        #expect(try standardiser.apply(test, dtype: .float32).doubles() == [99, 100, 101])
        #expect(try standardiser.apply(test, dtype: .float32).dtype == .float32)
    }

    @Test func constantAndRepeatedColumnsAreDropped() throws {
        let rows: [[Double]] = [[1, 0.1, 5, 1, 2], [2, 0.1, 6, 2, 2], [4, 0.1, 9, 4, 2]]
        let features = Tensor(rows.flatMap(\.self), shape: [3, 5])
        let standardiser = Standardiser(fitting: features, method: .perColumn)
        #expect(standardiser.keptColumns == [0, 2] && standardiser.inputColumns == 5)
        #expect(standardiser.mean.count == 2 && standardiser.scale.count == 2)
        #expect(
            standardiser.notices == [
                "columns 2, 5 dropped: the same value in every row", "column 4 dropped: a copy of an earlier column",
            ])
        #expect(try standardiser.apply(features, dtype: .float64).shape == [3, 2])
        #expect(Standardiser(fitting: features.to(.float32), method: .perColumn).keptColumns == [0, 2])
    }

    @Test func globalStatisticsTakeAllElements() throws {
        let features = Tensor([Float(0), 0, 2, 2], shape: [2, 2])
        let standardiser = Standardiser(fitting: features, method: .global)
        #expect(standardiser.keptColumns == [0, 1] && standardiser.mean == [1, 1] && standardiser.scale == [1, 1])
        let constant = Standardiser(fitting: Tensor([Float(3), 3], shape: [2, 1]), method: .global)
        #expect(constant.keptColumns == [0] && constant.scale == [1])
        #expect(try constant.apply(Tensor([Float(4)], shape: [1, 1]), dtype: .float32).scalar == 1)
        let none = Standardiser(fitting: features, method: .none)
        #expect(try none.apply(features, dtype: .float64).doubles() == [0, 0, 2, 2])
    }

    @Test func otherNumbersOfColumnsAreRefused() {
        let standardiser = Standardiser(fitting: Tensor.randomNormal([9, 5]), method: .perColumn)
        #expect(
            message { _ = try standardiser.apply(Tensor.zeros([2, 4]), dtype: .float32) }
                == "features: the model was trained on 5 columns, these data have 4. "
                + "Give the same columns as in training.")
        let constant = Standardiser(fitting: Tensor.zeros([9, 2]), method: .perColumn)
        #expect(
            message { _ = try constant.apply(Tensor.zeros([2, 2]), dtype: .float32) }
                .contains("every column is constant"))
    }

    @Test func missingFeaturesBecomeZeroOnRequest() throws {
        let features = Tensor([1.0, .nan, 3, 5, .nan, 9], shape: [3, 2])
        var standardiser = Standardiser(fitting: features, method: .perColumn)
        #expect(standardiser.mean == [2, 7] && standardiser.scale == [1, 2])
        #expect(try standardiser.apply(features, dtype: .float64).doubles()[1].isNaN)
        standardiser.fillsMissing = true
        #expect(try standardiser.apply(features, dtype: .float64).doubles() == [-1, 0, 1, -1, 0, 1])
    }

    @Test func largeOffsetsAndManyRowsKeepTheirDigits() throws {
        let count = 10_000
        let values = (0..<count).map { 1e8 + Double($0 % 2) }
        let standardiser = Standardiser(fitting: Tensor(values, shape: [count, 1]), method: .perColumn)
        #expect(standardiser.mean == [1e8 + 0.5] && standardiser.scale == [0.5])
        let result = try standardiser.apply(Tensor(values, shape: [count, 1]), dtype: .float32).doubles()
        #expect(result[count - 2] == -1 && result[count - 1] == 1)
    }

    @Test func standardisersSurviveEncoding() throws {
        let standardiser = Standardiser(fitting: Tensor([1.0, 7, 2, 7], shape: [2, 2]), method: .perColumn)
        let bytes = try JSONEncoder().encode(standardiser)
        #expect(try JSONDecoder().decode(Standardiser.self, from: bytes) == standardiser)
    }
}
