import Torch
import Foundation
Runtime.seed(1)
func time(_ name: String, _ flops: Double, _ n: Int, _ f: () -> Void) { f(); let t = Date(); for _ in 0..<n { f() }; let s = Date().timeIntervalSince(t)/Double(n); print(name, s*1e3, "ms", flops/s/1e9, "GFLOPS") }
let x = Tensor.randomNormal([60000, 784]), u = Tensor.randomNormal([784, 640]), y = Tensor.randomNormal([60000,640])
print(Runtime.threads, Runtime.cpuCapability)
let f = 2.0*60000*784*640
time("XU", f, 3) { _ = x.times(u) }
time("X'Y", f, 3) { _ = x.transposedTimes(y) }
let xd = x.to(.float64), ud = u.to(.float64)
time("XU f64", f, 1) { _ = xd.times(ud) }
for c in [1024, 2048,4096,8192] {
time("chunk \(c)", f, 2) { var acc = Tensor.zeros([784,640]); var i = 0; while i < 60000 { let e = min(60000,i+c); let xc = x.rows(i..<e); let yc = xc.times(u); acc.addProduct(xc.transposed(), yc); i = e } }
}
time("relu", 60000*640, 3) { _ = y.relu() }
time("gram", 2.0*60000*784*784, 2) { _ = x.transposedTimes(x) }
time("add4", 1, 10000) { _ = u.rows(0..<4) }
