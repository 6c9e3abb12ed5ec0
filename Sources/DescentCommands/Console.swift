import Datasets
import Foundation
import Reports
import RunLog
import Torch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes to standard error: chatter never mixes with results on standard output.
enum Console {
    static let isTerminal = isatty(STDERR_FILENO) != 0

    static func note(_ text: String) { raw(clean(text) + "\n") }

    /// The text without what a terminal would obey: names in files may hold escape sequences.
    static func clean(_ text: String) -> String {
        func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x09, 0x0A: true
            case ..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
        guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmless($0) ? $0 : "\u{FFFD}" }))
    }

    /// Says what the data are, and what was decided while they were read.
    static func describe(_ loaded: LoadedData) {
        let train = loaded.train
        let kind =
            loaded.task == .classification
            ? "\(train.classNames.count) classes" : "\(train.targetNames.count) target(s)"
        let test = loaded.test.map { ", \($0.count) test rows" } ?? ""
        note("\(train.name): \(train.count) rows, \(train.features.shape[1]) columns, \(kind)\(test)")
        for notice in train.notices { note("note: \(notice)") }
    }

    /// Writes to standard output, and fails where it takes no more; a reader that has gone ends the program quietly.
    static func result(_ text: String) throws {
        let shown = isatty(STDOUT_FILENO) != 0 ? clean(text) : text
        let code = write(shown, to: STDOUT_FILENO)
        if code == EPIPE { exit(141) }
        guard code == 0 else {
            throw DataError(
                subject: "standard output", problem: "it cannot be written (\(String(cString: strerror(code))))",
                advice: "Check the disk, or give --out")
        }
    }

    /// Writes a line to standard output, without what a terminal would obey.
    static func line(_ text: String) throws { try result(clean(text) + "\n") }

    /// Writes to standard error as it is. A run must not end because nobody listens: what cannot be said is left unsaid.
    static func raw(_ text: String) { _ = write(text, to: STDERR_FILENO) }

    /// Writes all of a text; 0 or an error number.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let wrote = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + done, bytes.count - done)
            }
            if wrote < 0, errno == EINTR { continue }
            if wrote < 0 { return errno }
            done += wrote
        }
        return 0
    }

    /// Lets writes to closed pipes and past the limit of a file's size fail, instead of ending the program.
    static func outliveReaders() {
        // A closed descriptor's number would be given to the next file that is opened, and messages end up in it.
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // Results that nobody can read are an error: their descriptor takes no writes.
            _ = open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
        }
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
            signal(SIGXFSZ, SIG_IGN)
        #endif
        // Help texts are printed by the argument parser.
        atexit {
            guard fflush(nil) != 0 else { return }
            let wasClosed = errno == EPIPE
            if !wasClosed { Console.note("descent: standard output: it cannot be written. Check the disk.") }
            _exit(wasClosed ? 141 : 1)
        }
    }
}

/// Renders progress: one line that is rewritten on a terminal, one line every few seconds elsewhere.
final class ProgressRenderer {
    private let isQuiet: Bool
    private let isTerminal: Bool
    private let scoreName: String
    private var lastLine = Date.distantPast
    private var phaseStart: (phase: String, seconds: Double) = ("", 0)
    private var hasOpenLine = false

    init(isQuiet: Bool, isTerminal: Bool = Console.isTerminal, scoreName: String = "accuracy") {
        self.isQuiet = isQuiet
        self.isTerminal = isTerminal
        self.scoreName = scoreName
    }

    func show(_ progress: RunProgress) {
        guard !isQuiet else { return }
        let isNewPhase = progress.phase != phaseStart.phase
        if isNewPhase { phaseStart = (progress.phase, progress.seconds) }
        let interval = isTerminal ? 0.1 : 3.0
        let isDone = progress.iteration >= progress.limit
        guard isNewPhase || isDone || Date().timeIntervalSince(lastLine) >= interval else { return }
        lastLine = Date()
        let text = line(progress)
        if isTerminal {
            Console.raw("\r\u{1B}[2K" + text)
            hasOpenLine = true
        } else {
            Console.note(text)
        }
    }

    func finish() {
        if hasOpenLine { Console.raw("\n") }
        hasOpenLine = false
    }

    private func line(_ progress: RunProgress) -> String {
        let share = min(1, Double(progress.iteration) / Double(max(1, progress.limit)))
        var parts = [String(format: "%-8@", progress.phase as NSString)]
        if isTerminal {
            let filled = Int((share * 20).rounded(.down))
            parts.append("[" + String(repeating: "█", count: filled) + String(repeating: "·", count: 20 - filled) + "]")
        }
        parts.append("\(progress.iteration)/\(progress.limit)")
        if let objective = progress.objective { parts.append("objective " + Format.number(objective)) }
        if let gap = progress.relativeGap { parts.append("gap " + Format.percent(gap)) }
        if let score = progress.validationScore { parts.append("validation \(scoreName) " + Format.percent(score)) }
        if let score = progress.testScore { parts.append("test \(scoreName) " + Format.percent(score)) }
        parts.append(String(format: "%.1f s", progress.seconds))
        let inPhase = progress.seconds - phaseStart.seconds
        if share > 0.02, share < 1, inPhase > 1 {
            // An upper estimate: the tolerance usually ends the solve before the iteration limit.
            parts.append("at most " + Format.duration(inPhase / share * (1 - share)) + " left")
        }
        return parts.joined(separator: "  ")
    }
}

/// Remembers that Ctrl-C, a termination signal or the end of the terminal came; the run stops at its next check and writes a checkpoint.
enum Interruption {
    nonisolated(unsafe) private static var count: sig_atomic_t = 0

    static var isRequested: Bool { count > 0 }

    static func install() {
        let handler: @convention(c) (Int32) -> Void = { _ in
            Interruption.count += 1
            // A second signal means now.
            if Interruption.count > 1 { _exit(130) }
        }
        // A parent may have started this process with signals blocked.
        var wanted = sigset_t()
        sigemptyset(&wanted)
        sigaddset(&wanted, SIGINT)
        sigaddset(&wanted, SIGTERM)
        sigaddset(&wanted, SIGHUP)
        sigprocmask(SIG_UNBLOCK, &wanted, nil)
        signal(SIGINT, handler)
        signal(SIGTERM, handler)
        // A closed terminal, of which the shell and the kernel may both tell; nohup asks to outlive it.
        let before = signal(SIGHUP) { _ in Interruption.count = max(1, Interruption.count) }
        if unsafeBitCast(before, to: Int.self) == 1 { signal(SIGHUP, SIG_IGN) }
    }
}
