import ConvexNetworks
import Datasets
import Foundation
import Interchange
import Proximal
import RunLog
import TestSupport
import Testing
import Torch

@testable import Estimators

@Suite("What a fit says of itself is true", .serialized)
struct SoundnessTests {
    private func scaled(_ exponent: Int, seed: UInt64 = 40) -> (data: LoadedData, unit: Double) {
        let unit = pow(10, Double(exponent))
        let problem = Problem(rows: 80, seed: seed)
        var data = problem.data(.regression)
        data.train.targets = (problem.targets - 100) * (unit / 20)
        return (data, unit)
    }

    @Test(
        "Targets of any scale give the same fit in their own units, and so does the saved model",
        arguments: [-300, -160, -40, -13, 0, 13, 40, 160, 300])
    func scales(exponent: Int) throws {
        let reference = try trained(.small(), scaled(0).data)
        let (data, unit) = scaled(exponent)
        let (model, report) = try trained(.small(), data)
        #expect(abs(try #require(report.trainR2) - (try #require(reference.report.trainR2))) < 1e-6)
        #expect(report.termination == reference.report.termination)
        let scratch = try Scratch()
        try model.save(to: scratch.path("m"))
        let outputs = try ConvexModel.load(scratch.path("m")).outputs(data.train.features).doubles().map { $0 / unit }
        let known = try reference.model.outputs(data.train.features).doubles()
        #expect(zip(outputs, known).allSatisfy { abs($0 - $1) < 1e-3 })
        let (score, wanted) = (try model.score(data.train), try reference.model.score(scaled(0).data.train))
        #expect(abs(score - wanted) < 1e-5, "\(score) \(wanted)")
    }

    @Test("Features of any scale are standardised alike", arguments: [-300, -170, 150, 300])
    func features(exponent: Int) throws {
        let unit = pow(10, Double(exponent))
        let problem = Problem(rows: 80, seed: 41)
        var data = problem.data(.regression)
        let reference = try trained(.small(), data).report
        data.train.features = problem.features * unit
        let report = try trained(.small(), data).report
        #expect(abs(report.objective - reference.objective) < 1e-4 * reference.objective)
    }

    @Test(
        "A target that varies by little beside its size is scored by what was predicted",
        arguments: [1e9, 1.7e12, 1e14])
    func offsets(offset: Double) throws {
        let problem = Problem(rows: 80, seed: 47)
        var data = problem.data(.regression)
        let reference = try trained(.small(), data)
        data.train.targets = problem.targets + offset
        let (model, report) = try trained(.small(), data)
        // The offset takes digits from the target: 2⁻⁶ at 1e14.
        #expect(abs(try #require(report.trainR2) - (try #require(reference.report.trainR2))) < 1e-3)
        #expect(abs(try model.score(data.train) - (try #require(report.trainR2))) < 1e-6)
        let mean = Tensor.full([80, 1], 100 + offset, dtype: .float64)
        #expect(Scoring.determination(mean, data.train.targets!) < 0.9)
    }

    @Test("Numbers whose squares the type does not hold are refused, large or small")
    func underflow() throws {
        for (exponent, precision) in [(-20, DType.float32), (-200, .float64), (30, .float32)] {
            var options = FitOptions.small()
            (options.standardisation, options.precision) = (Standardisation.none, precision)
            let unit = pow(10, Double(exponent))
            let problem = Problem(rows: 60, seed: 48)
            var targets = problem.data(.regression)
            targets.train.targets = problem.targets * unit
            #expect(fault { _ = try trained(options, targets) }.contains("targets are too"))
            var columns = problem.data(.regression)
            columns.train.features = problem.features * unit
            #expect(fault { _ = try trained(options, columns) }.contains("columns are too"))
        }
    }

    @Test("A constant target is fitted by its value, and is scored so")
    func constant() throws {
        for value in [0, 3e-20, 0.1, 1.7e9, -4e200] {
            let problem = Problem(rows: 40, seed: 42)
            var data = problem.data(.regression)
            data.train.targets = Tensor([Double](repeating: value, count: 40), shape: [40, 1])
            let outputs = try trained(.small(), data).model.outputs(data.train.features).doubles()
            #expect(outputs.allSatisfy { abs($0 - value) <= 1e-6 * abs(value) }, "\(value)")
        }
    }

