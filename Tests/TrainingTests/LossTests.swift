import Datasets
import Networks
import Proximal
import Settings
import TestSupport
import Testing
import Torch

@testable import Training

/// The mean of log cosh: squares near 0, absolute values far away.
private struct LogCosh: TrainingLoss {
    static let name = "log_cosh"
    static let summary = "for a test"
    static let citation = "none"
    static let settings: [Setting<Self>] = []

    func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor {
        let d = outputs - targets.reshaped(outputs.shape)
        return (d.absolute() + (-2.0 * d.absolute()).exp().log1p()).mean() - 0.6931471805599453
    }
}

@Suite("Losses by name")
struct LossTests {
    @Test("A setting of a loss counts, is kept in report and file, and a synonym is the same loss")
    func settings() throws {
        let data = try made("teacher")
        var settings = TrainingSettings.small(epochs: 2)
        func run(_ loss: NamedSettings) throws -> (model: NetworkModel, report: TrainingReport) {
            settings.loss = loss
            return try trained(settings, data)
        }
        let one = try run(NamedSettings("huber"))
        let small = try run(NamedSettings("huber", settings: ["delta": .number(0.1)]))
        #expect(one.report.loss == "huber" && small.report.loss == "huber(delta=0.1)")
        #expect(one.model.network.parameters.bits != small.model.network.parameters.bits)
        // A difference beyond which nothing lies makes half the squares.
        let squares = try run(NamedSettings("huber", settings: ["delta": .number(1e6)]))
        let mean = try run(NamedSettings("mse"))
        #expect(abs(squares.report.trainLoss! * 2 - mean.report.trainLoss!) < 0.1 * mean.report.trainLoss!)
        #expect(try run(NamedSettings("squared")).model.network.parameters.bits == mean.model.network.parameters.bits)
        #expect(fault { _ = try run(NamedSettings("huber", settings: ["delta": .number(0)])) }.contains("a number > 0"))
        #expect(fault { _ = try run(NamedSettings("hubert")) }.contains("did you mean 'huber'?"))
        #expect(fault { _ = try run(NamedSettings("bce")) }.contains("is for classes"))
    }

    @Test("A loss of one's own is known once it is registered")
    func own() throws {
        let data = try made("teacher")
        var settings = TrainingSettings.small(epochs: 20)
        settings.loss = NamedSettings("log_cosh")
        #expect(fault { _ = try trained(settings, data) }.contains("is no loss"))
        try TrainingLossCatalogue.catalogue.register(LogCosh.self)
        let report = try trained(settings, data).report
        #expect(report.loss == "log_cosh" && report.testScore ?? 0 > 0.8)
        settings.head = ConvexHead()
        #expect(fault { _ = try trained(settings, data) }.contains("'log_cosh' has no convex solver"))
    }

    @Test("A convex head has the loss of the network, its settings too")
    func head() throws {
        let data = try made("teacher")
        var settings = TrainingSettings.small(epochs: 1)
        settings.head = ConvexHead()
        (settings.head!.units, settings.head!.iterations) = (8, 30)
        settings.loss = NamedSettings("huber", settings: ["delta": .number(0.2)])
        let (model, report) = try trained(settings, data)
        let problem = try SupervisedProblem(data, loss: TrainingLossCatalogue.make(settings.loss!))
        let outputs = model.network(try problem.train.x.all())
        let value = HuberLoss(delta: 0.2).value(outputs, problem.train.y) / Double(problem.train.count)
        #expect(abs(value - report.trainLoss!) < 1e-4 * value)
        settings.loss = NamedSettings("cross_entropy", settings: ["smoothing": .number(0.1)])
        #expect(
            fault { _ = try trained(settings, try made("spirals")) }.contains("with smoothing has no convex solver"))
    }

    @Test("The names of either command are names of both")
    func vocabulary() throws {
        for (convex, training) in [
            ("squared", "mse"), ("softmax", "cross_entropy"), ("logistic", "bce"), ("huber", "huber"),
        ] {
            let found = try #require(LossCatalogue.named(training))
            #expect(type(of: found).name == convex)
            let made = try TrainingLossCatalogue.make(NamedSettings(convex))
            #expect(type(of: made).name == training && type(of: made).convexName == convex)
        }
        #expect(LossCatalogue.named("l1") == nil)
    }
}
