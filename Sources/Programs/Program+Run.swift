import Foundation
import Networks
import Synchronization
import Torch

extension Program: FallibleModule {
    /// Declares the parameters and buffers by their names.
    public func declare(_ declaration: inout Declaration) {
        for parameter in parameters {
            switch parameter.kind {
            case .parameter: declaration.parameter(parameter.name, parameter.shape, .zeros, parameter.attributes)
            case .buffer: declaration.buffer(parameter.name, parameter.shape, fill: 0)
            case .index: declaration.buffer(parameter.name, parameter.shape, fill: 0, dtype: .int64)
            }
        }
    }

    /// Computes the output.
    ///
    /// - Precondition: the program can take the input; ``evaluate(_:_:)`` throws where it cannot.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        do {
            return try evaluate(x, scope)
        } catch {
            Runtime.fail(TorchError(operation: "program", message: "\(error)"))
        }
    }

    /// Computes the output.
    ///
    /// - Throws: `ProgramError` for a call that the engine refuses, or that would need more memory than there is.
    public func evaluate(_ x: Tensor, _ scope: Scope) throws -> Tensor {
        var values = try self.values(x) { scope[parameters[$0].name] }
        guard let result = values.removeValue(forKey: output) else {
            throw ProgramError(step: nil, problem: "the output is never made")
        }
        return result
    }

    /// Computes the values that are asked for, and the output.
    ///
    /// - Parameter observe: sees each call with its arguments and results.
    /// - Throws: `ProgramError` for a call that the engine refuses, or that would need more memory than there is.
    package func values(
        _ x: Tensor, keeping kept: Set<Int> = [], observe: (Int, [Value], [Value]) -> Void = { _, _, _ in },
        _ tensor: (Int) -> Tensor
    ) throws(ProgramError) -> [Int: Tensor] {
        var values: [Int: Tensor] = [0: x]
        for index in parameters.indices { values[index + 1] = tensor(index) }
        var lastUse: [Int: Int] = [:]
        for (index, step) in steps.enumerated() { for value in Self.reads(step) { lastUse[value] = index } }
        var memory = ProgramMemory(rows: x.shape[0])
        for (index, step) in steps.enumerated() {
            let results = try result(of: step, index, values, rows: x.shape[0], device: x.device, &memory, observe)
            for (number, result) in zip(step.results, results) {
                guard let number, case .tensor(let tensor) = result else { continue }
                values[number] = tensor
                memory.keep(number, tensor)
            }
            for value in Self.reads(step) where lastUse[value] == index && value != output && !kept.contains(value) {
                values[value] = nil
                memory.drop(value)
            }
        }
        return values
    }

    private func result(
        of step: Step, _ index: Int, _ values: [Int: Tensor], rows: Int, device: Device, _ memory: inout ProgramMemory,
        _ observe: (Int, [Value], [Value]) -> Void
    ) throws(ProgramError) -> [Value] {
        var arguments: [Value] = []
        for argument in step.arguments {
            guard let value = Self.value(argument, values, rows: rows, device: device) else {
                throw ProgramError(step: index, problem: "'\(step.name)' reads a value or length that is not there")
            }
            arguments.append(value)
        }
        // A program from a file makes no other calls; one that was traced here may.
        if let operation = PureOperator.named(step.name, step.overload) {
            if let fault = operation.mismatch(arguments) {
                throw ProgramError(step: index, problem: "'\(step.name)': \(fault)")
            }
            // In C order, so that the engine goes block by block.
            if case .attention = operation.size {
                arguments = arguments.map { value in
                    if case .tensor(let tensor) = value { .tensor(tensor.contiguous()) } else { value }
                }
            }
            try memory.require(operation.elements(arguments), step, index)
        }
        do {
            let results = try OperatorTable.shared.find(step).call(arguments)
            observe(index, arguments, results)
            return results
        } catch {
            throw ProgramError(step: index, problem: "\(error)")
        }
    }

    private static func value(_ argument: Argument, _ values: [Int: Tensor], rows: Int, device: Device) -> Value? {
        func length(_ length: Length) -> Int? {
            switch length {
            case .constant(let number): number
            case .rows(let factor):
                factor.multipliedReportingOverflow(by: rows).overflow ? nil : factor * rows
            }
        }
        func all<A, B>(_ list: [A], _ transform: (A) -> B?) -> [B]? {
            let found = list.compactMap(transform)
            return found.count == list.count ? found : nil
        }
        return switch argument {
        case .none: Value.none
        case .value(let number): values[number].map { .tensor($0) }
        case .values(let numbers): all(numbers) { values[$0] }.map { .tensors($0) }
        case .length(let one): length(one).map { .int($0) }
        case .lengths(let list): all(list, length).map { .ints($0) }
        case .number(let number): .double(number)
        case .flag(let flag): .bool(flag)
        case .word(let word): .string(word)
        case .dtype(let dtype): .dtype(dtype)
        case .device: .device(device)
        }
    }
}

