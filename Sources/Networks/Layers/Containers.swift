import Torch

/// Modules one after another, as `torch.nn.Sequential`.
public struct Sequential: Module {
    /// The parts with their names.
    public var parts: [(name: String, module: any Module)]

    /// Creates a chain whose parts are called `0`, `1`, …
    public init(_ modules: any Module...) { self.init(modules) }

    /// Creates a chain whose parts are called `0`, `1`, …
    public init(_ modules: [any Module]) { parts = modules.enumerated().map { ("\($0)", $1) } }

    /// Creates a chain of named parts.
    public init(named parts: [(name: String, module: any Module)]) { self.parts = parts }

    /// Declares the parts in order.
    public func declare(_ declaration: inout Declaration) {
        for part in parts { declaration.part(part.name, part.module) }
    }

    /// Applies the parts in order.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        parts.reduce(x) { $1.module($0, scope.part($1.name)) }
    }
}

/// `x + f(x)`, or `g(x) + f(x)` with a shortcut g (He et al. 2016, equations 1 and 2); parts `body` and `shortcut`.
public struct Residual: Module {
    /// f.
    public var body: any Module
    /// g; nil for the identity.
    public var shortcut: (any Module)?

    /// Creates a residual connection.
    public init(_ body: any Module, shortcut: (any Module)? = nil) { (self.body, self.shortcut) = (body, shortcut) }

    /// Declares both parts.
    public func declare(_ declaration: inout Declaration) {
        declaration.part("body", body)
        if let shortcut { declaration.part("shortcut", shortcut) }
    }

    /// Adds the two outputs, which must have one shape.
    public func callAsFunction(_ x: Tensor, _ scope: Scope) -> Tensor {
        (shortcut.map { $0(x, scope.part("shortcut")) } ?? x) + body(x, scope.part("body"))
    }
}
