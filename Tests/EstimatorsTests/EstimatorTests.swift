import ConvexNetworks
import Datasets
import Proximal
import RunLog
import TestSupport
import Testing
import Torch

@testable import Estimators

@Suite("Classifiers and regressors")
struct EstimatorTests {
    @Test("A classifier learns what no linear model can, and holds on new rows", arguments: [Formulation.relu, .gated])
    func classifier(formulation: Formulation) throws {
        var options = FitOptions.small(.sampled(40))
        options.convex.formulation = formulation
        let (train, test) = (Problem(seed: 1), Problem(seed: 2))
        let fitted = try Engine.exclusively {
            try ConvexClassifier(options: options).fit(train.features, train.labels, classNames: ["a", "b", "c"])
        }
        #expect(fitted.report.trainAccuracy ?? 0 > 0.93)
        #expect(try Scoring.accuracy(fitted.model.outputs(test.features), test.labels) > 0.8)
        // The class of a row is where its largest output is.
        let outputs = try fitted.outputs(train.features)
        let best = (0..<outputs.shape[0]).map { row in
            let scores = outputs[row].doubles()
            return scores.firstIndex(of: scores.max()!)!
        }
        #expect(try fitted.predict(train.features) == best)
        #expect(fitted.model.classNames == ["a", "b", "c"])
    }

    @Test("A fit from arrays tells of its progress, can be stopped, and scores test rows that nothing is chosen by")
    func observed() throws {
        let (train, test) = (Problem(seed: 1), Problem(seed: 2))
        var phases: Set<String> = []
        let estimator = ConvexClassifier(options: .small(.sampled(40)))
        let fitted = try Engine.exclusively {
            try estimator.fit(train.features, train.labels, test: (test.features, test.labels)) { event in
                phases.insert(event.progress.phase)
                return .proceed
            }
        }
        #expect(phases.contains("solve"))
        #expect(fitted.report.testAccuracy == Scoring.accuracy(try fitted.outputs(test.features), test.labels))
        let alone = try Engine.exclusively { try estimator.fit(train.features, train.labels) }
        #expect(alone.report.objective == fitted.report.objective && alone.report.testAccuracy == nil)
        let cut = try Engine.exclusively { try estimator.fit(train.features, train.labels) { _ in .stop } }
        #expect(cut.report.termination == "cancelled")
    }

    @Test("Arrays that do not go together are refused by what is wrong with them")
    func arrays() {
        let x = Tensor.zeros([4, 2])
        func fault(_ body: () throws -> LoadedData) -> String {
            do { return "\(try body().task)" } catch { return "\(error)" }
        }
        #expect(fault { try LoadedData(x, classes: [0, 1, 0, 1]) } == "classification")
        #expect(fault { try LoadedData(x, classes: [0, 1]) }.contains("[4, 2] do not go with 2 labels"))
        #expect(fault { try LoadedData(x, classes: [0, 0, 0, 0]) }.contains("fewer than two classes"))
        #expect(fault { try LoadedData(x, classes: [0, -1, 0, 1]) }.contains("negative"))
        #expect(fault { try LoadedData(x, classes: [0, 1, 0, 1], classNames: ["a"]) }.contains("1 names"))
        #expect(fault { try LoadedData(x, classes: [0, 1, 0, 1], test: (x, [0])) }.contains("do not go with 1"))
        #expect(fault { try LoadedData(x + .nan, classes: [0, 1, 0, 1]) }.contains("NaN"))
        #expect(fault { try LoadedData(x, targets: Tensor.zeros([4])) } == "regression")
        #expect(fault { try LoadedData(x, targets: Tensor.zeros([3, 1])) }.contains("do not go with targets [3, 1]"))
        #expect(fault { try LoadedData(x, targets: Tensor.full([4], .nan)) }.contains("targets: they hold NaN"))
        let other = Tensor.zeros([4, 2])
        #expect(fault { try LoadedData(x, targets: Tensor.zeros([4]), test: (x, other)) }.contains("another number"))
    }

    @Test("Two classes need one output, and its sign decides")
    func binary() throws {
        let problem = Problem(seed: 3)
        let fitted = try Engine.exclusively {
            try ConvexClassifier(options: .small()).fit(problem.features, problem.isHigh)
        }
        let outputs = try fitted.model.outputs(problem.features)
        #expect(outputs.shape == [120, 1])
        #expect(fitted.report.loss == "logistic")
        #expect(try fitted.predict(problem.features) == outputs.doubles().map { $0 > 0 ? 1 : 0 })
        #expect(fitted.report.trainAccuracy ?? 0 > 0.93)
    }

