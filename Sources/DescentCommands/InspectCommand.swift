import ArgumentParser
import ConvexNetworks
import Datasets
import Estimators
import Foundation
import Interchange
import Networks
import Plots
import Reports
import Proximal
import Structure
import Torch
import Training

/// `descent inspect`
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a model file is.",
        discussion: """
            Shows a Descent model's kind, sizes, classes and certificate, and the tensors of any safetensors file: how many
            of their weights, inputs and outputs are zero, and with --ranks the rank of matrices. With --page the same as
            a picture.

              descent inspect runs/fashion-mnist
              descent inspect runs/fashion-mnist-train --ranks --page structure.html
            """)

    @Argument(help: "A model file, or the run folder that holds it.") var model: String

    @Flag(help: "Find the ranks of matrices, which takes a decomposition of each.") var ranks = false
    @Option(help: ArgumentHelp("Write a page with a chart of the structure.", valueName: "file")) var page: String?
    @Flag(help: "Print one JSON object: the tensors with their structure.") var json = false

    mutating func run() throws {
        let path = ModelFile.path(model)
        let file = try SafeTensors.read(path)
        let rows = file.tensors.map { TensorStructure(name: $0.name, array: $0.array, findsRank: ranks) }
        if let page { try AtomicFile.write(Array(StructurePage(title: path, rows: rows).render().utf8), to: page) }
        guard !json else {
            return try Console.result(String(decoding: try JSONEncoder.report.encode(rows), as: UTF8.self) + "\n")
        }
        if file.metadata[ModelFile.key] != nil || file.metadata[ModelFile.earlierNetworkKey] != nil {
            try describe(loadModel(path))
        }
        let width = max(16, rows.map(\.name.count).max() ?? 0)
        for row in rows { try Console.line(row.line(width)) }
    }

    private func describe(_ model: any PredictiveModel) throws {
        if let model = model as? ConvexModel {
            let kind = model.network.formulation == .relu ? "two-layer ReLU network" : "two-layer gated ReLU network"
            try Console.line("\(kind), \(model.task.rawValue), \(model.loss) loss")
            try Console.line(
                "\(model.inputColumns) inputs, \(model.network.units) hidden units, \(model.network.outputs) outputs")
        }
        if let model = model as? NetworkModel {
            try Console.line(
                "\(model.architecture) network, \(model.task.rawValue), \(model.network.parameterCount) parameters")
        }
        if !model.classNames.isEmpty { try Console.line("classes: \(model.classNames.joined(separator: ", "))") }
        if model.task == .regression { try Console.line("targets: \(model.targetNames.joined(separator: ", "))") }
        for (name, value) in model.facts.sorted(by: { $0.key < $1.key }) { try Console.line("\(name): \(value)") }
    }
}

/// The structure of one tensor of a file.
struct TensorStructure: Encodable {
    let name: String
    let type: String
    let shape: [Int]
    /// Elements that are not zero, of floating-point tensors.
    var active: Int?
    /// Slices that are not all zero, of tensors with two dimensions or more.
    var activeInputs: Int?
    var activeOutputs: Int?
    var rank: Int?

    init(name: String, array: ArrayData, findsRank: Bool) {
        (self.name, type, shape) = (name, array.elementType.rawValue, array.shape)
        guard type.hasPrefix("F"), !shape.contains(0) else { return }
        let tensor = Tensor(array)
        active = Int(tensor.absolute().isAbove(0).to(.float64).sumInDouble())
        guard shape.count >= 2 else { return }
        activeInputs = Grouping(.inputs).isActive(tensor).count { $0 }
        activeOutputs = Grouping(.outputs).isActive(tensor).count { $0 }
        if findsRank, shape.count == 2 { rank = NetworkStructure.rank(tensor) }
    }

    func line(_ width: Int) -> String {
        var text = name.padding(toLength: width, withPad: " ", startingAt: 0) + "  \(type)  \(shape)"
        if let active, active < shape.reduce(1, *) { text += "  \(active) not zero" }
        if let activeInputs, activeInputs < shape[1] { text += "  \(activeInputs) of \(shape[1]) inputs used" }
        if let activeOutputs, activeOutputs < shape[0] { text += "  \(activeOutputs) of \(shape[0]) outputs made" }
        if let rank { text += "  rank \(rank) of \(min(shape[0], shape[1]))" }
        return text
    }
}

/// The structure of a file's tensors as a page.
struct StructurePage {
    let title: String
    let rows: [TensorStructure]

    /// Shares in percent of what is left of each matrix and convolution, one chart for each kind.
    static func charts(_ rows: [TensorStructure]) -> [BarChart] {
        let matrices = rows.filter { $0.activeInputs != nil }
        func chart(_ title: String, _ share: (TensorStructure) -> (part: Int?, whole: Int)) -> BarChart? {
            let shares = matrices.compactMap { row -> (name: String, value: Double)? in
                let (part, whole) = share(row)
                return part.map { (row.name, 100 * Double($0) / Double(max(1, whole))) }
            }
            guard !shares.isEmpty else { return nil }
            return BarChart(title: title, label: "%", names: shares.map(\.name), values: shares.map(\.value))
        }
        return [
            chart("Inputs that are used") { ($0.activeInputs, $0.shape[1]) },
            chart("Outputs that are made") { ($0.activeOutputs, $0.shape[0]) },
            chart("Rank, of what it could be") { ($0.rank, $0.shape.prefix(2).min() ?? 0) },
        ].compactMap(\.self)
    }

    func render() -> String {
        var page = HTMLPage(title: "Structure", subtitle: title)
        for chart in Self.charts(rows) { page.add(svg: chart.svg()) }
        page.add(
            table: ["tensor", "type", "shape", "not zero", "inputs used", "outputs made", "rank"],
            rows: rows.map { row in
                [row.name, row.type, "\(row.shape)"]
                    + [row.active, row.activeInputs, row.activeOutputs, row.rank].map { $0.map(String.init) ?? "" }
            })
        return page.render()
    }
}
