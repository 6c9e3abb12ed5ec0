import Networks
import Programs
import Proximal
import Torch

/// Parameters that read the same channels: only when all of them ignore one can it go.
public struct ChannelReaders: Sendable, Equatable {
    /// A parameter with its groups, one for each channel.
    public struct Reader: Sendable, Equatable {
        /// Name of the parameter.
        public var name: String
        /// Its groups.
        public var grouping: Grouping
    }

    /// The parameters.
    public var readers: [Reader]

    /// The sets of a network, for channels that could be removed.
    ///
    /// - Throws: `TraceError` for networks that cannot be written down as a program.
    public static func all(of network: Network, input: InputShape) throws -> [ChannelReaders] {
        let traced = try Program.tracing(network, input: input)
        let analysis = try ChannelAnalysis(traced.program, traced.network, input: input)
        var sets: [(space: ChannelSpace, readers: [Reader])] = []
        for reader in analysis.readers {
            let factors = analysis.axes[reader.value]![reader.dimension].resolved
            // One space in front, whose channels are neighbouring slices of the dimension.
            guard reader.dimension == 1, case .space(let space)? = factors.first, space.frozen == nil else { continue }
            let width = factors.dropFirst().reduce(1) { $0 * $1.count }
            let parameter = traced.program.parameters[reader.value - 1]
            guard parameter.shape[1] == space.count * width else { continue }
            let made = Reader(name: parameter.name, grouping: Grouping(.inputs, width: width))
            if let index = sets.firstIndex(where: { $0.space === space }) {
                if !sets[index].readers.contains(where: { $0.name == made.name }) { sets[index].readers.append(made) }
            } else {
                sets.append((space, [made]))
            }
        }
        return sets.map { ChannelReaders(readers: $0.readers) }
    }
}
