import Foundation
import Proximal
import Solvers
import TestSupport
import Torch

@testable import ConvexNetworks

/// A convex program with all that a solve and its examination need.
struct TestProgram {
    var x: Tensor
    var y: Tensor
    var mask: Tensor
    var layout: BlockLayout
    var loss: any Loss = SquaredLoss()
    var penalty: GroupLasso
    var rowScale: Tensor

    init(
        x: Tensor, y: Tensor, mask: Tensor, formulation: Formulation, coupling: OutputCoupling = .perOutput,
        loss: any Loss = SquaredLoss(), strength: Double, columnsPerGroup: Int = 1, scalesRows: Bool = true
    ) {
        (self.x, self.y, self.mask, self.loss) = (x, y, mask, loss)
        layout = BlockLayout(
            patterns: mask.shape[1], outputs: y.shape[1], formulation: formulation, coupling: coupling)
        penalty = GroupLasso(strength: strength, columnsPerGroup: columnsPerGroup)
        let norms = x.squared().sum(1).squareRoot()
        rowScale = scalesRows ? norms.reciprocal() : Tensor.full([x.shape[0]], 1, dtype: x.dtype, device: x.device)
    }

    init(_ oracle: Oracle, _ formulation: Formulation, output: Int? = nil, scalesRows: Bool = true) {
        let y = output.map { oracle.y.columns($0..<$0 + 1).contiguous() } ?? oracle.y
        self.init(
            x: oracle.x, y: y, mask: oracle.d01, formulation: formulation, strength: oracle.beta,
            scalesRows: scalesRows)
    }

    /// The same program in another type or on another device.
    func converted(_ dtype: DType, device: Device = .cpu) -> TestProgram {
        var copy = self
        copy.x = x.to(dtype).to(device: device)
        copy.y = y.to(dtype).to(device: device)
        copy.rowScale = rowScale.to(dtype).to(device: device)
        copy.mask = mask.to(device: device)
        return copy
    }

    var maps: PatternOperator { PatternOperator(x: x, mask: mask, layout: layout, rowScale: rowScale) }

    func solver(_ settings: ADMMSettings = ADMMSettings()) throws -> ADMM {
        try ADMM(maps: maps, targets: y, loss: loss, penalty: penalty, settings: settings)
    }

    /// Runs at most so many iterations, with `tamper` after each for mutants.
    func solved(
        _ settings: ADMMSettings = ADMMSettings(), iterations: Int, tamper: ((inout ADMMState) -> Void)? = nil
    ) throws -> ADMM {
        let admm = try solver(settings)
        for _ in 0..<iterations {
            let residuals = admm.step()
            tamper?(&admm.state)
            // Far below every tolerance of the tests; mutants run on, whatever they report.
            if tamper == nil, max(residuals.primal, residuals.dual) < 1e-10 { break }
        }
        return admm
    }

    /// `L(Fv) + β Σ‖v_b‖`.
    func objective(_ v: Tensor) -> Double {
        loss.value(maps.forward(layout.coupled(v)).to(.float64), y.to(.float64)) + penalty.value(v.to(.float64))
    }

    func network(_ v: Tensor, gates: Tensor? = nil) -> TwoLayerNetwork {
        TwoLayerNetwork(solution: v, layout: layout, gates: gates, columnsPerGroup: penalty.columnsPerGroup)
    }

    /// The certificate that the state's multipliers give.
    func certificate(_ admm: ADMM, gates: Tensor? = nil) -> Certificate {
        let state = admm.state
        let prediction = layout.formulation == .gated ? admm.maps.forward(state.v) : nil
        let fitted = admm.maps.forward(layout.coupled(state.v))
        let scale = rowScale
        let cone = state.w.map { w in
            { (range: Range<Int>) in
                (-w.rows(range)).relu() * (scale.rows(range).unsqueezed(1) * state.rho)
            }
        }
        return Certificate(
            network: network(state.v, gates: gates), x: x, y: y, mask: mask, layout: layout, loss: loss,
            penalty: penalty,
            multipliers: .init(data: [state.mu * state.rho, loss.gradient(fitted, y)], cone: cone),
            prediction: prediction)
    }

    /// What speaks against `admm` having reached the optimum; the same judge for good solvers and mutants.
    func failures(_ admm: ADMM, optimum: Double, fitted: Matrix, tolerance: Double = 1e-6) -> [String] {
        var found: [String] = []
        let value = objective(admm.state.v)
        if !(abs(value - optimum) <= tolerance * optimum) { found.append("objective \(value), optimum \(optimum)") }
        let fit = admm.maps.forward(layout.coupled(admm.state.v))
        let error = distance(fit, fitted)
        if !(error <= 1e-4) { found.append("fitted values off by \(error)") }
        if layout.formulation == .relu {
            let products = admm.maps.cone(admm.state.v)
            let violation = (-products).relu().norm / max(products.norm, 1e-300)
            if !(violation <= 1e-4) { found.append("cones violated by \(violation)") }
        }
        return found
    }
}

extension ADMMSettings {
    /// Three splits with fixed ρ: what is left of the defaults when the program is already scaled.
    static func fixed(rho: Double = 1, solver: LinearSolver = .automatic) -> ADMMSettings {
        var settings = ADMMSettings()
        settings.rho = rho
        settings.adaptsRho = false
        settings.linearSolver = solver
        return settings
    }

    /// The iteration that the oracles trace.
    static func trace(rho: Double, solver: LinearSolver) -> ADMMSettings {
        var settings = ADMMSettings.paper
        settings.rho = rho
        settings.linearSolver = solver
        return settings
    }
}
