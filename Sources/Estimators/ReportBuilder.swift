import ConvexNetworks
import Datasets
import Foundation
import Proximal
import Settings
import RunLog
import Torch

/// Collects the numbers of a run into its report.
struct ReportBuilder {
    var report: FitReport
    private let task: PredictionTask

    init(
        options: FitOptions, data: LoadedData, dataHash: String, rows: Int, model: ConvexModel, result: FitResult,
        loss: any Loss,
        dtype: DType
    ) {
        task = data.task
        let solution = result.solution
        let certificate = solution.certificate
        let trainer = ConvexTrainer(options: options)
        let columns = model.inputColumns
        report = FitReport(
            task: data.task, formulation: options.convex.formulation, loss: loss.text,
            penalty: result.penalty, penaltyChoice: "", neurons: model.network.units, patterns: result.patternCount,
            patternSource: Self.sourceName(options), bias: options.hasBias,
            standardisation: model.standardiser.method.rawValue, rows: rows, columns: columns,
            outputs: model.network.outputs, objective: certificate.objective,
            dualBound: certificate.dualBound.isFinite ? certificate.dualBound : nil,
            relativeGap: certificate.relativeGap, networkBeatsProgram: certificate.networkBeatsProgram,
            certificate: certificate.statement, convexObjective: solution.convexObjective,
            coneViolation: solution.violation, initialObjective: result.initialObjective, pricing: result.pricing,
            iterations: solution.iterations, pcgIterations: solution.innerIterations,
            linearSolver: solution.linearSolver.rawValue, gemmFlops: solution.flops, seconds: 0, secondsByPhase: [:],
            peakMemoryBytes: 0,
            estimatedBytes: Int(min(1e18, trainer.estimatedBytes(data))),
            termination: solution.termination.rawValue,
            advice: solution.termination.explanation + (solution.termination.advice.isEmpty ? "" : " ")
                + solution.termination.advice,
            seed: options.convex.seed, dtype: "\(dtype)", device: "\(options.device)",
            threads: Runtime.threads, dataHash: dataHash, torch: Runtime.version, notices: [], path: [],
            history: [])
    }

    private static func sourceName(_ options: FitOptions) -> String {
        switch options.patterns {
        case .network: "network"
        case .sampled: "sampled"
        case .grow: "grow"
        case .source(let source): source.name
        }
    }

    mutating func fillScores(
        train: Double, held: Double?, test: Double?, initial: (train: Double, test: Double?)?
    ) {
        switch task {
        case .classification:
            (report.trainAccuracy, report.validationAccuracy, report.testAccuracy) = (train, held, test)
            (report.initialTrainAccuracy, report.initialTestAccuracy) = (initial?.train, initial?.test)
        case .regression:
            (report.trainR2, report.validationR2, report.testR2) = (train, held, test)
        }
    }

    mutating func fillRun(
        watch: Stopwatch, notices: [String], history: [HistoryPoint], path: [PathPoint], choice: String
    ) {
        report.seconds = watch.seconds
        report.secondsByPhase = watch.phases
        report.notices = notices
        report.history = history
        report.path = path
        report.penaltyChoice = choice
        report.peakMemoryBytes = PeakMemory.bytes
    }
}

/// The process's largest resident size.
public enum PeakMemory {
    /// In bytes; 0 where the system does not tell.
    public static var bytes: Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kibibytes * 1024
    }
}
