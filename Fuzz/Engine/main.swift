import Foundation
import Torch

/// The fuzzer's engine without its own `main`, which SwiftPM gives every executable.
@_silgen_name("LLVMFuzzerRunDriver") private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

// FUZZER names the harness; with FUZZ_SEEDS, a folder, valid inputs of all of them are written there and nothing is run.
Runtime.threads = 1
let environment = ProcessInfo.processInfo.environment
if let folder = environment["FUZZ_SEEDS"] {
    try Seeds.write(to: folder)
    exit(0)
}
guard let harness = Harness.all[environment["FUZZER"] ?? ""] else {
    FileHandle.standardError.write(Data("FUZZER: one of \(Harness.all.keys.sorted())\n".utf8))
    exit(2)
}
/// Set once, before any input.
nonisolated(unsafe) private let chosen = harness
var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
    runFuzzer(&count, &arguments) { data, size in
        chosen([UInt8](UnsafeBufferPointer(start: data, count: size)))
        return 0
    })
