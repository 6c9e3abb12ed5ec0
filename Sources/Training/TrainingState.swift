import Interchange
import Networks
import Optimizers
import RunLog
import Torch

/// Everything that a run is: written to a checkpoint and read back, it goes on as if nothing had happened.
struct TrainingState {
    var network: Network
    var rule: UpdateRule.State
    var progress: Progress

    /// What is not a tensor.
    struct Progress: Codable, Sendable {
        /// Micro-steps done: batches seen.
        var batches = 0
        /// Rounds of convex solves done.
        var round = 0
        /// Penalty for each row of the last solve.
        var headPenalty: Double?
        var phases: [String: Double] = [:]
        var history: [HistoryPoint] = []
        var plateau: PlateauState?
        var best: Double?
        var bestStep: Int?
        var waiting = 0
        /// Sum and number of losses since the last evaluation.
        var lossSum = 0.0
        var lossCount = 0

        /// Whether a run can have these numbers.
        var isPossible: Bool {
            let counts =
                [batches, round, waiting, lossCount, plateau?.waiting ?? 0, plateau?.cooldown ?? 0]
                + history.map(\.step)
            return counts.allSatisfy { (0...1 << 50).contains($0) }
                && phases.values.allSatisfy { $0 >= 0 && $0 < 1e12 }
        }
    }
}

/// The file of a training checkpoint.
enum StateFile {
    /// What is not a tensor.
    private struct Kept: Codable {
        var progress: TrainingState.Progress
        var step: Int
        /// Steps, numbers and shared numbers of every state: see `UpdateRule.State.parts`.
        var optimizerSteps: [Int]
        var numbers: [[[String: Double]]]
        var shared: [[String: Double]]
    }

    private static func key(_ identity: String, _ dataHash: String) -> CheckpointFile<Kept>.Key {
        .init(method: "stochastic", identity: identity, dataHash: dataHash)
    }

    /// Writes a state, by way of a temporary file.
    static func write(_ state: TrainingState, identity: String, dataHash: String, to path: String) throws {
        var tensors: [(name: String, array: ArrayData)] = []
        func add(_ prefix: String, _ values: [Tensor]) {
            for (index, tensor) in values.enumerated() { tensors.append(("\(prefix).\(index)", tensor.arrayData)) }
        }
        add("parameter", state.network.parameters.values)
        add("buffer", state.network.buffers.values)
        for (number, part) in state.rule.parts.enumerated() {
            for (index, slot) in part.slots.enumerated() {
                for (name, tensor) in slot.tensors.sorted(by: { $0.key < $1.key }) {
                    tensors.append(("slot.\(number).\(index).\(name)", tensor.arrayData))
                }
            }
            for (name, tensor) in part.shared.tensors.sorted(by: { $0.key < $1.key }) {
                tensors.append(("shared.\(number).\(name)", tensor.arrayData))
            }
        }
        let kept = Kept(
            progress: state.progress, step: state.rule.step, optimizerSteps: state.rule.parts.map(\.step),
            numbers: state.rule.parts.map { $0.slots.map(\.numbers) }, shared: state.rule.parts.map(\.shared.numbers))
        try CheckpointFile(kept, tensors: tensors).write(to: path, key: key(identity, dataHash))
    }

    /// Reads a state into a fresh one of the same run.
    ///
    /// - Parameter rule: what the state is of: every tensor must be such as its optimizers make.
    /// - Throws: `InterchangeError` for files of another version, another run or other data, and for damaged ones.
    static func read(
        _ path: String, into fresh: TrainingState, rule: UpdateRule, identity: String, dataHash: String
    ) throws -> TrainingState {
        try read(
            SafeTensors.read(path), path: path, into: fresh, rule: rule, identity: identity, dataHash: dataHash)
    }

    /// Reads the content of a checkpoint file; `path` is named in errors.
    static func read(
        _ file: SafeTensorsFile, path: String, into fresh: TrainingState, rule: UpdateRule, identity: String,
        dataHash: String
    ) throws -> TrainingState {
        let content = try CheckpointFile<Kept>(file, path: path, key: key(identity, dataHash))
        let (header, reader) = (content.state, Reader(content, path: path))
        var state = fresh
        let parameters = fresh.network.parameters
        state.network.parameters = parameters.replacing(
            try parameters.values.enumerated().map { try reader.tensor("parameter.\($0)", like: $1) })
        let buffers = fresh.network.buffers
        state.network.buffers = buffers.replacing(
            try buffers.values.enumerated().map { try reader.tensor("buffer.\($0)", like: $1) })
        state.rule.step = header.step
        let count = fresh.rule.parts.count
        guard header.optimizerSteps.count == count, header.numbers.count == count, header.shared.count == count
        else {
            throw fault(path, "is a checkpoint of another optimizer", "Resume with the same arguments")
        }
        var parts = header.optimizerSteps.indices.map { number in
            var part = OptimizerState()
            part.step = header.optimizerSteps[number]
            part.seed = fresh.rule.parts[number].seed
            part.shared.numbers = header.shared[number]
            part.slots = header.numbers[number].map { numbers in
                var slot = Slot()
                slot.numbers = numbers
                return slot
            }
            return part
        }
        try reader.addSlots(&parts, device: parameters.values.first?.device ?? .cpu)
        state.rule.parts = parts
        let template = StateTemplate(
            rule, parameters: parameters.values, assignment: fresh.rule.assignment)
        if let problem = template.fault(state.rule, parameters.values) {
            throw fault(path, "is a checkpoint of another optimizer: \(problem)", "Resume with the same arguments")
        }
        let isOrdered = header.step <= header.progress.batches && header.optimizerSteps.allSatisfy { $0 <= header.step }
        guard header.progress.isPossible, isOrdered else {
            throw fault(path, "is a damaged checkpoint", "Discard it, and start the run again")
        }
        state.progress = header.progress
        return state
    }

    private static func fault(_ path: String, _ problem: String, _ advice: String) -> InterchangeError {
        InterchangeError(path: path, problem: problem, advice: advice)
    }

    private struct Reader {
        let file: CheckpointFile<Kept>
        let path: String
        private let arrays: [String: ArrayData]

        init(_ file: CheckpointFile<Kept>, path: String) {
            (self.file, self.path) = (file, path)
            arrays = Dictionary(file.tensors.map { ($0.name, $0.array) }) { first, _ in first }
        }

        func tensor(_ name: String, like other: Tensor) throws -> Tensor {
            guard let array = arrays[name], array.shape == other.shape, DType(array.elementType) == other.dtype else {
                throw InterchangeError(
                    path: path, problem: "is a checkpoint of another network: '\(name)' does not fit",
                    advice: "Resume with the same arguments")
            }
            return Tensor(array).to(device: other.device)
        }

        func addSlots(_ states: inout [OptimizerState], device: Device) throws {
            for (name, array) in file.tensors {
                let parts = name.split(separator: ".", maxSplits: 3).map(String.init)
                let tensor = { Tensor(array).to(device: device) }
                if parts.count == 4, parts[0] == "slot", let number = Int(parts[1]), let index = Int(parts[2]),
                    states.indices.contains(number), states[number].slots.indices.contains(index)
                {
                    states[number].slots[index].tensors[parts[3]] = tensor()
                } else if parts.first == "shared", parts.count >= 3, let number = Int(parts[1]),
                    states.indices.contains(number)
                {
                    states[number].shared.tensors[parts[2...].joined(separator: ".")] = tensor()
                }
            }
        }
    }
}
