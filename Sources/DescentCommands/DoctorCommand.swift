import ArgumentParser
import Datasets
import Foundation
import Reports
import Settings
import Torch

/// `descent doctor`
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks this machine: versions, paths, threads, devices, data sets, and what to do about each.")

    @Option(help: ArgumentHelp("Folder that holds the named data sets.", valueName: "folder"))
    var data: String?

    mutating func run() throws {
        var problems: [String] = []
        func row(_ name: String, _ value: String) throws {
            try Console.line("\(name.padding(toLength: 16, withPad: " ", startingAt: 0))\(value)")
        }
        try row("descent", Version.text)
        try row("LibTorch", "\(Runtime.version) in \(Runtime.libraryFolder)")
        try row("CPU kernels", Runtime.cpuCapability)
        let cores = ProcessInfo.processInfo.activeProcessorCount
        try row("threads", "\(Runtime.threads) of \(cores) cores")
        if Runtime.threads < cores {
            problems.append(
                "Only \(Runtime.threads) of \(cores) cores are used: unset OMP_NUM_THREADS, or give --threads \(cores)."
            )
        }
        try row("memory", Format.bytes(Int(ProcessInfo.processInfo.physicalMemory)))
        try row("CUDA devices", "\(Runtime.cudaDeviceCount)")
        if Runtime.cudaDeviceCount == 0, FileManager.default.fileExists(atPath: "/dev/nvidia0") {
            problems.append(
                "A GPU is there, but this LibTorch has no CUDA: build with LIBTORCH set to a CUDA LibTorch.")
        }
        try row("self-test", selfTest(&problems))
        for type in DatasetCatalogue.all.compactMap({ $0 as? any ImageFileDataset.Type }) {
            if let path = type.init().found(in: data) {
                try row(type.name, path)
            } else {
                try row(type.name, "not found")
                problems.append("Data set \(type.name): \(type.remedy), or give --data FOLDER or DESCENT_DATA.")
            }
        }
        try Console.line(problems.isEmpty ? "\nEverything is in place." : "\nTo do:")
        for problem in problems { try Console.line("  - \(problem)") }
    }

    /// A product and a factorisation with known results, so that a broken engine shows here and not in a model.
    private func selfTest(_ problems: inout [String]) -> String {
        let a = Tensor([4.0, 2.0, 2.0, 3.0], shape: [2, 2])
        let factor = (try? a.cholesky())?.doubles() ?? []
        let expected = [2.0, 0.0, 1.0, 2.0.squareRoot()]
        let isGood = factor.count == 4 && zip(factor, expected).allSatisfy { abs($0 - $1) < 1e-12 }
        if !isGood { problems.append("LibTorch gives wrong numbers: run scripts/bootstrap again.") }
        return isGood ? "passed" : "failed"
    }
}
