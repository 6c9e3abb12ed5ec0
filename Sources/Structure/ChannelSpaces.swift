/// A set of channels, units or heads that several tensors have in common: what removes one from one removes it from all.
final class ChannelSpace {
    /// Number of channels.
    let count: Int
    /// The space that this one was found to be.
    private var same: ChannelSpace?
    /// What the channels are made of, where a dimension was split: outer first.
    private var parts: [ChannelSpace]?
    /// Why none of the channels may go; the first reason counts.
    private(set) var frozen: String?
    /// Whether these are no channels but positions or the like.
    private(set) var isFixed = false

    init(_ count: Int) { self.count = count }

    /// The space that stands for all that are the same.
    var root: ChannelSpace {
        var space = self
        while let next = space.same { space = next }
        return space
    }

    /// The spaces that a dimension of this one consists of now.
    var resolved: [ChannelSpace] {
        let root = root
        return root.parts.map { $0.flatMap(\.resolved) } ?? [root]
    }

    func freeze(_ reason: String) {
        for space in resolved where space.frozen == nil { space.frozen = reason }
    }

    /// Says that these are no channels.
    func fix(_ reason: String) {
        freeze(reason)
        for space in resolved { space.isFixed = true }
    }

    func split(_ counts: [Int]) -> [ChannelSpace] {
        let root = root
        let made = counts.map { ChannelSpace($0) }
        if let frozen = root.frozen { for part in made { part.freeze(frozen) } }
        root.parts = made
        return made
    }

    func unite(_ other: ChannelSpace) {
        let (a, b) = (root, other.root)
        guard a !== b else { return }
        if let reason = b.frozen, a.frozen == nil { a.frozen = reason }
        a.isFixed = a.isFixed || b.isFixed
        b.same = a
    }
}

/// A dimension of a tensor as a product of spaces, outer first; elements of no space are fixed.
struct Axis {
    /// A factor of the dimension.
    enum Factor {
        case space(ChannelSpace)
        case fixed(Int)
    }

    var factors: [Factor]

    init(_ factors: [Factor]) { self.factors = factors }
    init(fixed count: Int) { factors = count == 1 ? [] : [.fixed(count)] }
    init(_ space: ChannelSpace) { factors = space.count == 1 ? [] : [.space(space)] }

    /// The factors as they are known now.
    var resolved: [Factor] {
        factors.flatMap { factor -> [Factor] in
            if case .space(let space) = factor { return space.resolved.map { .space($0) } }
            return [factor]
        }
    }

    var count: Int { factors.reduce(1) { $0 * $1.count } }

    var spaces: [ChannelSpace] {
        resolved.compactMap { if case .space(let space) = $0 { space } else { nil } }
    }

    func freeze(_ reason: String) { for space in spaces { space.freeze(reason) } }
}

extension Axis.Factor {
    var count: Int {
        switch self {
        case .space(let space): space.count
        case .fixed(let count): count
        }
    }
}

extension Axis {
    /// Makes two dimensions of one length one and the same.
    static func unite(_ a: Axis, _ b: Axis, _ reason: String) {
        var (left, right) = (a.resolved.filter { $0.count != 1 }, b.resolved.filter { $0.count != 1 })
        while let x = left.first, let y = right.first {
            left.removeFirst()
            right.removeFirst()
            if x.count == y.count {
                switch (x, y) {
                case (.space(let p), .space(let q)): p.unite(q)
                case (.space(let p), .fixed): p.fix(reason)
                case (.fixed, .space(let q)): q.fix(reason)
                default: break
                }
                continue
            }
            // The longer factor is split as the other side is.
            let (long, isLeft) = x.count > y.count ? (x, true) : (y, false)
            let short = min(x.count, y.count)
            guard long.count % short == 0 else {
                Axis([x] + left).freeze(reason)
                return Axis([y] + right).freeze(reason)
            }
            let parts = Axis.split(long, [short, long.count / short])
            if isLeft {
                left = parts + left
                right.insert(y, at: 0)
            } else {
                right = parts + right
                left.insert(x, at: 0)
            }
        }
    }

    /// A factor as a product, outer first.
    static func split(_ factor: Factor, _ counts: [Int]) -> [Factor] {
        switch factor {
        case .fixed: counts.map { .fixed($0) }
        case .space(let space): space.split(counts).map { .space($0) }
        }
    }

    /// The factors of several dimensions, dealt out to dimensions of other lengths; nil where they do not fit.
    static func regrouped(_ axes: [Axis], to lengths: [Int]) -> [Axis]? {
        var rest = axes.flatMap { $0.resolved }.filter { $0.count != 1 }
        var result: [Axis] = []
        for length in lengths {
            var (own, open) = ([Factor](), length)
            while open > 1 {
                guard let next = rest.first else { return nil }
                rest.removeFirst()
                if open % next.count == 0 {
                    own.append(next)
                    open /= next.count
                } else if next.count % open == 0 {
                    let parts = split(next, [open, next.count / open])
                    own.append(parts[0])
                    rest.insert(parts[1], at: 0)
                    open = 1
                } else {
                    return nil
                }
            }
            result.append(Axis(own))
        }
        return rest.isEmpty ? result : nil
    }
}
