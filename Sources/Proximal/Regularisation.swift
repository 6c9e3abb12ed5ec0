import Settings
import Torch

/// A penalty of several tensors: of each by itself, or of groups that reach over several of them.
public struct Regularisation: Sendable {
    /// One tensor's part in coupled groups.
    public struct Member: Sendable, Equatable {
        /// Position of the tensor.
        public var index: Int
        /// Its groups; as many as those of the other members.
        public var grouping: Grouping

        /// Creates a member.
        public init(_ index: Int, _ grouping: Grouping) { (self.index, self.grouping) = (index, grouping) }
    }

    /// The penalty.
    public var penalty: any Penalty
    /// Sets of tensors whose groups belong together, the first of one to the first of the others and so on; a tensor is
    /// in one set at most. Those in none are penalised by themselves.
    public var coupling: [[Member]] = []

    /// Creates a penalty of each tensor by itself.
    public init(_ penalty: any Penalty, coupling: [[Member]] = []) {
        (self.penalty, self.coupling) = (penalty, coupling)
    }

    private var coupled: Set<Int> { Set(coupling.joined().map(\.index)) }

    /// The penalty of coupled groups, which are the rows of a joined matrix.
    private var rows: any GroupPenalty {
        guard var penalty = penalty as? any AxisGroupPenalty else {
            fatalError("\(type(of: penalty).name) has no groups to couple")
        }
        (penalty.axis, penalty.width) = (.outputs, 1)
        return penalty
    }

    /// Groups as rows: the tensors of a set side by side.
    private func joined(_ set: [Member], _ tensors: [Tensor]) -> Tensor {
        Tensor.concatenate(set.map { $0.grouping.rows(tensors[$0.index]) }, dimension: 1)
    }

    /// The penalty of one tensor, with the groups that it has in its set.
    public func penalty(of index: Int) -> any Penalty {
        guard var own = penalty as? any AxisGroupPenalty,
            let member = coupling.joined().first(where: { $0.index == index })
        else { return penalty }
        (own.axis, own.width) = (member.grouping.axis, member.grouping.width)
        return own
    }

    /// `λ ψ` of all tensors.
    public func value(_ tensors: [Tensor]) -> Double {
        let coupled = coupled
        let single = tensors.indices.filter { !coupled.contains($0) }.reduce(0.0) { $0 + penalty.value(tensors[$1]) }
        return coupling.reduce(single) { $0 + rows.value(joined($1, tensors)) }
    }

    /// Minimises all subproblems of one step.
    ///
    /// - Parameters:
    ///   - problems: one for each tensor; those of a coupled set have the same step.
    ///   - strengths: λ for each tensor in place of the penalty's own.
    ///   - starts: where iterations begin.
    public func minimised(
        _ problems: [Subproblem], solver: SubproblemSolver, strengths: [Double]? = nil, from starts: [Tensor]
    ) -> [SubproblemSolution] {
        func strength(_ penalty: any Penalty, _ index: Int) -> any Penalty {
            guard let strengths, var scaled = penalty as? any ScaledPenalty else { return penalty }
            scaled.strength = strengths[index]
            return scaled
        }
        let coupled = coupled
        var solutions = problems.indices.map { index in
            coupled.contains(index)
                ? SubproblemSolution(point: starts[index], iterations: 0)
                : problems[index].minimised(strength(penalty, index), solver: solver, from: starts[index])
        }
        for set in coupling {
            let joint = Self.joint(set, problems) { joined(set, $0) }
            let solved = joint.minimised(
                strength(rows, set[0].index), solver: solver, from: joined(set, starts))
            var start = 0
            for member in set {
                let shape = problems[member.index].linear.shape
                let size = member.grouping.size(in: shape)
                let part = solved.point.columns(start..<start + size)
                solutions[member.index] = SubproblemSolution(
                    point: member.grouping.tensor(rows: part, shape: shape), iterations: solved.iterations)
                start += size
            }
        }
        return solutions
    }

    private static func joint(
        _ set: [Member], _ problems: [Subproblem], _ join: ([Tensor]) -> Tensor
    ) -> Subproblem {
        let first = problems[set[0].index]
        let linear = join(problems.map(\.linear))
        guard case .diagonal = first.metric else {
            return Subproblem(linear: linear, metric: first.metric, step: first.step)
        }
        let metrics = problems.map { problem in
            if case .diagonal(let d) = problem.metric { return d }
            return problem.linear
        }
        return Subproblem(linear: linear, metric: .diagonal(join(metrics)), step: first.step)
    }

    /// Groups of all tensors at some point of a run.
    public struct Groups: Sendable {
        /// Position of the tensor; of the first of a coupled set.
        public var index: Int
        /// Elements of each group.
        public var size: Int
        /// A number for each group.
        public var values: Tensor
    }

    /// For each tensor or set, the strengths from which on its groups vanish; nil where the penalty has no groups.
    public func criticalStrengths(_ problems: [Subproblem]) -> [Groups]? {
        guard let groups = penalty as? any GroupPenalty else { return nil }
        let coupled = coupled
        let single = problems.indices.filter { !coupled.contains($0) }.map { index in
            Groups(
                index: index, size: groups.grouping.size(in: problems[index].linear.shape),
                values: groups.criticalStrengths(problems[index].linear, step: problems[index].step))
        }
        return single
            + coupling.map { set in
                let linear = joined(set, problems.map(\.linear))
                return Groups(
                    index: set[0].index, size: linear.shape[1],
                    values: rows.criticalStrengths(linear, step: problems[set[0].index].step))
            }
    }
}

extension Grouping {
    /// The groups as rows, `groups × size`.
    func rows(_ w: Tensor) -> Tensor {
        let (_, groups, _) = split(w.shape)
        return view(w).permuted(1, 0, 2).reshaped(groups, -1)
    }

    /// What ``rows(_:)`` was made of.
    func tensor(rows: Tensor, shape: [Int]) -> Tensor {
        let (before, groups, within) = split(shape)
        return rows.reshaped(groups, before, within).permuted(1, 0, 2).contiguous().reshaped(shape)
    }
}
