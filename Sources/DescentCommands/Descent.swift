import ArgumentParser
import Foundation
import Reports
import Settings
import Torch
import Training

/// The command line as a function, for a program that has more to offer: register optimizers, architectures, penalties,
/// schedules or transformations of one's own, and every command knows them.
///
/// ```swift
/// try OptimizerCatalogue.catalogue.register(MyOptimizer.self)
/// DescentTool.main()
/// ```
public enum DescentTool {
    /// Reads the arguments of the process and runs the command; every error is one line on standard error.
    public static func main() {
        ThreadPool.useShortSpins()
        Console.outliveReaders()
        EngineFailure.install()
        DescentCommand.main()
    }
}

/// The `descent` command.
struct DescentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "descent",
        abstract: "Trains neural networks with guarantees.",
        discussion: """
            Two-layer ReLU networks are trained as convex programs: no learning rate, and a certificate that says
            how far the result is from the optimum.

              descent fit train.csv --target label        train on a table
              descent fit fashion-mnist --out runs/fm     train on images
              descent predict runs/fm new.npz             apply a model
              descent doctor                              check this machine

            Exit status: 0 done, 1 refused or failed, 2 not converged with --require-convergence, 3 diverged,
            64 misused, 130 interrupted.
            """,
        version: "descent \(Version.text)",
        subcommands: [
            FitCommand.self, TrainCommand.self, CompareCommand.self, PredictCommand.self, InspectCommand.self,
            ShrinkCommand.self,
            ListCommand.self, VerifyCommand.self, BenchCommand.self,
            DoctorCommand.self,
        ]
    )

    /// Runs the command; every error is one line on standard error.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            // Help texts and exit codes come as errors too.
            guard !(error is ExitCode), exitCode(for: error) != .success else { exit(withError: error) }
            Console.note(
                "descent: " + ErrorText.oneLine((error as? SettingError).map(ErrorText.setting) ?? message(for: error)))
            exit(withError: error is NonFiniteError ? ExitStatus.diverged : exitCode(for: error))
        }
    }
}

/// How a command ends that is neither done nor refused.
enum ExitStatus {
    /// A fit that should have converged has not.
    static let unconverged = ExitCode(2)
    /// The numbers of a run stopped being numbers.
    static let diverged = ExitCode(3)
    /// Ctrl-C, or a signal like it, and a checkpoint.
    static let interrupted = ExitCode(130)
}

/// Ends the program with one line when the engine refuses an operation, as when memory runs out.
enum EngineFailure {
    static func install() {
        Runtime.onFailure = { error in
            Console.note("descent: " + ErrorText.oneLine(error))
            exit(1)
        }
    }
}
