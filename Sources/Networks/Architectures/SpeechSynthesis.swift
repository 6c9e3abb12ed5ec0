import Settings
import Torch

/// Sequence to sequence, as Tacotron 2 turns letters into frames of sound: convolutions and a recurrent layer in both
/// directions read the letters, a recurrent decoder attends to them and makes one frame after the other.
///
/// A row of the input holds the letters, as numbers, and behind them the frames. The decoder is given the true frame
/// before the one that it makes (teacher forcing).
public struct SpeechSynthesis: SelfSupervisedArchitecture {
    /// Name on the command line.
    public static let name = "seq2seq"
    /// One line of help.
    public static let summary = "convolutions, recurrent encoder, attention and recurrent decoder: letters to frames"
    /// Where it was published.
    public static let citation = "Shen et al., Tacotron 2, ICASSP 2018, arXiv:1712.05884, without its post-net"
    /// The hyperparameters with their ranges.
    public static let settings: [Setting<Self>] = [
        Setting("letters", \.letters, .count(1), "letters of a row"),
        Setting("alphabet", \.alphabet, .count(1), "number of different letters"),
        Setting("bins", \.bins, .count(1), "numbers of a frame"),
        Setting("width", \.width, .count(2), "length of a vector, even"),
        Setting("convolutions", \.convolutions, .counts(1...1000), "convolutions over the letters"),
    ]
    /// Letters are numbers of rows of a table.
    public static let standardises = false

    /// Letters of a row.
    public var letters = 12
    /// Number of different letters.
    public var alphabet = 20
    /// Numbers of a frame.
    public var bins = 10
    /// Length of a vector.
    public var width = 64
    /// Convolutions over the letters.
    public var convolutions = 3

    /// Creates a small model for the data set `speech`.
    public init() {}

    /// One for each number of each frame.
    public func predictions(input: InputShape) throws -> Int {
        guard case .features(let count) = input, count > letters, (count - letters) % bins == 0 else {
            throw SettingError(
                Self.name,
                "takes rows of \(letters) letters and whole frames of \(bins) numbers, but the data are \(input)")
        }
        return count - letters
    }

    /// The network for an input.
    public func network(input: InputShape, outputs: Int) throws -> any Module {
        guard width % 2 == 0 else { throw SettingError(Self.name, "width is \(width), but must be even") }
        return Synthesiser(settings: self, frames: try predictions(input: input) / bins)
    }
}

/// `embedding`, `convolutions.0`, …, `encoder`, `prenet`, `decoder`, `query`, `project`.
struct Synthesiser: Module {
    let settings: SpeechSynthesis
    let frames: Int

    private var width: Int { settings.width }
    private var embedding: Embedding { Embedding(settings.alphabet, width) }
    private var convolutions: Sequential {
        Sequential(
            (0..<settings.convolutions).flatMap { _ -> [any Module] in
                [
                    Convolution.oneDimension(width, width, size: 5, padding: .zeros(2)), BatchNorm(width),
                    Activation.relu,
                ]
            })
    }
    private var encoder: Recurrent { Recurrent(.lstm, width, width / 2, bidirectional: true) }
    private var prenet: Linear { Linear(settings.bins, width) }
    private var decoder: Recurrent { Recurrent(.lstm, width, width) }
    private var query: Linear { Linear(width, width, bias: false) }
    private var project: Linear { Linear(2 * width, settings.bins) }

    func declare(_ declaration: inout Declaration) {
        declaration.part("embedding", embedding)
        declaration.part("convolutions", convolutions)
        declaration.part("encoder", encoder)
        declaration.part("prenet", prenet)
        declaration.part("decoder", decoder)
        declaration.part("query", query)
        declaration.part("project", project)
    }

    func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        let count = x.shape[0]
        let letters = embedding(x.columns(0..<settings.letters).to(.int64), scope.part("embedding"))
        let mixed = convolutions(letters.transposed(1, 2), scope.part("convolutions")).transposed(1, 2)
        let memory = encoder(mixed, scope.part("encoder"))
        let sound = x.columns(settings.letters..<x.shape[1]).reshaped(count, frames, settings.bins)
        // Each frame is made from those before it: the first from silence.
        let silence = Tensor.zeros(like: x, shape: [count, 1, settings.bins])
        let given = Tensor.concatenate(
            [silence, sound.transposed(0, 1).rows(0..<frames - 1).transposed(0, 1)], dimension: 1)
        let spoken = decoder(prenet(given, scope.part("prenet")).relu(), scope.part("decoder"))
        let questions = query(spoken, scope.part("query"))
        let heard = NetworkOp.attention(
            .tensor(questions.unsqueezed(1)), .tensor(memory.unsqueezed(1)), .tensor(memory.unsqueezed(1)), .none,
            .double(0), .bool(false)
        ).reshaped(count, frames, width)
        let made = project(Tensor.concatenate([spoken, heard], dimension: 2), scope.part("project"))
        return Tensor.concatenate([made.reshaped(count, -1), sound.reshaped(count, -1)], dimension: 1)
    }
}
