import CTorch

/// Where a tensor lives and where its operations run.
public struct Device: Sendable, Hashable, CustomStringConvertible {
    /// Kind of device. Raw values are LibTorch's `DeviceType` numbers.
    public enum Kind: Int32, Sendable {
        case cpu = 0
        case cuda = 1
        case mps = 13
    }

    /// Kind of device.
    public var kind: Kind
    /// Number among the devices of its kind; -1 for the current one.
    public var index: Int

    /// Creates a device.
    public init(_ kind: Kind, index: Int = -1) {
        self.kind = kind
        self.index = index
    }

    /// The host processor.
    public static let cpu = Device(.cpu)
    /// The current CUDA device.
    public static let cuda = Device(.cuda, index: 0)

    /// As LibTorch writes it: `cpu`, `cuda:0`.
    public var description: String {
        switch kind {
        case .cpu: "cpu"
        case .cuda: index < 0 ? "cuda" : "cuda:\(index)"
        case .mps: "mps"
        }
    }

    /// Whether tensors can be made there.
    public var isAvailable: Bool {
        switch kind {
        case .cpu: true
        case .cuda: Int(ct_cuda_device_count()) > max(0, index)
        case .mps: false
        }
    }

    /// Reads `cpu`, `cuda`, `cuda:1`, `mps`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let name = parts.first else { return nil }
        let index = parts.count == 2 ? Int(parts[1]) : nil
        if parts.count == 2 && (index == nil || index! < 0) { return nil }
        switch name {
        case "cpu": self = Device(.cpu)
        case "cuda": self = Device(.cuda, index: index ?? 0)
        case "mps": self = Device(.mps)
        default: return nil
        }
    }
}

/// Process-wide settings and facts of the engine.
public enum Runtime {
    /// What a refused operator ends in: a trap unless a program sets another end, as a command line's one-line message.
    ///
    /// Shapes that do not go together are errors of the program; memory that runs out is not, but neither leaves a
    /// value to go on with. Set it before any work starts.
    public nonisolated(unsafe) static var onFailure: (TorchError) -> Never = { fatalError("\($0)") }

    /// Ends the program as ``onFailure`` says.
    public static func fail(_ error: TorchError) -> Never { onFailure(error) }

    /// Version of the LibTorch headers the package was compiled with.
    public static var version: String { String(cString: ct_version_string()) }
    /// Instruction set that LibTorch's kernels use, as in `AVX512`.
    public static var cpuCapability: String { String(cString: ct_cpu_capability()) }
    /// Number of CUDA devices that can be used.
    public static var cudaDeviceCount: Int { Int(ct_cuda_device_count()) }
    /// Folder of the loaded `libtorch_cpu`.
    public static var libraryFolder: String {
        guard let folder = ct_library_folder() else { return "unknown" }
        defer { ct_string_free(folder) }
        return String(cString: folder)
    }

    /// Number of threads inside one operation.
    public static var threads: Int {
        get { Int(ct_threads()) }
        set { ct_set_threads(Int32(newValue)) }
    }

    /// Seeds the engine's own generators (`randn`, `randperm`).
    public static func seed(_ seed: UInt64) {
        var message: UnsafeMutablePointer<CChar>?
        if ct_manual_seed(seed, &message) != 0 { ct_string_free(message) }
    }
}
