import Testing

@testable import Interchange

struct ArrayDataTests {
    @Test func everyElementTypeConvertsToFloatsDoublesAndIntegers() throws {
        for elementType in ElementType.allCases {
            let name = elementType == .bfloat16 ? "float32" : "\(elementType)"
            var array = try Npy.parse(Fixtures.bytes("npy_\(name)"), path: "x")
            if elementType == .bfloat16 {
                let halves = array.floats().flatMap { value in
                    [UInt8(value.bitPattern >> 16 & 255), UInt8(value.bitPattern >> 24)]
                }
                array = ArrayData(elementType: .bfloat16, shape: [2, 3], bytes: halves)
            }
            #expect(array.elementType == elementType)
            #expect(array.count == 6)
            let expected = elementType == .bool ? [0, 1, 1, 1, 1, 1] : [0, 1, 2, 3, 4, 5]
            #expect(array.floats() == expected.map(Float.init))
            #expect(array.doubles() == expected.map(Double.init))
            #expect(array.integers() == expected.map(Int64.init))
        }
    }

    @Test func everyHalfConvertsAsTheProcessorDoes() {
        let patterns = (0...UInt16.max).map { $0 }
        let bytes = patterns.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        let floats = ArrayData(elementType: .float16, shape: [65536], bytes: bytes).floats()
        #if !(os(macOS) && arch(x86_64))
            for (pattern, value) in zip(patterns, floats) {
                let expected = Float(Float16(bitPattern: pattern))
                #expect(value == expected && value.sign == expected.sign || value.isNaN && expected.isNaN)
            }
        #endif
    }

    @Test func integersSaturateAndCutTowardsZero() {
        let values: [Double] = [-1.9, 1.9, 1e30, -1e30, .infinity, -.infinity, .nan, -0x1p63]
        let expected: [Int64] = [-1, 1, .max, .min, .max, .min, 0, .min]
        #expect(ArrayData(values, shape: [8]).integers() == expected)
    }

    @Test func anErrorReadsAsOneLine() {
        let error = InterchangeError(path: "a.npy", problem: "it is\nbad", advice: "Write it again")
        #expect("\(error)" == "a.npy: it is bad. Write it again.")
        #expect("\(InterchangeError(path: "b", problem: "odd", advice: ""))" == "b: odd.")
    }
}
