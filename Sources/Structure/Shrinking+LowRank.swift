import Programs
import Torch
import Networks

/// Matrices of low rank.
extension Shrinking {
    /// Replaces matrices of linear maps whose rank is low enough by two thinner ones.
    mutating func factorise() {
        for index in program.steps.indices.reversed() where program.steps[index].name == "linear" {
            guard case .value(let x) = program.steps[index].arguments[0],
                case .value(let weight) = program.steps[index].arguments[1], let position = program.parameter(weight)
            else { continue }
            let parameter = program.parameters[position]
            let uses = program.steps.reduce(0) { $0 + Program.reads($1).count { $0 == weight } }
            guard parameter.shape.count == 2, parameter.attributes.manifold == nil else { continue }
            let (rows, columns) = (parameter.shape[0], parameter.shape[1])
            let tensor = network.tensor(parameter.name)
            let rank = max(1, NetworkStructure.rank(tensor))
            guard uses == 1, rank * (rows + columns) < rows * columns,
                let (u, s, v) = try? tensor.to(.float64).svd()
            else { continue }
            let root = s.rows(0..<rank).squareRoot()
            let left = (u.columns(0..<rank) * root).to(tensor.dtype).contiguous()
            let right = (v.rows(0..<rank) * root.reshaped(-1, 1)).to(tensor.dtype).contiguous()
            split(index, x, weight, named: parameter.name, left, right)
            factorised.append(Factorisation(parameter: parameter.name, shape: parameter.shape, rank: rank))
        }
    }

    private mutating func split(
        _ index: Int, _ x: Int, _ weight: Int, named name: String, _ left: Tensor, _ right: Tensor
    ) {
        let inner = insertParameter(name + ".right", right)
        let outer = insertParameter(name + ".left", left)
        let middle = program.valueCount
        let shifted = x > weight && x >= inner ? x + 2 : x
        program.steps[index].arguments[0] = .value(middle)
        program.steps[index].arguments[1] = .value(outer)
        program.steps.insert(
            .init(
                name: "linear", overload: "", arguments: [.value(shifted), .value(inner), .none], results: [middle]),
            at: index)
        program.removeUnused()
        var made = Network(program, dtype: left.dtype)
        for other in made.parameters.names { made.parameters[other] = network.tensor(other) }
        for other in made.buffers.names { made.buffers[other] = network.tensor(other) }
        network = made
    }
}
