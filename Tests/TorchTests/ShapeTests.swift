import TestSupport
import Testing
import Torch

@Suite("Creation, conversion, views and indexing")
struct ShapeTests {
    let x = Tensor((0..<24).map(Double.init), shape: [2, 3, 4])

    @Test("Tensors hold the values they were made of, in C order")
    func creation() {
        #expect(x.shape == [2, 3, 4])
        #expect(x.rank == 3)
        #expect(x.count == 24)
        #expect(x.doubles() == (0..<24).map(Double.init))
        #expect(Tensor.zeros([2, 2], dtype: .float64).doubles() == [0, 0, 0, 0])
        #expect(Tensor.full([3], 2.5).floats() == [2.5, 2.5, 2.5])
        #expect(Tensor.identity(2, dtype: .float64).doubles() == [1, 0, 0, 1])
        #expect(Tensor.range(4).array(of: Int64.self) == [0, 1, 2, 3])
        #expect(Tensor.zeros(like: x).dtype == .float64)
        #expect(Tensor.empty(like: x, shape: [5, 0]).shape == [5, 0])
        #expect(Tensor([7.0], shape: []).scalar == 7)
        #expect(Tensor([Float]()).floats().isEmpty)
        #expect("\(Tensor([1.0, 2]))" == "Tensor(float64[2], cpu [1.0, 2.0])")
    }

    @Test("Conversions round to the nearest number, or towards zero for integers")
    func conversions() {
        let values = Tensor([1.0 / 3, -2.7, 65504, 1e-8])
        #expect(values.to(.float32).floats() == [Float(1.0 / 3), -2.7, 65504, 1e-8])
        #expect(values.to(.float16).doubles() == [0.333251953125, -2.69921875, 65504, 0])
        #expect(values.to(.bfloat16).doubles()[0] == 0.333984375)
        #expect(Tensor([2.9, -2.9, 7]).to(.int64).array(of: Int64.self) == [2, -2, 7])
        #expect(Tensor([0.0, 3, 255]).to(.uint8).array(of: UInt8.self) == [0, 3, 255])
        #expect(Tensor([0.0, 3, -1]).to(.bool).doubles() == [0, 1, 1])
        for dtype in DType.allCases where !dtype.isComplex {
            let converted = Tensor([0.0, 1]).to(dtype)
            #expect(converted.dtype == dtype)
            #expect(converted.doubles() == [0, 1])
            #expect(converted.withBytes { $0.count } == 2 * dtype.byteCount)
        }
    }

    @Test("Epsilon is the distance from 1 to the next number of each float type")
    func epsilon() {
        for dtype in [DType.float16, .bfloat16, .float32, .float64] {
            let one = Tensor([1.0]).to(dtype)
            let next = (Tensor([1.0]) + dtype.epsilon).to(dtype)
            let half = (Tensor([1.0]) + dtype.epsilon * 0.49).to(dtype)
            #expect(next.scalar == 1 + dtype.epsilon, "\(dtype)")
            #expect(half.scalar == one.scalar, "\(dtype)")
        }
    }

    @Test("Views show the elements that index arithmetic names")
    func views() {
        let flat = (0..<24).map(Double.init)
        func at(_ i: Int, _ j: Int, _ k: Int) -> Double { flat[(i * 3 + j) * 4 + k] }
        let transposed = x.transposed(0, 2)
        #expect(transposed.shape == [4, 3, 2])
        #expect(!transposed.isContiguous)
        var expected: [Double] = []
        for k in 0..<4 { for j in 0..<3 { for i in 0..<2 { expected.append(at(i, j, k)) } } }
        #expect(transposed.doubles() == expected)
        #expect(transposed.withBytes { Array($0.bindMemory(to: Double.self)) } == expected)
        #expect(transposed.contiguous().isContiguous)
        #expect(x.permuted(2, 1, 0).doubles() == expected)
        #expect(x.reshaped(4, -1).shape == [4, 6])
        #expect(x.reshaped([6, 4]).doubles() == flat)
        #expect(x.unsqueezed(1).shape == [2, 1, 3, 4])
        #expect(x.rows(1..<2).doubles() == Array(flat[12...]))
        #expect(x.columns(1..<3).shape == [2, 2, 4])
        #expect(x.columns(1..<3).doubles() == Array(flat[4..<12]) + Array(flat[16..<24]))
        #expect(x.select(1, 2).doubles() == [8, 9, 10, 11, 20, 21, 22, 23])
        #expect(x.rows(2..<2).shape == [0, 3, 4])
        #expect(Tensor([1.0, 2], shape: [2, 1]).expanded(2, 3).doubles() == [1, 1, 1, 2, 2, 2])
        #expect(Tensor((0..<6).map(Double.init), shape: [2, 3]).diagonal.doubles() == [0, 4])
    }

    @Test("Gathering, joining and one-hot rows follow their indices")
    func indexing() {
        let m = Tensor((0..<6).map(Double.init), shape: [3, 2])
        #expect(m.gathering([2, 0, 2]).doubles() == [4, 5, 0, 1, 4, 5])
        #expect(m.gathering([1], dimension: 1).doubles() == [1, 3, 5])
        #expect(m.gathering(Tensor([1, 1] as [Int64])).doubles() == [2, 3, 2, 3])
        #expect(m.gathering([Int]()).shape == [0, 2])
        #expect(Tensor.concatenate([m, m], dimension: 1).shape == [3, 4])
        #expect(Tensor.concatenate([m, m.rows(0..<1)], dimension: 0).doubles() == [0, 1, 2, 3, 4, 5, 0, 1])
        #expect(Tensor.stack([m, -m], dimension: 2).doubles() == [0, 0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5])
        #expect(Tensor([1, 0] as [Int64]).oneHot(3).doubles() == [0, 1, 0, 1, 0, 0])
    }

    @Test("Device names are read as LibTorch writes them")
    func devices() {
        #expect(Device("cpu") == .cpu)
        #expect(Device("cuda") == Device(.cuda, index: 0))
        #expect(Device("cuda:1") == Device(.cuda, index: 1))
        #expect(Device("cuda:1")?.description == "cuda:1")
        #expect(Device("mps") == Device(.mps))
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "CUDA", " cpu"] {
            #expect(Device(text) == nil, "\(text)")
        }
        #expect(Device.cpu.isAvailable)
        #expect(!Device(.cuda, index: 99).isAvailable)
        #expect(x.device.kind == .cpu)
        #expect(x.device.description == "cpu")
    }
}
