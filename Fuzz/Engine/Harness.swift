import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Networks
import Optimizers
import Programs
import Proximal
import RunLog
import Settings
import Structure
import Torch
import Yams

@testable import DescentCommands
@testable import Estimators
@testable import Training

/// What is done with an input: it may be refused, but neither end the process nor take all of its memory.
enum Harness {
    static let all: [String: @Sendable ([UInt8]) -> Void] = [
        "program": program, "network": network, "model": model, "checkpoint": checkpoint,
        "fit_checkpoint": fitCheckpoint, "yaml": yaml,
    ]

    private static let path = "input"

    /// Ends the process, which the fuzzer counts as a finding, unless `condition` holds.
    private static func check(_ condition: Bool, _ message: @autoclosure () -> String) {
        if !condition { fatalError(message()) }
    }

    /// Reads a program, writes it, reads it again to the same, and runs it.
    private static func program(_ bytes: [UInt8]) {
        guard let program = try? JSONDecoder().decode(Program.self, from: Data(bytes)) else { return }
        guard let written = try? JSONEncoder().encode(program),
            let again = try? JSONDecoder().decode(Program.self, from: written)
        else { fatalError("what was read cannot be written and read again") }
        check(again == program, "the program changed")
        guard Network.storedCount(of: program) < 100_000 else { return }
        for width in [5, 7, 10, 12, 32] {
            let (network, x) = (Network(program, dtype: .float64), Tensor.full([2, width], 0.5, dtype: .float64))
            guard let output = try? network.output(x), output.isFinite, output.count > 0,
                let smaller = try? Shrinking(network, input: .features(width))
            else { continue }
            guard let found = try? smaller.network.output(x) else { fatalError("what was cut does not run") }
            let difference = (found - output).absolute().max().scalar
            check(difference <= 1e-6 * max(1, output.absolute().max().scalar), "outputs moved by \(difference)")
        }
    }

    /// A file of a valid one's tensors, one of which the first bytes change, with the rest of the bytes as metadata.
    private static func file(_ bytes: [UInt8], _ seed: SafeTensorsFile, key: String) -> SafeTensorsFile {
        var copy = seed
        let (change, place) = (bytes.first ?? 0, Int(bytes.dropFirst().first ?? 0))
        if !copy.tensors.isEmpty {
            let index = place % copy.tensors.count
            let array = copy.tensors[index].array
            let width = array.elementType.byteCount
            switch change % 16 {
            case 1: copy.tensors.remove(at: index)
            case 2: copy.tensors[index].array = ArrayData(elementType: array.elementType, shape: [0], bytes: [])
            case 3:
                copy.tensors[index].array = ArrayData(
                    elementType: array.elementType, shape: [1], bytes: Array(array.bytes.prefix(width)))
            case 4: copy.tensors[index].array = ArrayData(array.integers(), shape: array.shape)
            case 5:
                copy.tensors[index].array.bytes = array.bytes.map { _ in 0xFF }
            case 6: copy.tensors[index].array = ArrayData(array.doubles(), shape: array.shape)
            case 7: copy.tensors[index].array.shape = Array(array.shape.reversed())
            case 8: copy.tensors.append(("more.\(place)", array))
            default: break
            }
        }
        copy.metadata[key] = String(decoding: bytes.dropFirst(2), as: UTF8.self)
        return copy
    }

    private static func network(_ bytes: [UInt8]) {
        let seed = Seeds.networks[Int(bytes.first ?? 0) / 16 % Seeds.networks.count]
        guard let made = try? NetworkModel.load(file(bytes, seed, key: ModelFile.key), path: path) else {
            return
        }
        guard made.inputColumns < 10_000 else { return }
        _ = try? made.outputs(Tensor.full([3, made.inputColumns], 0.5))
    }

    private static func model(_ bytes: [UInt8]) {
        let seed = Seeds.models[Int(bytes.first ?? 0) / 16 % Seeds.models.count]
        guard let made = try? ConvexModel.load(file(bytes, seed, key: "descent"), path: path) else { return }
        guard made.inputColumns < 10_000 else { return }
        _ = try? made.outputs(Tensor.full([3, made.inputColumns], 0.5))
    }

    private static func checkpoint(_ bytes: [UInt8]) {
        let run = Seeds.training
        let sealed = file(bytes, run.file, key: "descent.checkpoint").sealed()
        guard
            var state = try? StateFile.read(
                sealed, path: path, into: run.fresh, rule: run.rule, identity: run.identity, dataHash: run.dataHash)
        else { return }
        var parameters = state.network.parameters.values
        _ = try? run.rule.step(&parameters, state: &state.rule, rate: { $0 }) { point in
            (1, point.map { $0 * 0.1 })
        }
    }

    private static func fitCheckpoint(_ bytes: [UInt8]) {
        let run = Seeds.fit
        let sealed = file(bytes, run.file, key: "descent.checkpoint").sealed()
        guard
            let found = try? ConvexState.read(
                sealed, path: path, identity: "seed", dataHash: "", device: .cpu)
        else { return }
        var settings = run.settings
        settings.maxIterations = min(found.fit.state.iteration, 1 << 40) + 1
        _ = try? ConvexFit(settings: settings, loss: SquaredLoss())
            .run(x: run.x, y: run.y, resume: found.fit, watch: Stopwatch()) { _ in .stop }
    }

    private static func yaml(_ bytes: [UInt8]) {
        guard let tree = try? ExperimentFile.tree(bytes, path: path),
            let experiment = try? Experiment(tree, path: path)
        else { return }
        for method in experiment.methods where method.fit == nil {
            _ = try? experiment.settings(method, rate: nil, strength: nil, seed: 0)
        }
        check(!experiment.folderName.contains("/") && !experiment.folderName.isEmpty, experiment.folderName)
    }
}
