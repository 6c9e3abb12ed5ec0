import Networks
import Synchronization
import Torch

extension Program: Module {
    /// Declares the parameters and buffers by their names.
    public func declare(_ declaration: inout Declaration) {
        for parameter in parameters {
            switch parameter.kind {
            case .parameter: declaration.parameter(parameter.name, parameter.shape, .zeros)
            case .buffer: declaration.buffer(parameter.name, parameter.shape, fill: 0)
            case .index: declaration.buffer(parameter.name, parameter.shape, fill: 0, dtype: .int64)
            }
        }
    }

    /// Computes the output.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        var values = self.values(x) { scope[parameters[$0].name] }
        guard let result = values.removeValue(forKey: output) else { preconditionFailure("a program without output") }
        return result
    }

    /// Computes the values that are asked for, and the output.
    ///
    /// - Parameter observe: sees each call with its arguments and results.
    func values(
        _ x: Tensor, keeping kept: Set<Int> = [], observe: (Int, [Value], [Value]) -> Void = { _, _, _ in },
        _ tensor: (Int) -> Tensor
    ) -> [Int: Tensor] {
        var values: [Int: Tensor] = [0: x]
        for index in parameters.indices { values[index + 1] = tensor(index) }
        var lastUse: [Int: Int] = [:]
        for (index, step) in steps.enumerated() { for value in Self.reads(step) { lastUse[value] = index } }
        for (index, step) in steps.enumerated() {
            let arguments = step.arguments.map { Self.value($0, values, rows: x.shape[0], device: x.device) }
            let results: [Value]
            do {
                results = try OperatorTable.shared.find(step).call(arguments)
            } catch {
                preconditionFailure("\(error)")
            }
            observe(index, arguments, results)
            for (number, result) in zip(step.results, results) {
                if let number, case .tensor(let tensor) = result { values[number] = tensor }
            }
            for value in Self.reads(step) where lastUse[value] == index && value != output && !kept.contains(value) {
                values[value] = nil
            }
        }
        return values
    }

    private static func value(_ argument: Argument, _ values: [Int: Tensor], rows: Int, device: Device) -> Value {
        func tensor(_ number: Int) -> Tensor {
            guard let found = values[number] else { preconditionFailure("a program reads value \(number) too early") }
            return found
        }
        func length(_ length: Length) -> Int {
            switch length {
            case .constant(let number): number
            case .rows(let factor): factor * rows
            }
        }
        return switch argument {
        case .none: .none
        case .value(let number): .tensor(tensor(number))
        case .values(let numbers): .tensors(numbers.map(tensor))
        case .length(let one): .int(length(one))
        case .lengths(let all): .ints(all.map(length))
        case .number(let number): .double(number)
        case .flag(let flag): .bool(flag)
        case .word(let word): .string(word)
        case .dtype(let dtype): .dtype(dtype)
        case .device: .device(device)
        }
    }
}

/// Operators that programs call, each looked up once.
private final class OperatorTable: Sendable {
    static let shared = OperatorTable()
    private let found = Mutex<[String: Operator]>([:])

    func find(_ step: Program.Step) -> Operator {
        let name = step.name.contains("::") ? step.name : "aten::" + step.name
        return found.withLock { table in
            let key = name + "." + step.overload
            if let operation = table[key] { return operation }
            let operation = Operator(name, step.overload)
            table[key] = operation
            return operation
        }
    }
}
