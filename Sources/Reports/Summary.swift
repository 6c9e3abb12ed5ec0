import Estimators
import Foundation

/// The result of a fit as aligned text.
package enum Summary {
    package static func text(_ report: FitReport) -> String {
        var rows: [[String]] = []
        func add(_ name: String, _ value: String?) {
            if let value { rows.append([name, value]) }
        }
        add("test accuracy", report.testAccuracy.map(Format.percent))
        add("validation accuracy", report.validationAccuracy.map(Format.percent))
        add("train accuracy", report.trainAccuracy.map(Format.percent))
        add("test R²", report.testR2.map(Format.number))
        add("validation R²", report.validationR2.map(Format.number))
        add("train R²", report.trainR2.map(Format.number))
        add("objective", Format.number(report.objective))
        add("dual bound", report.dualBound.map(Format.number) ?? "none")
        add("relative gap", report.relativeGap.map(Format.percent) ?? "none")
        add("certificate", report.certificate)
        add("hidden units", "\(report.neurons)")
        add("penalty", "\(Format.number(report.penalty)) (\(report.penaltyChoice))")
        add("termination", report.termination)
        add("", report.advice)
        add("iterations", "\(report.iterations) ADMM, \(report.pcgIterations) conjugate-gradient")
        add("seconds", Format.number(report.seconds))
        add("peak memory", Format.bytes(report.peakMemoryBytes))
        let width = rows.map { $0[0].count }.max() ?? 0
        return rows.map { row in
            row[0].padding(toLength: width, withPad: " ", startingAt: 0) + "  " + row[1]
        }.joined(separator: "\n")
    }
}