/// A program that cannot be run on an input.
public struct ProgramError: Error, Equatable, CustomStringConvertible {
    /// Position of the call; nil where no single one is at fault.
    public var step: Int?
    /// What is wrong.
    public var problem: String

    /// One line.
    public var description: String { step.map { "call \($0 + 1) of the program: \(problem)" } ?? "program: \(problem)" }
}

/// Bytes that the values of a run hold, so that a program cannot take more than the machine has.
private struct ProgramMemory {
    /// Blocks of memory with the number of values that lie in each: a part of a tensor keeps all of it.
    private var users: [Int: Int] = [:]
    private var blockOf: [Int: (identity: Int, bytes: Int)] = [:]
    private var sum = 0.0
    /// Three quarters of the machine's memory.
    private static let limit = 0.75 * Double(ProcessInfo.processInfo.physicalMemory)
    /// Numbers of one result for each row: no network of this package makes a tenth of it.
    private static let limitOfRow = 0x1p27
    /// Numbers of all results for each row, which bounds the time of calls that make no products.
    private static let limitOfRun = 0x1p32
    private var made = 0.0
    private let rows: Int

    init(rows: Int) { self.rows = rows }

    mutating func keep(_ number: Int, _ tensor: Tensor) {
        let block = tensor.storage
        blockOf[number] = block
        if users[block.identity] == nil { sum += Double(block.bytes) }
        users[block.identity, default: 0] += 1
    }

    mutating func drop(_ number: Int) {
        guard let block = blockOf.removeValue(forKey: number) else { return }
        users[block.identity, default: 0] -= 1
        guard users[block.identity] == 0 else { return }
        users[block.identity] = nil
        sum -= Double(block.bytes)
    }

    mutating func require(_ elements: Double, _ step: Program.Step, _ index: Int) throws(ProgramError) {
        let count = Double(max(1, rows))
        made += elements
        // Eight bytes are the widest element.
        guard sum + 8 * elements <= Self.limit, elements <= Self.limitOfRow * count, made <= Self.limitOfRun * count
        else {
            throw ProgramError(
                step: index, problem: "'\(step.name)' would make \(Int(min(elements, 1e18))) numbers, more than fit")
        }
    }
}

/// Operators that programs call, each looked up once.
private final class OperatorTable: Sendable {
    static let shared = OperatorTable()
    private let found = Mutex<[String: Operator]>([:])

    func find(_ step: Program.Step) throws(TorchError) -> Operator {
        try found.withLock { table throws(TorchError) in
            let key = step.name + "." + step.overload
            if let operation = table[key] { return operation }
            guard let operation = Operator(ifKnown: "aten::" + step.name, step.overload) else {
                throw TorchError(operation: step.name, message: "the engine has no operator '\(key)'")
            }
            table[key] = operation
            return operation
        }
    }
}
