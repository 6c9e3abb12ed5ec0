import Torch

/// Random changes of training images.
public struct Augmentation: Sendable, Codable, Equatable {
    /// Zeros put around an image before a crop of the old size is cut out; 0 for none.
    public var cropPadding = 0
    /// Whether half of the images are mirrored.
    public var flips = false

    /// Changes nothing.
    public init() {}

    /// Whether anything is done.
    public var isActive: Bool { cropPadding > 0 || flips }

    /// Changes a batch of images.
    ///
    /// - Parameters:
    ///   - x: `n × (channels · height · width)`.
    ///   - image: channels, height and width.
    ///   - random: decides for each image.
    func apply(_ x: Tensor, image: [Int], random: inout RowRandom) -> Tensor {
        guard isActive, image.count == 3 else { return x }
        let (rows, height, width) = (x.shape[0], image[1], image[2])
        // One index for each element of each image turns both changes into a single gather.
        var source = [Int64]()
        source.reserveCapacity(rows * height * width)
        let outside = Int64(height * width)
        for _ in 0..<rows {
            let isMirrored = flips && random.next() & 1 == 1
            let down = cropPadding > 0 ? random.next(below: 2 * cropPadding + 1) - cropPadding : 0
            let right = cropPadding > 0 ? random.next(below: 2 * cropPadding + 1) - cropPadding : 0
            for i in 0..<height {
                for j in 0..<width {
                    let (y, z) = (i + down, (isMirrored ? width - 1 - j : j) + right)
                    let isInside = (0..<height).contains(y) && (0..<width).contains(z)
                    source.append(isInside ? Int64(y * width + z) : outside)
                }
            }
        }
        let pixels = x.reshaped(rows, image[0], height * width)
        let padded = Tensor.concatenate([pixels, .zeros(like: x, shape: [rows, image[0], 1])], dimension: 2)
        let index = Tensor(source, shape: [rows, 1, height * width]).to(device: x.device)
            .expanded(rows, image[0], height * width)
        return Self.gather(.tensor(padded), .int(2), .tensor(index)).reshaped(x.shape)
    }

    private static let gather = Operator("aten::gather")
}

/// Numbers for the order of rows and for augmentation: SplitMix64, the same on every platform.
struct RowRandom {
    private var state: UInt64

    init(_ parts: UInt64...) {
        state = parts.reduce(0x2545_F491_4F6C_DD1D) { ($0 ^ $1) &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// A number in `0..<bound`; the bias is below 2⁻⁴⁰ for bounds that rows have.
    mutating func next(below bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// `0..<count` in random order.
    mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) { order.swapAt(index, next(below: index + 1)) }
        return order
    }
}
