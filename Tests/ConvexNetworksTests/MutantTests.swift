import Proximal
import TestSupport
import Testing
import Torch

@testable import ConvexNetworks

@Suite("The optimum check finds broken solvers")
struct MutantTests {
    /// Wrong steps, as an edit of the state after each right one.
    enum Defect: CaseIterable {
        case flippedDataMultiplier, flippedBlockMultiplier, flippedConeMultiplier, noDataMultiplier, noConeMultiplier
        case doubledShrinkage, noShrinkage, staleData, coneProjectedUpwards
    }

    private func tampered(_ program: TestProgram, _ defect: Defect, iterations: Int) throws -> ADMM {
        var last: ADMMState?
        return try program.solved(.fixed(), iterations: iterations) { state in
            switch defect {
            case .flippedDataMultiplier: state.mu = -state.mu
            case .flippedBlockMultiplier:
                // The update is subtracted where it should be added.
                if let last { state.lambda = last.lambda * 2 - state.lambda }
            case .flippedConeMultiplier: state.w = state.w!.absolute()
            case .noDataMultiplier: state.mu = Tensor.zeros(like: state.mu)
            case .noConeMultiplier: state.w = state.w!.relu()
            case .doubledShrinkage:
                state.v = program.penalty.prox(state.v, step: 1 / state.rho)
            case .noShrinkage:
                state.v = state.u
                state.lambda = Tensor.zeros(like: state.u)
            case .staleData: if let last { state.z = last.z }
            case .coneProjectedUpwards: state.w = -state.w!
            }
            last = state
        }
    }

    @Test("Each wrong step is reported", arguments: Defect.allCases)
    func defects(defect: Defect) throws {
        let oracle = Oracle.binary
        let program = TestProgram(oracle, .relu)
        let admm = try tampered(program, defect, iterations: 1500)
        let found = program.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu))
        #expect(!found.isEmpty, "\(defect)")
    }

    @Test("The right step passes the same check")
    func control() throws {
        let oracle = Oracle.binary
        let program = TestProgram(oracle, .relu)
        let admm = try program.solved(.fixed(), iterations: 1500)
        #expect(program.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu)).isEmpty)
    }

    @Test("A solution of another penalty, another formulation or another mask fails the check")
    func wrongProblems() throws {
        let oracle = Oracle.binary
        let right = TestProgram(oracle, .relu)
        var wrongPenalty = right
        wrongPenalty.penalty.strength *= 1.01
        var wrongMask = right
        wrongMask.mask = Tensor(oracle.d01.doubles().map { UInt8(1 - $0) }, shape: [oracle.n, oracle.patterns])
        for wrong in [wrongPenalty, wrongMask] {
            let admm = try wrong.solved(.fixed(), iterations: 3000)
            #expect(!right.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu)).isEmpty)
        }
        let gated = TestProgram(oracle, .gated)
        let admm = try gated.solved(.fixed(), iterations: 3000)
        #expect(!gated.failures(admm, optimum: oracle.reluTotal, fitted: oracle.fitted(.relu)).isEmpty)
    }
}
