import Foundation

/// A grid of small signed images, such as the weights of a first layer.
public struct ImageGrid: Sendable {
    private let title: String
    private let images: [[Float]]
    private let height: Int
    private let width: Int
    private let columns: Int
    private let labels: [String]?

    /// Creates a grid of row-major images; pixels that are missing or not finite are grey.
    public init(title: String, images: [[Float]], height: Int, width: Int, columns: Int, labels: [String]? = nil) {
        self.title = title
        self.images = images
        self.height = height
        self.width = width
        self.columns = max(1, columns)
        self.labels = labels
    }

    /// Draws the grid as HTML with embedded images.
    ///
    /// Each image has its own scale: blue is negative, white is zero and red is positive.
    public func html() -> String {
        var result = "<figure class=\"card images\"><h3>\(escaped(title))</h3>\n"
        if images.isEmpty || height < 1 || width < 1 {
            return result + "<p class=\"muted\">no data</p></figure>\n"
        }
        result += "<div class=\"wall\" style=\"grid-template-columns:repeat(\(columns),minmax(0,110px))\">\n"
        for (index, image) in images.enumerated() {
            let label = labels.flatMap { index < $0.count ? $0[index] : nil }
            let name = escaped(label ?? "image \(index + 1)")
            let data = Data(Self.png(image, height: height, width: width)).base64EncodedString()
            let caption = label == nil ? "" : "<span>\(name)</span>"
            result += "<div title=\"\(name)\"><img alt=\"\(name)\" width=\"\(width)\" height=\"\(height)\" "
            result += "src=\"data:image/png;base64,\(data)\"/>\(caption)</div>\n"
        }
        result += "</div>\n<figcaption><i class=\"ramp\"></i> negative, zero and positive; "
        return result + "each image is scaled to its own largest magnitude</figcaption></figure>\n"
    }

    /// The index of the palette entry for zero; equally many entries lie on either side.
    private static let zero = 127
    /// The index of the palette entry for pixels without a value.
    private static let missing: UInt8 = 255

    private static let palette: [(red: UInt8, green: UInt8, blue: UInt8)] = (0...255).map { index in
        if index == Int(missing) { return (128, 128, 128) }
        // The ends are the darkest blue and red that still differ in hue; they are also safe for the colour-blind.
        let end: (Double, Double, Double) = index < zero ? (5, 72, 150) : (178, 18, 32)
        let share = pow(Double(abs(index - zero)) / Double(zero), 0.85)
        func mix(_ target: Double) -> UInt8 { UInt8((250 + (target - 250) * share).rounded()) }
        return (mix(end.0), mix(end.1), mix(end.2))
    }

    /// Encodes one image symmetrically about zero.
    static func png(_ image: [Float], height: Int, width: Int) -> [UInt8] {
        let largest = image.lazy.filter(\.isFinite).map(abs).max() ?? 0
        let pixels = (0..<height * width).map { index -> UInt8 in
            guard index < image.count, image[index].isFinite else { return missing }
            // Dividing first keeps the product finite and the sign of subnormal weights.
            let share = largest > 0 ? image[index] / largest : 0
            return UInt8(zero + Int((share * Float(zero)).rounded()))
        }
        return PNG.encode(width: width, height: height, palette: palette, pixels: pixels)
    }
}
