import Foundation
import Testing
import Torch

@Suite("Tensors over files")
struct MappedTests {
    private func withFile(_ values: [Float], header: Int, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.path + "/mapped-\(UUID().uuidString)"
        let bytes = Data(repeating: 7, count: header) + values.withUnsafeBytes { Data($0) }
        try bytes.write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test("The elements are those of the file, behind the offset")
    func elements() throws {
        try withFile([1, 2, 3, 4, 5, 6], header: 8) { path in
            let tensor = try Tensor(mapping: path, offset: 8, shape: [2, 3], dtype: .float32)
            #expect(tensor.floats() == [1, 2, 3, 4, 5, 6])
            #expect(tensor.columns(1..<3).transposed().floats() == [2, 5, 3, 6])
        }
    }

    @Test("Writing copies: the file and other values stay as they are")
    func writing() throws {
        try withFile([1, 2, 3, 4], header: 0) { path in
            var tensor = try Tensor(mapping: path, offset: 0, shape: [4], dtype: .float32)
            tensor.scale(by: 2)
            #expect(tensor.floats() == [2, 4, 6, 8])
            let again = try Tensor(mapping: path, offset: 0, shape: [4], dtype: .float32)
            #expect(again.floats() == [1, 2, 3, 4])
        }
    }

    @Test("Parts of a tensor share its memory, and what is made is told from what lies in a file")
    func storage() throws {
        try withFile([1, 2, 3, 4, 5, 6], header: 0) { path in
            let tensor = try Tensor(mapping: path, offset: 0, shape: [2, 3], dtype: .float32)
            #expect(tensor.isMapped && tensor.columns(1..<2).isMapped && !(tensor + 1).isMapped)
        }
        let tensor = Tensor.zeros([8, 5], dtype: .float64)
        let parts = [tensor.columns(1..<2), tensor.transposed(), tensor.reshaped([40]), tensor.contiguous()]
        for part in parts { #expect(part.storage == tensor.storage) }
        #expect(tensor.storage.bytes == 320)
        let copies = [tensor + 0, tensor.columns(0..<2).contiguous(), tensor.transposed().contiguous()]
        #expect(copies.allSatisfy { $0.storage.identity != tensor.storage.identity })
        #expect(copies[1].storage.bytes == 128)
    }

    @Test("A file that is too short, and one that is not there, are errors")
    func faults() throws {
        try withFile([1, 2], header: 0) { path in
            #expect(throws: TorchError.self) {
                _ = try Tensor(mapping: path, offset: 4, shape: [2], dtype: .float32)
            }
            #expect(throws: TorchError.self) {
                _ = try Tensor(mapping: path + "-none", offset: 0, shape: [2], dtype: .float32)
            }
        }
    }
}
