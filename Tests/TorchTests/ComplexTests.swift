import Foundation
import TestSupport
import Testing
import Torch

@Suite("Complex numbers and Fourier transforms")
struct ComplexTests {
    private static let types: [(DType, Double)] = [(.float64, 1e-13), (.float32, 1e-5)]

    private func random(_ shape: [Int], _ dtype: DType, seed: UInt64) -> Tensor {
        var random = RandomSource(seed)
        return random.tensor(shape, dtype: dtype)
    }

    @Test("Views go there and back, and names, errors and copies know the type", arguments: types)
    func views(dtype: DType, tolerance: Double) throws {
        let pairs = random([3, 4, 2], dtype, seed: 1)
        let z = pairs.viewAsComplex()
        #expect(z.shape == [3, 4] && z.dtype.isComplex && z.dtype.byteCount == 2 * dtype.byteCount)
        #expect(z.viewAsReal().doubles() == pairs.doubles() && z.doubles() == pairs.doubles())
        #expect(
            z.real.doubles() == pairs.select(2, 0).doubles() && z.imaginary.doubles() == pairs.select(2, 1).doubles())
        #expect(Tensor.complex(z.real, z.imaginary).doubles() == pairs.doubles())
        #expect(z.conjugated().doubles() == z.conjugated().conjugated().conjugated().doubles())
        // A conjugate is a view with a mark, which single elements must not lose.
        #expect(z.conjugated().imaginary[1, 2] == -z.imaginary[1, 2] && z.conjugated().real[1, 2] == z.real[1, 2])
        #expect(z[0..<1, 0..<1].conjugated().imaginary.floats() == [-Float(z.imaginary[0, 0])])
        #expect("\(z)".contains("complex"))
        let error = #expect(throws: TorchError.self) { try Operator("aten::mm").call([.tensor(z), .tensor(z)]) }
        #expect("\(try #require(error))".contains("complex"))
        var copy = z
        copy.scale(by: 2)
        #expect(z.doubles() == pairs.doubles() && copy.doubles() == pairs.doubles().map { 2 * $0 })
        #expect(z.isFinite && z.to(device: .cpu).doubles() == pairs.doubles())
    }

    @Test("Products, sizes, norms and inner products are Hermitian", arguments: types)
    func arithmetic(dtype: DType, tolerance: Double) {
        let (a, b) = (random([5, 2], dtype, seed: 2), random([5, 2], dtype, seed: 3))
        let (za, zb) = (a.viewAsComplex(), b.viewAsComplex())
        var (product, inner) = ([Double](), (0.0, 0.0))
        for k in 0..<5 {
            let (ar, ai, br, bi) = (a[k, 0], a[k, 1], b[k, 0], b[k, 1])
            product += [ar * br - ai * bi, ar * bi + ai * br]
            inner = (inner.0 + ar * br + ai * bi, inner.1 + ar * bi - ai * br)
        }
        #expect(distance((za * zb).doubles(), product) < tolerance)
        #expect(abs(za.squareSum - a.squareSum) <= tolerance * a.squareSum && abs(za.norm - a.norm) < tolerance)
        let found = za.hermitianDot(zb)
        #expect(abs(found.real - inner.0) < 4 * tolerance && abs(found.imaginary - inner.1) < 4 * tolerance)
        #expect(abs(za.dot(zb) - inner.0) < 4 * tolerance)
        #expect(distance(za.absolute().doubles(), (0..<5).map { hypot(a[$0, 0], a[$0, 1]) }) < tolerance)
        #expect(distance(za.angle().doubles(), (0..<5).map { atan2(a[$0, 1], a[$0, 0]) }) < tolerance)
    }

    @Test("The transform is the sum it is defined as, and its inverse undoes it", arguments: types)
    func transform(dtype: DType, tolerance: Double) {
        let x = random([2, 7, 2], dtype, seed: 4)
        var expected: [Double] = []
        for row in 0..<2 {
            for k in 0..<7 {
                var sum = (0.0, 0.0)
                for t in 0..<7 {
                    let (re, im) = (x[row][t, 0], x[row][t, 1])
                    let (c, s) = (cos(2 * .pi * Double(k * t) / 7), -sin(2 * .pi * Double(k * t) / 7))
                    sum = (sum.0 + re * c - im * s, sum.1 + re * s + im * c)
                }
                expected += [sum.0, sum.1]
            }
        }
        let z = x.viewAsComplex()
        #expect(distance(z.fft(1).doubles(), expected) < 10 * tolerance)
        for norm in [FourierNorm.inverse, .orthonormal, .forward] {
            #expect(distance(z.fft(norm: norm).inverseFFT(norm: norm).doubles(), x.doubles()) < 10 * tolerance)
        }
        let root = z.fft(0, 1, norm: .orthonormal)
        #expect(abs(root.norm - z.norm) < 10 * tolerance * z.norm)
        let real = random([3, 5], dtype, seed: 5)
        #expect(distance(real.realFFT(0, 1).doubles(), real.fft(0, 1).columns(0..<3).doubles()) < 10 * tolerance)
        #expect(distance(real.realFFT(1).inverseRealFFT(1, lengths: [5]).doubles(), real.doubles()) < 10 * tolerance)
        #expect(real.fftShifted().inverseFFTShifted().doubles() == real.doubles())
        #expect(real.fftShifted(1)[0, 2] == real[0, 0])
    }

    @Test("The orthonormal transform's adjoint is its inverse: ⟨Fx, y⟩ = ⟨x, F⁻¹y⟩")
    func adjoint() {
        let (x, y) = (
            random([4, 6, 2], .float64, seed: 6).viewAsComplex(), random([4, 6, 2], .float64, seed: 7).viewAsComplex()
        )
        let left = x.fft(norm: .orthonormal).hermitianDot(y)
        let right = x.hermitianDot(y.inverseFFT(norm: .orthonormal))
        #expect(abs(left.real - right.real) < 1e-12 && abs(left.imaginary - right.imaginary) < 1e-12)
    }

    /// Masked k-space of an image that a real matrix filters, against data: the loss of an MRI reconstruction.
    private func loss(_ image: Tensor, _ filter: Tensor) -> Tensor {
        let mask = Tensor((0..<24).map { $0 % 3 == 0 ? 0.0 : 1 }, shape: [4, 6])
        let z = Tensor.complex(filter.times(image), image.tanh())
        let k = z.fft(0, 1, norm: .orthonormal) * mask
        return (k.absolute() - 0.5).squared().sum() + k.conjugated().inverseFFT(0, 1).real.sum()
    }

    @Test("Gradients through complex values are PyTorch's, and those of finite differences")
    func gradients() throws {
        let image = Tensor((0..<24).map { sin(Double($0)) }, shape: [4, 6])
        let filter = Tensor((0..<16).map { cos(Double($0) * 0.7) }, shape: [4, 4])
        let found = try valueAndGradients(at: [image, filter]) { loss($0[0], $0[1]) }
        #expect(abs(found.value.scalar - Self.reference.value) < 1e-12)
        #expect(distance(found.gradients[0].doubles(), Self.reference.image) < 1e-12)
        #expect(distance(found.gradients[1].doubles(), Self.reference.filter) < 1e-12)
        #expect(found.gradients.allSatisfy { $0.dtype == .float64 })
        for place in [0, 5, 17] {
            var (up, down) = (image.doubles(), image.doubles())
            (up[place], down[place]) = (up[place] + 1e-6, down[place] - 1e-6)
            let slope =
                (loss(Tensor(up, shape: [4, 6]), filter).scalar - loss(Tensor(down, shape: [4, 6]), filter).scalar)
                / 2e-6
            #expect(abs(slope - found.gradients[0].doubles()[place]) < 1e-6)
        }
    }

    @Test("Operators take lists of numbers and give any number of results")
    func lists() throws {
        let x = random([20, 3], .float64, seed: 8)
        let parts = x.unbound()
        #expect(parts.count == 20 && parts[19].doubles() == x[19].doubles())
        let scaled = try Operator("aten::upsample_nearest1d", "vec").call(
            [.tensor(x.reshaped(20, 1, 3)), .none, .doubles([2.0])])
        guard case .tensor(let larger)? = scaled.first else { throw TorchError(operation: "upsample", message: "none") }
        #expect(larger.shape == [20, 1, 6])
    }

    /// From PyTorch 2.15.0: `torch.fft` and autograd on the same function.
    private static let reference: (value: Double, image: [Double], filter: [Double]) = (
        value: 57.54660756936614,
        image: [
            -5.030416441375092, 8.961783489494906, 13.741213261737254, 3.169272925588144, -9.134955335996363,
            -12.267050831653574, -6.700426385581824, 9.655763238843878, 16.16913532680467, 4.438643241736729,
            -10.227444344079421, -14.026803188848863, -4.435571981084814, 5.829322156529027, 11.241150871922667,
            4.013158089284442, -7.438321131986229, -9.607879257351847, -1.091390128233193, -0.6611878414123286,
            1.4139418406171949, 1.4194141881452151, -0.7175169765395326, -0.8248744856209111,
        ],
        filter: [
            9.85997127873161, 9.528961851166208, 8.43888078549771, 6.676563314472998, -12.00994529490869,
            -12.131161287221582, -11.286015926198049, -9.541833006774773, 12.43229401374685, 12.662595056731128,
            11.88420103697122, 10.159118375827338, -12.66885941823906, -13.427878957671455, -13.117241357548576,
            -11.76169183100745,
        ]
    )
}
