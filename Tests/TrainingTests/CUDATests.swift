import Datasets
import Networks
import RunLog
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("CUDA: training agrees with the CPU", .enabled(if: Device.cuda.isAvailable))
struct CUDATests {
    @Test(
        "A run gives the same network in double precision, and goes on from its checkpoint",
        arguments: ["adamw", "ramda"])
    func runs(optimizer: String) throws {
        let data = try made("spirals")
        var settings = TrainingSettings.small(optimizer, epochs: 1)
        settings.precision = .float64
        let scratch = try Scratch()
        let host = try Engine.exclusively { try settings.fit(data) }
        let device = try Engine.exclusively {
            try settings.fit(data, device: .cuda) { event in
                if event.position == 3 { try? event.writeCheckpoint?(scratch.path("c")) }
                return .proceed
            }
        }
        let pairs = zip(host.model.network.parameters.values, device.model.network.parameters.values)
        for (a, b) in pairs { #expect((a - b.to(device: .cpu)).absolute().max().scalar < 1e-6) }
        let resumed = try Engine.exclusively {
            try settings.fit(data, device: .cuda, resumingFrom: scratch.path("c"))
        }
        for (a, b) in zip(resumed.model.network.parameters.values, device.model.network.parameters.values) {
            #expect((a - b).absolute().max().scalar < 1e-6)
        }
    }
}
