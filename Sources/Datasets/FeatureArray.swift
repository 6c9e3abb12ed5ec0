import Interchange
import Torch

/// The features of a file of arrays: n × d, or n × h × w for images.
struct FeatureArray {
    /// The array's or the file's name.
    let name: String
    /// The dimensions in the file.
    let shape: [Int]
    /// The features as floating-point numbers, n × d; without elements where the shape has none.
    let matrix: Tensor
    /// Whether the elements may be NaN or infinite.
    let mayBeInfinite: Bool
    /// Whether bytes were divided by 255.
    var isScaled = false

    /// Files at least this large are mapped: they are read a page at a time and need not fit in memory.
    private static let mappedBytes = 64_000_000

    /// Bytes of images become numbers from 0 to 1.
    init(name: String, array: ArrayData) {
        self.name = name
        shape = array.shape
        mayBeInfinite = Self.floating.contains(array.elementType)
        let dtype = DType(array.elementType)
        guard dtype != .uint8 || array.shape.count <= 2 else {
            matrix = Self.pixels(array)
            isScaled = true
            return
        }
        let raw = array.bytes.withUnsafeBytes { Tensor(bytes: $0, shape: Self.matrixShape(array.shape), dtype: dtype) }
        matrix = raw.to([.int32, .int64, .float64].contains(dtype) ? .float64 : .float32)
    }

    /// Bytes as numbers from 0 to 1, a few rows at a time: the steps to all at once would take more than the result.
    private static func pixels(_ array: ArrayData) -> Tensor {
        let shape = matrixShape(array.shape)
        let (rows, columns) = (shape[0], shape[1])
        var matrix = Tensor.zeros(shape)
        let step = max(1, (1 << 20) / max(1, columns))
        for start in stride(from: 0, to: rows, by: step) {
            let end = min(start + step, rows)
            let raw = array.bytes[start * columns..<end * columns].withUnsafeBytes {
                Tensor(bytes: $0, shape: [end - start, columns], dtype: .uint8)
            }
            matrix.setRows(from: start, to: raw.to(.float32) / Tensor([Float(255)]))
        }
        return matrix
    }

    /// The elements of a `.npy` file: in place where it is large and holds them as memory does.
    init(npy path: String, mappedBytes: Int = mappedBytes) throws {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard let layout = try Npy.layout(path), layout.byteCount >= max(1, mappedBytes),
            layout.elementType == .float32 || layout.elementType == .float64, !layout.shape.isEmpty
        else {
            self.init(name: name, array: try Npy.read(path))
            return
        }
        let mapped = try Tensor(
            mapping: path, offset: layout.offset, shape: Self.matrixShape(layout.shape),
            dtype: DType(layout.elementType))
        self.init(name: name, shape: layout.shape, matrix: mapped)
    }

    private init(name: String, shape: [Int], matrix: Tensor) {
        self.name = name
        self.shape = shape
        self.matrix = matrix
        mayBeInfinite = true
    }

    private static let floating: [ElementType] = [.float16, .bfloat16, .float32, .float64]

    private static func matrixShape(_ shape: [Int]) -> [Int] {
        let rows = shape.first ?? 1
        return [rows, rows > 0 ? shape.dropFirst().reduce(1, *) : 0]
    }
}