    @Test("Without standardisation objectives are in the units of the targets")
    func units() throws {
        let problem = Problem(rows: 60, seed: 43)
        let data = problem.data(.regression)
        var options = FitOptions.small(penalty: 5)
        options.standardisation = Standardisation.none
        let (model, report) = try trained(options, data)
        #expect(model.preparation.targetMean == [0] && model.preparation.targetScale == [1])
        let outputs = try model.outputs(data.train.features)
        let loss = (outputs - problem.targets).squareSum / 2
        let known = loss + 5 * model.network.groupNorms().reduce(0, +)
        #expect(abs(report.objective - known) < 1e-3 * known)
        var huge = data
        huge.train.targets = problem.targets * 1e155
        #expect(fault { _ = try trained(options, huge) }.contains("too large"))
    }

    @Test("A gap is a share of the objective, however small the user's units are", arguments: [0, -6, -8, -10, -14])
    func smallUnits(exponent: Int) throws {
        let unit = pow(10, Double(exponent))
        let problem = Problem(rows: 60, seed: 51)
        var data = problem.data(.regression)
        data.train.targets = (problem.targets - 100) * unit
        var options = FitOptions.small(penalty: 0.5 * unit)
        options.standardisation = Standardisation.none
        options.precision = .float64
        let report = try trained(options, data).report
        let (gap, bound) = (try #require(report.relativeGap), try #require(report.dualBound))
        #expect(abs(gap - (report.objective - bound) / report.objective) < 1e-9)
        // The same problem in other units has the same optimum in those.
        var plain = data
        plain.train.targets = problem.targets - 100
        options.penalty = .fixed(0.5)
        options.convex.maxIterations = 3000
        let optimum = try trained(options, plain).report.objective * unit * unit
        #expect(report.objective * (1 - gap) <= optimum * (1 + 1e-6))
    }

    @Test("Weights and columns that a model's single precision does not hold are refused")
    func singlePrecision() throws {
        for (exponent, what) in [(40, "too large"), (-90, "do not fit")] {
            var options = FitOptions.small(penalty: 1e-3 * pow(10, Double(2 * min(0, exponent))))
            (options.standardisation, options.precision, options.hasBias) = (Standardisation.none, .float64, false)
            let problem = Problem(rows: 60, seed: 52)
            var data = problem.data(.regression)
            data.train.targets = (problem.targets - 100) * (exponent < 0 ? pow(10, Double(exponent)) : 1)
            if exponent > 0 { data.train.features = problem.features * pow(10, Double(exponent)) }
            let text = fault { _ = try trained(options, data) }
            #expect(text.contains(what), "\(exponent): \(text)")
        }
    }

    @Test("Numbers that leave the range certify nothing", arguments: [1e39, 1e150, 1e308])
    func certificates(rho: Double) throws {
        for precision in [DType.float32, .float64] {
            var options = FitOptions.small()
            (options.convex.admm.rho, options.convex.admm.scalesRho) = (rho, false)
            options.precision = precision
            let data = Problem(rows: 60, seed: 44).data(.regression)
            let report: FitReport
            do {
                report = try trained(options, data).report
            } catch {
                // What cannot be saved is not reported.
                #expect("\(error)".contains("single precision"))
                continue
            }
            var plain = FitOptions.small()
            plain.convex.maxIterations = 3000
            let optimum = try trained(plain, data).report
            // What is stated must hold: the bound lies below the optimum's objective.
            if let bound = report.dualBound { #expect(bound <= optimum.objective * (1 + 1e-6)) }
            if report.certificate.contains("within") {
                let gap = try #require(report.relativeGap)
                #expect(report.objective * (1 - gap) <= optimum.objective * (1 + 1e-6))
            }
            #expect(report.objective.isFinite)
        }
    }

    @Test("A fit that no machine has memory for is refused before it begins")
    func memory() throws {
        for patterns in [FitOptions.Patterns.sampled(1_000_000_000), .sampled(.max / 4), .network] {
            var options = FitOptions.small(patterns)
            options.neurons = 1_000_000_000
            let data = Problem(seed: 45).data(.classification)
            #expect(fault { _ = try trained(options, data) }.contains("memory"))
        }
    }

    @Test("Columns that stay in a file need not fit in memory")
    func mapped() throws {
        let scratch = try Scratch()
        let (path, rows) = (scratch.path("wide"), 20)
        let columns = Int(ProcessInfo.processInfo.physicalMemory) / rows
        // Four times the memory, and nothing of it on the disk.
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        #expect(truncate(path, off_t(4 * rows * columns)) == 0)
        var data = Problem(rows: rows, seed: 49).data(.regression)
        data.train.features = try Tensor(mapping: path, offset: 0, shape: [rows, columns], dtype: .float32)
        #expect(ConvexTrainer(options: .small()).memoryFault(data) == nil)
        #expect(ConvexTrainer(options: .small(.sampled(1 << 40))).memoryFault(data) != nil)
    }

    @Test("A penalty that opens no pattern gives the network of zeros, in every formulation and sharing")
    func closed() throws {
        for formulation in [Formulation.relu, .gated] {
            for sharing in OutputSharing.allCases {
                var options = FitOptions.small(.network, penalty: 1e300)
                (options.neurons, options.convex.formulation, options.convex.sharing) = (8, formulation, sharing)
                let data = Problem(rows: 60, seed: 50).data(.classification)
                let (model, report) = try trained(options, data)
                #expect(model.network.groupNorms().allSatisfy { $0 == 0 } && report.objective.isFinite)
            }
        }
    }
}

@Suite("A fit's checkpoint is data", .serialized)
struct FitCheckpointDataTests {
    /// The first checkpoint of a run, as its file holds it.
    private func written(_ options: FitOptions, _ data: LoadedData, _ path: String) throws -> SafeTensorsFile {
        _ = try trained(options, data) { event in
            guard let write = event.writeCheckpoint else { return .proceed }
            do { try write(path) } catch { Issue.record("\(error)") }
            return .stop
        }
        return try SafeTensors.read(path)
    }

    @Test("Every tensor is refused in another shape or type, and with numbers that are not finite")
    func tensors() throws {
        let data = Problem(rows: 60, seed: 46).data(.classification)
        let options = FitOptions.small(.network)
        let scratch = try Scratch()
        let path = scratch.path("state")
        let file = try written(options, data, path)
        _ = try trained(options, data, from: path) { _ in .stop }
        for (index, tensor) in file.tensors.enumerated() {
            let array = tensor.array
            let width = array.elementType.byteCount
            var others = [
                ArrayData(elementType: array.elementType, shape: [1], bytes: Array(array.bytes.prefix(width))),
                ArrayData(
                    elementType: array.elementType, shape: [array.count + 1],
                    bytes: array.bytes + array.bytes.prefix(width)),
                ArrayData(array.integers(), shape: array.shape),
            ]
            if array.elementType == .float32 || array.elementType == .float64 {
                var numbers = array.doubles()
                numbers[numbers.count / 2] = .nan
                others.append(
                    array.elementType == .float64
                        ? ArrayData(numbers, shape: array.shape)
                        : ArrayData(numbers.map(Float.init), shape: array.shape))
            }
            for other in others {
                var copy = file
                copy.tensors[index].array = other
                try SafeTensors.write(copy.sealed(), to: path)
                let text = fault {
                    _ = try trained(options, data, from: path) { _ in .stop }
                }
                #expect(text.contains("damaged"), "\(tensor.name) as \(other.elementType) \(other.shape): \(text)")
            }
        }
    }

    @Test("No number of a sealed header ends the process, whatever it is")
    func extremes() throws {
        let data = Problem(rows: 60, seed: 46).data(.classification)
        var options = FitOptions.small(.network)
        options.neurons = 8
        let scratch = try Scratch()
        let file = try written(options, data, scratch.path("state"))
        let text = try #require(file.metadata["descent.checkpoint"])
        // Behind the identity, whose every change makes another run.
        let start = try #require(text.range(of: #""state":{"#)).lowerBound
        let ranges = text.ranges(of: #/-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/#).filter { $0.lowerBound > start }
        #expect(ranges.count > 10)
        var refused = 0
        for range in ranges {
            for number in ["-1", "\(Int.max)", "\(Int.min)", "1e300"] {
                var copy = file
                copy.metadata["descent.checkpoint"] = text.replacingCharacters(in: range, with: number)
                let outcome = fault {
                    try SafeTensors.write(copy.sealed(), to: scratch.path("state"))
                    _ = try trained(options, data, from: scratch.path("state")) { _ in .stop }
                }
                refused += outcome == "no error" ? 0 : 1
            }
        }
        #expect(refused > ranges.count)
    }
}
