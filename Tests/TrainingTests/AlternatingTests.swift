import ConvexNetworks
import Datasets
import Foundation
import Networks
import Proximal
import RunLog
import Settings
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Alternating training")
struct AlternatingTests {
    private func settings(_ solves: ConvexHead.Solves, epochs: Double = 6) -> TrainingSettings {
        var settings = TrainingSettings.small("dadapt_adam", lr: 1, epochs: epochs)
        settings.modelSettings = ["hidden": .list([.number(16), .number(16), .number(8)])]
        settings.head = ConvexHead()
        settings.head?.solves = solves
        settings.head?.units = 12
        settings.head?.interval = 1
        settings.precision = .float64
        return settings
    }

    @Test("Solves come at the start, behind every interval and at the end; each has a certificate")
    func rounds() throws {
        let (_, report) = try trained(settings(.every, epochs: 3), try made("spirals"))
        let phases = report.history.map(\.phase)
        #expect(phases == ["start", "convex", "train", "convex", "train", "convex", "train", "convex"])
        for point in report.history where point.phase == "convex" {
            #expect(point.relativeGap ?? -1 >= -1e-9 && point.objective ?? -1 > 0)
        }
        let (_, first) = try trained(settings(.first, epochs: 2), try made("spirals"))
        #expect(first.history.map(\.phase) == ["start", "convex", "train", "train"])
        let (_, never) = try trained(settings(.never, epochs: 2), try made("spirals"))
        #expect(never.history.map(\.phase) == ["start", "train", "train"] && never.method == "dadapt_adam")
    }

    @Test("Every solve's seconds count, and it learns without a learning rate")
    func learns() throws {
        let (_, report) = try trained(settings(.every, epochs: 20), try made("spirals"))
        #expect(report.testScore ?? 0 > 0.9)
        #expect(report.method == "cronos-am" && report.secondsByPhase["convex"] ?? 0 > 0)
        // What a solve takes counts, evaluation does not.
        let solves = try #require(report.secondsByPhase["convex"])
        let steps = try #require(report.secondsByPhase["train"])
        #expect(report.seconds >= solves + steps && report.history.last!.seconds >= solves)
        #expect(report.seconds < solves + steps + (report.secondsByPhase["evaluate"] ?? 0) + 60)
    }

    @Test("A solve lowers the penalised objective of the head that it starts from, and ends near its bound")
    func monotone() throws {
        let data = try made("spirals")
        var settings = settings(.every, epochs: 3)
        settings.head?.iterations = 80
        var before: Double?
        var checked = 0
        _ = try trained(settings, data) { event in
            guard let point = event.point, let model = try? event.result?() else { return .proceed }
            let value = Self.objective(model, data, penalty: settings.head!.penalty)
            if point.phase == "convex", let before {
                #expect(value < 0.999 * before && point.relativeGap ?? 1 < 0.1)
                checked += 1
            }
            before = value
            return .proceed
        }
        #expect(checked == 3)
    }

    /// Loss and penalty of the head on the features of all rows, from the model's parameters alone.
    static func objective(_ model: NetworkModel, _ data: LoadedData, penalty: Double) -> Double {
        guard let z = try? model.features(data.train.features), let w = model.network.parameters["head.0.weight"],
            let b = model.network.parameters["head.0.bias"], let v = model.network.parameters["head.2.weight"]
        else { return .nan }
        // The solve measures weights on features of unit mean square.
        let scale = (z.squared().sumInDouble() / Double(z.count)).squareRoot()
        let hidden = (z.times(w.transposed()) + b).relu()
        let outputs = hidden.times(v.transposed()).doubles()
        let losses = zip(outputs, data.train.labels!).map { log1p(exp(-$0 * Double(2 * $1 - 1))) }
        let inner = ((w * scale).squared().sum(1) + b.squared()).squareRoot().doubles()
        let outer = v.squared().sum(0).squareRoot().doubles()
        let norms = zip(inner, outer).reduce(0) { $0 + $1.0 * $1.1 }
        return losses.reduce(0, +) + penalty * Double(data.train.count) * norms
    }

    @Test("The stated objective is that of the network, recomputed from its parameters")
    func statedObjective() throws {
        let data = try made("spirals")
        let settings = settings(.every, epochs: 1)
        var checked = 0
        _ = try trained(settings, data) { event in
            guard let point = event.point, point.phase == "convex", let model = try? event.result?() else {
                return .proceed
            }
            let value = Self.objective(model, data, penalty: settings.head!.penalty)
            #expect(abs(value - point.objective!) < 1e-6 * value)
            checked += 1
            return .proceed
        }
        #expect(checked == 2)
    }

