import Networks
import Programs
import Torch

// Channels that nothing writes are constants, which the biases of their readers can take over.

extension Shrinking {
    /// Channels that are written with zero weights.
    func silent(_ candidate: Candidate, _ analysis: ChannelAnalysis) -> Set<Int> {
        let writers = candidate.places.filter {
            $0.reader == nil && program.parameters[$0.parameter].shape.count >= 2
        }
        guard !writers.isEmpty else { return [] }
        var silent = [Bool](repeating: true, count: candidate.space.count)
        for place in writers { silent = zip(silent, isZero(place, analysis)).map { $0 && $1 } }
        return Set(silent.indices.filter { silent[$0] })
    }

    /// Silent channels are constants, which the readers' biases can take over: each is decided on by itself.
    func findConstants(_ plan: inout Plan, _ analysis: ChannelAnalysis) throws {
        let channels = silent(plan.candidate, analysis).subtracting(plan.ignored).sorted()
        guard !channels.isEmpty else { return }
        let readers = plan.candidate.places.filter { $0.reader != nil }
        func keep(_ reason: String) { for channel in channels { plan.kept[channel] = reason } }
        guard readers.allSatisfy({ isOwn($0, analysis) }) else {
            return keep("they are constant, but calls that share their weights read them")
        }
        guard let values = try measured(channels, readers, analysis) else {
            return keep("they are constant, but a recurrent layer or attention reads them")
        }
        let isPadded = readers.map { place in
            !Self.isUnpadded(
                program.steps[place.reader!.step], kernel: program.parameters[place.parameter].shape.dropFirst(2))
        }
        var going: [Int] = []
        for (index, channel) in channels.enumerated() {
            let own = values.map { $0[index] }
            if own.contains(nil) {
                plan.kept[channel] = "nothing writes them, but they are not constant where they are read"
            } else if zip(own, isPadded).contains(where: { $0 != 0 && $1 }) {
                plan.kept[channel] = "they are constant, but a convolution with zeros around its input reads them"
            } else {
                going.append(index)
            }
        }
        plan.constants = going.map { channels[$0] }
        plan.values = values.map { reader in going.map { reader[$0] ?? 0 } }
    }

    /// Whether a reader's weight and bias are those of one call alone.
    private func isOwn(_ place: Place, _ analysis: ChannelAnalysis) -> Bool {
        var values = [place.parameter + 1]
        if let reader = place.reader, reader.input >= 0, let bias = program.steps[reader.step].bias {
            values.append(bias)
        }
        return values.allSatisfy { value in
            program.steps.reduce(0) { $0 + Program.reads($1).count { $0 == value } } == 1
        }
    }

    /// What each channel is at each reader, on rows that differ: nil for one that is no constant there, and for all where
    /// a reader is no linear map.
    private func measured(
        _ channels: [Int], _ readers: [Place], _ analysis: ChannelAnalysis
    ) throws -> [[Double?]]? {
        let wanted = Set(readers.compactMap { $0.reader?.input })
        guard !wanted.contains(-1), readers.allSatisfy({ ["linear", "conv1d", "conv2d"].contains(name(of: $0)) })
        else { return nil }
        let dtype = network.parameters.values.first?.dtype ?? .float32
        let count = analysis.rows * input.count
        var vocabulary = 101
        if case .tokens(let words, _) = input { vocabulary = words }
        let numbers = (0..<count).map { index in
            input.isTokens ? Double(index * 7919 % vocabulary) : Double(index * 7919 % 101) / 50 - 1
        }
        let x = Tensor(numbers, shape: [analysis.rows, input.count]).to(dtype)
        let values = try program.values(x, keeping: wanted) { network.tensor(program.parameters[$0].name) }
        return readers.compactMap { place -> [Double?]? in
            guard let value = values[place.reader!.input], let axes = analysis.axes[place.reader!.input] else {
                return nil
            }
            for (dimension, axis) in axes.enumerated() {
                let factors = axis.resolved
                guard
                    let factor = factors.firstIndex(where: { part in
                        if case .space(let space) = part { return space === candidateSpace(place, analysis) }
                        return false
                    })
                else { continue }
                let before = value.shape[..<dimension].reduce(1, *) * factors[..<factor].reduce(1) { $0 * $1.count }
                let rows = value.reshaped(before, factors[factor].count, -1).permuted(1, 0, 2)
                    .reshaped(factors[factor].count, -1)
                let (low, high) = (rows.min(1).doubles(), rows.max(1).doubles())
                return channels.map { low[$0] == high[$0] ? low[$0] : nil }
            }
            return nil
        }.nilUnlessCount(readers.count)
    }

    private func candidateSpace(_ place: Place, _ analysis: ChannelAnalysis) -> ChannelSpace? {
        let part = (analysis.axes[place.parameter + 1] ?? [])[place.dimension].resolved[place.factor]
        if case .space(let space) = part { return space }
        return nil
    }

    private func name(of place: Place) -> String { place.reader.map { program.steps[$0.step].name } ?? "" }

    /// Whether no zeros are put around the input, which a constant would not reach.
    private static func isUnpadded(_ step: Program.Step, kernel: ArraySlice<Int>) -> Bool {
        guard step.name != "linear", step.arguments.count > 4 else { return true }
        switch step.arguments[4] {
        case .lengths(let lengths): return lengths.allSatisfy { $0 == .constant(0) }
        default: return kernel.allSatisfy { $0 == 1 }
        }
    }
}

extension Array {
    /// The array, or nil where elements are missing.
    fileprivate func nilUnlessCount(_ wanted: Int) -> [Element]? { count == wanted ? self : nil }
}
