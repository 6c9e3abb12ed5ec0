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
    func apply(_ x: Tensor, image: [Int], random: inout SplitMix64) -> Tensor {
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