    @Test("The bound of a short solve lies below the objective of a long one on the same features")
    func bound() throws {
        let data = try made("spirals")
        // Rounds differ in length alone, so that the first one's features and patterns are the same.
        let first = try [3, 300].map { iterations in
            var settings = settings(.first, epochs: 1)
            settings.head?.iterations = iterations
            let (_, report) = try trained(settings, data)
            return try #require(report.history.first { $0.phase == "convex" })
        }
        let bounds = try first.map { try #require($0.objective) * (1 - #require($0.relativeGap)) }
        let objectives = first.map { $0.objective ?? .nan }
        #expect(bounds[0] <= objectives[1] && bounds[1] <= objectives[1] * (1 + 1e-9))
        #expect(objectives[1] <= objectives[0] && first[1].relativeGap! < first[0].relativeGap!)
        #expect(first[1].relativeGap! < 0.02)
    }

    @Test("The penalty is chosen on rows that nothing was trained on, away from one that empties the head")
    func chosenPenalty() throws {
        let data = try made("spirals")
        var settings = settings(.every, epochs: 16)
        settings.head?.choosesPenalty = true
        settings.head?.penalty = 0.3
        #expect(fault { _ = try trained(settings, data) }.contains("validation"))
        settings.validation = 0.2
        let (_, report) = try trained(settings, data)
        let penalties = report.history.compactMap(\.penalty)
        // Choices at the second, fourth, eighth and sixteenth of seventeen solves; between them it stays.
        let changes = penalties.indices.dropFirst().filter { penalties[$0] != penalties[$0 - 1] }
        #expect(penalties.count == 17 && !changes.isEmpty && Set(changes).isSubset(of: [1, 3, 7, 15]))
        for index in changes { #expect(abs(abs(log(penalties[index] / penalties[index - 1])) - log(3)) < 1e-9) }
        #expect(penalties.last! < 0.1)
        settings.head?.choosesPenalty = false
        let (_, fixed) = try trained(settings, data)
        #expect(Set(fixed.history.compactMap(\.penalty)) == [0.3])
        #expect(fixed.validationScore! < report.validationScore!)
    }

    @Test("A penalty that empties every head falls by choice, and one unit is enough for a head")
    func emptyHeads() throws {
        let data = try made("spirals")
        var settings = settings(.every, epochs: 8)
        settings.head?.choosesPenalty = true
        settings.head?.penalty = 100
        settings.validation = 0.2
        let (_, report) = try trained(settings, data)
        let penalties = report.history.compactMap(\.penalty)
        #expect(zip(penalties, penalties.dropFirst()).allSatisfy { $0 >= $1 } && penalties.last! < 5)
        for seed in 0..<4 as Range<UInt64> {
            var single = self.settings(.every, epochs: 6)
            single.modelSettings = ["hidden": .list([.number(4), .number(4), .number(2)])]
            single.seed = seed
            single.head?.units = 1
            single.head?.penalty = 0.3
            let (_, one) = try trained(single, data)
            #expect(one.history.last?.objective?.isFinite == true)
        }
    }

    @Test("A run stopped in the middle of a solve goes on to the same result", arguments: [1, 2, 5, 9])
    func stoppedSolve(event: Int) throws {
        let data = try made("spirals")
        let settings = settings(.every, epochs: 2)
        let scratch = try Scratch()
        let path = scratch.path("c.safetensors")
        let whole = try trained(settings, data)
        var seen = 0
        let cut = try trained(settings, data) { one in
            guard one.progress.phase == "convex", one.point == nil else { return .proceed }
            seen += 1
            guard seen == event else { return .proceed }
            try? one.writeCheckpoint?(path)
            return .stop
        }
        #expect(cut.report.termination == "cancelled")
        let resumed = try trained(settings, data, from: path)
        #expect(resumed.model.network.parameters.bits == whole.model.network.parameters.bits)
    }

    @Test("A growing batch takes fewer updates for the same rows")
    func growth() throws {
        var growing = settings(.every, epochs: 3)
        growing.head?.batchGrowth = 2
        let (_, report) = try trained(growing, try made("spirals"))
        // 32 batches of 64 rows make an epoch: 32 updates, then 16, then 8.
        #expect(report.steps == 56 && report.epochs == 3)
    }

    @Test("A loss without a convex solver is refused")
    func errors() throws {
        var absolute = settings(.every)
        absolute.loss = NamedSettings("l1")
        #expect(fault { _ = try trained(absolute, try made("teacher")) }.contains("no convex solver"))
    }
}

@Suite("Augmentation")
struct AugmentationTests {
    @Test("Without padding half of the images are mirrored and nothing else changes")
    func flips() {
        var augmentation = Augmentation()
        augmentation.flips = true
        var random = RandomSource(3)
        let x = random.tensor([40, 2 * 3 * 4])
        var rows = SplitMix64(mixing: 1)
        let y = augmentation.apply(x, image: [2, 3, 4], random: &rows)
        let images = (x.reshaped(40, 2, 3, 4), y.reshaped(40, 2, 3, 4))
        var mirrored = 0
        for row in 0..<40 {
            let (a, b) = (images.0.select(0, row), images.1.select(0, row))
            let flipped = a.gathering([3, 2, 1, 0], dimension: 2)
            if b.doubles() == flipped.doubles() {
                mirrored += 1
            } else {
                #expect(a.doubles() == b.doubles())
            }
        }
        #expect((10...30).contains(mirrored))
    }

    @Test("A crop moves every channel alike and fills with zeros")
    func crops() {
        var augmentation = Augmentation()
        augmentation.cropPadding = 2
        let ones = Tensor.full([64, 2 * 5 * 5], 1, dtype: .float64)
        var rows = SplitMix64(mixing: 7)
        let y = augmentation.apply(ones, image: [2, 5, 5], random: &rows).reshaped(64, 2, 25)
        let sums = y.sum(2).doubles()
        for row in 0..<64 { #expect(sums[2 * row] == sums[2 * row + 1]) }
        let counts = Set(stride(from: 0, to: 128, by: 2).map { Int(sums[$0]) })
        // Moves of up to two pixels leave (5 − a)(5 − b) ones.
        #expect(counts.isSubset(of: [25, 20, 15, 16, 12, 9]) && counts.count > 2)
    }

    @Test("Rows are shuffled by seed and epoch, each row once")
    func order() {
        let order = EpochOrder()
        let first = order.order(count: 100, seed: 1, epoch: 0)
        #expect(first.sorted() == Array(0..<100) && first != Array(0..<100))
        #expect(order.order(count: 100, seed: 1, epoch: 1) != first)
        #expect(order.order(count: 100, seed: 2, epoch: 0) != first)
        #expect(order.order(count: 100, seed: 1, epoch: 0) == first)
    }
}
