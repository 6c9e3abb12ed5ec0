import Torch
import Foundation
@testable import ConvexNetworks
import Proximal
func raw(_ p: String, _ off: Int) -> [UInt8] { Array(try! Data(contentsOf: URL(fileURLWithPath: p))[off...]) }
let trx = raw("/tmp/fm/tr-x", 16), trY = raw("/tmp/fm/tr-y", 8), tex = raw("/tmp/fm/te-x",16), teY = raw("/tmp/fm/te-y",8)
func t() -> Double { Date().timeIntervalSince1970 }
let args = CommandLine.arguments
func arg(_ k: String, _ d: Double) -> Double { if let i = args.firstIndex(of: "--"+k) { return Double(args[i+1])! }; return d }
let n = Int(arg("n", 60000)), units = Int(arg("m", 64))
var X = Tensor(trx.map{Float($0)/255}, shape: [60000, 784]), XT = Tensor(tex.map{Float($0)/255}, shape: [10000,784])
let mean = X.sumInDouble()/Double(X.count), sd = ((X-mean).squared().sumInDouble()/Double(X.count)).squareRoot()
X = Tensor.concatenate([(X - mean)/sd, Tensor.full([60000,1],1)], dimension: 1).rows(0..<n).contiguous()
XT = Tensor.concatenate([(XT - mean)/sd, Tensor.full([10000,1],1)], dimension: 1)
let lab = Tensor(trY.map{Int64($0)}).rows(0..<n), labT = Tensor(teY.map{Int64($0)})
let Y = lab.oneHot(10).to(.float32)
func acc(_ net: TwoLayerNetwork, _ x: Tensor, _ l: Tensor) -> Double { net.predict(x).argmax(1).isEqual(to: l).to(.float64).mean(0).scalar }
let loss: any Loss = arg("sq",0) > 0 ? SquaredLoss() : SoftmaxLoss()
let beta = arg("beta", 10)
let t0 = t()
var net = StochasticRun(units: units, epochs: arg("epochs", 4), seed: 1).train(x: X, y: Y, loss: loss, penalty: beta).balanced()
print("stochastic", t()-t0, "train", acc(net, X, lab), "test", acc(net, XT, labT), "obj", net.objective(X, Y, loss: loss, penalty: beta), "units", net.units)
let tau = X.squared().sum(1).mean(0).scalar.squareRoot()
var Xs = X / tau
for _ in 0..<Int(arg("rounds",1)) {
let pat = ActivationPatterns(x: X, gates: net.hidden)
print("patterns", pat.count)
let kept = pat.kept
let dir = net.output.gathering(kept); let on = dir.squared().sum(1).squareRoot().unsqueezed(1)
let A = dir / on
let layout = BlockLayout(patterns: pat.count, outputs: 10, formulation: arg("gated",0)>0 ? .gated : .relu, coupling: .directions(A))
let rs = Xs.squared().sum(1).squareRoot().reciprocal()
let maps = PatternOperator(x: Xs, mask: pat.mask, layout: layout, rowScale: rs)
var st = ADMMSettings(); st.rho = arg("rho", 0.1); st.blockWeight = arg("omega", 1); st.innerIterations = Int(arg("inner", 5)); st.linearSolver = .gram; st.relaxation = arg("relax",1.6)
let t1 = t()
let admm = try ADMM(maps: maps, targets: Y, loss: loss, penalty: GroupLasso(strength: beta/tau), settings: st)
print("system", t()-t1)
let v0 = net.hidden.gathering(kept, dimension: 1) * on.reshaped(-1) * tau
admm.start(at: v0)
for k in 0..<Int(arg("iters", 10)) {
  let r = admm.step()
  let nw = TwoLayerNetwork(solution: admm.state.v / tau, layout: layout, gates: pat.gates, columnsPerGroup: 1)
  let c = Certificate(network: nw, x: X, y: Y, mask: pat.mask, layout: layout, loss: loss, penalty: GroupLasso(strength: beta), multipliers: .init(data: [admm.state.mu * admm.state.rho], cone: admm.state.w == nil ? nil : { (-admm.state.w!.rows($0)).relu() * rs.rows($0).unsqueezed(1) * admm.state.rho }), precision: .float32)
  print(k, String(format: "%.1fs", t()-t1), "cg", admm.state.innerIterations, "p \(Float(r.primal)) d \(Float(r.dual)) viol \(Float(r.violation)) obj \(Float(c.objective)) dual \(Float(c.dualBound)) gap \(Float(c.relativeGap ?? -1)) scale \(Float(c.scale))", "train", acc(nw, X, lab), "test", acc(nw, XT, labT), "units", nw.units)
  net = nw
}
}