    @Test("A regressor predicts in the units of its targets, with one column or more")
    func regressor() throws {
        let (train, test) = (Problem(seed: 4), Problem(seed: 5))
        let pair = { (problem: Problem) in
            Tensor.concatenate([problem.targets, problem.targets * -0.01 + 7], dimension: 1)
        }
        let fitted = try Engine.exclusively {
            try ConvexRegressor(options: .small(.sampled(40), penalty: 0.02)).fit(train.features, pair(train))
        }
        #expect(fitted.report.trainR2 ?? 0 > 0.97)
        let outputs = try fitted.model.outputs(test.features)
        #expect(Scoring.determination(outputs, pair(test)) > 0.93)
        #expect(abs(outputs.columns(0..<1).mean(0).scalar - test.targets.mean(0).scalar) < 2)
    }

    @Test(
        "Every source of patterns lowers the objective to near its bound, or beats the program",
        arguments: [FitOptions.Patterns.sampled(20), .network, .grow], Formulation.allCases)
    func certificates(patterns: FitOptions.Patterns, formulation: Formulation) throws {
        var options = FitOptions.small(patterns, penalty: 0.5)
        options.convex.formulation = formulation
        options.convex.maxIterations = 1500
        options.neurons = 16
        let report = try trained(options, Problem(rows: 60, seed: 6).data(.classification)).report
        let gap = try #require(report.relativeGap)
        #expect(gap >= -1e-6 || report.networkBeatsProgram)
        #expect(abs(gap) < 0.05)
        #expect(report.seconds >= report.secondsByPhase.values.reduce(0, +))
        if let initial = report.initialObjective { #expect(report.objective <= initial) }
    }

    @Test("Network and program agree where the cones hold", arguments: ["softmax", "squared", "huber"])
    func agreement(loss: String) throws {
        var options = FitOptions.small(penalty: 1)
        options.loss = LossCatalogue.named(loss)
        options.precision = .float64
        options.convex.tolerance = 1e-5
        options.convex.maxIterations = 2000
        let report = try trained(options, Problem(rows: 60, seed: 7).data(.classification)).report
        #expect(try #require(report.coneViolation) < 1e-3)
        #expect(abs(report.objective - report.convexObjective) < 5e-3 * report.objective)
        let programScore = try #require(report.convexTrainScore)
        let networkScore = try #require(report.trainAccuracy)
        #expect(abs(programScore - networkScore) < 0.03)
    }

    @Test("Only the rows that train set the standardisation, and rows held out count as such")
    func standardisation() throws {
        let problem = Problem(seed: 8)
        var options = FitOptions.small()
        options.validation = 0.25
        let (model, report) = try trained(options, problem.data(.classification, test: Problem(seed: 9)))
        let kept = Split.stratified(labels: problem.labels, fraction: 0.25, seed: 0).train
        let expected = Standardiser(fitting: problem.features.gathering(kept), method: .perColumn)
        #expect(model.standardiser == expected)
        #expect(model.standardiser != Standardiser(fitting: problem.features, method: .perColumn))
        #expect(report.rows == kept.count)
        #expect(report.validationAccuracy ?? 0 > 0.7)
        #expect(report.testAccuracy ?? 0 > 0.7)
    }

    @Test("Without standardisation and bias the network sees the features as they are")
    func plain() throws {
        let problem = Problem(seed: 10)
        var options = FitOptions.small()
        options.standardisation = Standardisation.none
        options.hasBias = false
        let model = try trained(options, problem.data(.classification)).model
        #expect(model.network.hidden.shape[0] == 3)
        #expect(distance(try model.design(problem.features), problem.features.to(.float32)) == 0)
    }

    @Test("The penalty search finds a penalty between too little and too much")
    func penaltySearch() throws {
        let (train, test) = (Problem(seed: 11), Problem(seed: 12))
        let data = train.data(.classification, test: test)
        let searched = try trained(.small(penalty: nil), data).report
        #expect(searched.penaltyChoice.hasPrefix("cross-validation over 5 folds"))
        #expect(searched.path.count > 3)
        #expect(searched.path.allSatisfy { $0.score.isFinite && $0.standardError.isFinite && $0.penalty > 0 })
        let best = searched.path.map(\.score).max() ?? 0
        let chosen = try #require(searched.path.first { $0.penalty == searched.penalty })
        #expect(chosen.score >= best - 0.05)
        let strong = try trained(.small(penalty: 30), data).report
        #expect(searched.testAccuracy ?? 0 > strong.testAccuracy ?? 0)
        #expect(searched.testAccuracy ?? 0 > 0.8)
    }

    @Test("Folds of one row give finite scores")
    func fewRows() throws {
        let problem = Problem(rows: 6, seed: 13)
        let report = try trained(.small(.sampled(6), penalty: nil), problem.data(.regression)).report
        #expect(report.path.allSatisfy { $0.score.isFinite && $0.standardError.isFinite })
    }

    @Test("A constant target is met, and scored without dividing by nothing")
    func constantTarget() throws {
        let data = Problem(seed: 14)
        let fitted = try Engine.exclusively {
            try ConvexRegressor(options: .small()).fit(data.features, Tensor.full([120, 1], 2.5))
        }
        #expect(fitted.report.trainR2 == 1)
        #expect(try fitted.model.outputs(data.features).doubles().allSatisfy { abs($0 - 2.5) < 1e-5 })
    }

    @Test("Data that do not go together are refused")
    func refusals() throws {
        let x = Problem(rows: 4, seed: 15).features
        let classifier = ConvexClassifier(options: .small())
        #expect(fault { _ = try classifier.fit(x, [0, 1]) }.contains("do not go with 2 labels"))
        #expect(fault { _ = try classifier.fit(x, [1, 1, 1, 1]) }.contains("fewer than two classes"))
        #expect(fault { _ = try classifier.fit(x, [0, -1, 0, 1]) }.contains("negative"))
        #expect(fault { _ = try classifier.fit(x / 0, [0, 1, 0, 1]) }.contains("NaN or infinity"))
        #expect(fault { _ = try classifier.fit(x, [0, 1, 2, 1], classNames: ["a", "b"]) }.contains("2 names"))
        let regressor = ConvexRegressor(options: .small())
        #expect(fault { _ = try regressor.fit(x, Tensor.zeros([3, 1])) }.contains("do not go with targets"))
        var options = FitOptions.small(.source(.gates(Tensor.zeros([2, 5]))))
        let data = Problem(seed: 16).data(.classification)
        #expect(fault { _ = try trained(options, data) }.contains("they have 2 rows"))
        let network = TwoLayerNetwork(hidden: Tensor.full([4, 2], 1), output: Tensor.full([2, 1], 1))
        options.patterns = .source(.given(network))
        #expect(fault { _ = try trained(options, data) }.contains("1 outputs"))
    }

    @Test("Wide data: the model of the row space predicts from raw columns, and its objective is the report's")
    func wide() throws {
        var random = RandomSource(31)
        let make = { (seed: UInt64) in
            let problem = Problem(rows: 60, columns: 3, seed: seed)
            var noise = RandomSource(seed &+ 100)
            // Constant and repeated columns are dropped before the reduction.
            let columns = [problem.features, noise.tensor([60, 150]), Tensor.full([60, 1], 2, dtype: .float64)]
            var wide = problem.data(.classification)
            wide.train.features = Tensor.concatenate(columns + [problem.features.columns(0..<1)], dimension: 1)
            return wide
        }
        var data = make(1)
        data.test = make(2).train
        for patterns in [FitOptions.Patterns.network, .sampled(12), .source(.gates(random.tensor([154, 9])))] {
            let (model, report) = try trained(.small(patterns, penalty: 0.5), data)
            #expect(report.notices.contains { $0.contains("row space of rank") })
            #expect(model.network.hidden.shape[0] == 154)
            #expect(try model.score(data.train) == report.trainAccuracy)
            #expect(try model.score(data.test!) == report.testAccuracy)
            let x = try model.design(data.train.features, dtype: .float64)
            let loss = LossCatalogue.named(report.loss)!
            let y = EncodedTargets(data.train, task: .classification, loss: loss, dtype: .float64).matrix
            let objective = model.network.converted(like: x).objective(x, y, loss: loss, penalty: report.penalty)
            #expect(abs(objective - report.objective) < 1e-6 * objective)
        }
    }

    @Test("A search on one held-out part chooses a penalty of its path", arguments: [50, 1000])
    func searches(crossValidationRows: Int) throws {
        var options = FitOptions.small(.sampled(12))
        options.penalty = .search
        options.crossValidationRows = crossValidationRows
        let (_, report) = try trained(options, Problem(seed: 3).data(.classification))
        #expect(report.path.count == 7 && report.path.contains { $0.penalty == report.penalty })
        #expect(report.penaltyChoice.contains(crossValidationRows < 120 ? "held-out part" : "cross-validation"))
    }
}
