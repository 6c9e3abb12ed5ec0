/// Parses decimal numbers from bytes, correctly rounded.
enum DecimalNumber {
    /// Parses a number such as `-12`, `.5` or `6.02e23` at `cursor` and moves behind it.
    ///
    /// Returns nil, without moving, where there is none; what follows the number is not looked at.
    @inline(__always)
    static func scan(_ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Double? {
        var ahead = cursor
        guard ahead < end else { return nil }
        let isNegative = ahead.pointee == UInt8(ascii: "-")
        if isNegative || ahead.pointee == UInt8(ascii: "+") { ahead += 1 }
        let firstDigit = ahead
        var mantissa: UInt64 = 0
        scanDigits(&ahead, end, &mantissa)
        var digitCount = ahead - firstDigit
        var exponent = 0
        if ahead < end, ahead.pointee == UInt8(ascii: ".") {
            ahead += 1
            let firstDecimal = ahead
            scanDigits(&ahead, end, &mantissa)
            exponent = firstDecimal - ahead
            digitCount -= exponent
        }
        guard digitCount > 0 else { return nil }
        if ahead < end, ahead.pointee | 0x20 == UInt8(ascii: "e") {
            guard let written = scanExponent(&ahead, end) else { return nil }
            exponent += written
        }
        let start = cursor
        cursor = ahead
        // Up to 2^53 and 10^22 both operands are exact, so that the one operation rounds once.
        if digitCount <= 19, mantissa <= 1 << 53, -22...22 ~= exponent {
            let magnitude = Double(mantissa)
            let value = exponent < 0 ? magnitude / powerOfTen(-exponent) : magnitude * powerOfTen(exponent)
            return isNegative ? -value : value
        }
        return scanLong(start, ahead, mantissa, exponent, isNegative: isNegative)
    }

    @inline(__always)
    private static func scanDigits(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ mantissa: inout UInt64
    ) {
        while cursor < end {
            let digit = cursor.pointee &- UInt8(ascii: "0")
            guard digit < 10 else { return }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            cursor += 1
        }
    }

    @inline(never)
    private static func scanExponent(_ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int? {
        cursor += 1
        guard cursor < end else { return nil }
        let isNegative = cursor.pointee == UInt8(ascii: "-")
        if isNegative || cursor.pointee == UInt8(ascii: "+") { cursor += 1 }
        let first = cursor
        var value = 0
        while cursor < end {
            let digit = cursor.pointee &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            // Anything this large is zero or infinite, whatever the digits before it.
            value = min(value * 10 + Int(digit), 1 << 40)
            cursor += 1
        }
        return cursor == first ? nil : isNegative ? -value : value
    }

    /// The value of a number with too many digits, or too large an exponent, for one exact operation.
    @inline(never)
    private static func scanLong(
        _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ mantissa: UInt64, _ exponent: Int,
        isNegative: Bool
    ) -> Double? {
        let text = UnsafeBufferPointer(start: start, count: end - start)
        let significant = text.lazy.prefix { $0 | 0x20 != UInt8(ascii: "e") }
            .drop { !(UInt8(ascii: "1")...UInt8(ascii: "9") ~= $0) }
            .reduce(0) { $0 + ($1 == UInt8(ascii: ".") ? 0 : 1) }
        if significant <= 19, let value = wideProduct(mantissa, exponent) { return isNegative ? -value : value }
        // Swift's own conversion takes every length and range, and does not depend on the locale as strtod does.
        return Double(String(decoding: text, as: UTF8.self))
    }

    /// `mantissa * 10^exponent` rounded once, by way of `5^|exponent|`, which is exact up to 27; nil beyond.
    private static func wideProduct(_ mantissa: UInt64, _ exponent: Int) -> Double? {
        guard mantissa != 0 else { return 0 }
        guard -27...27 ~= exponent else { return nil }
        let power = powerOfFive(abs(exponent))
        let zeros = mantissa.leadingZeroBitCount
        let (top, rest, binaryExponent): (UInt64, UInt64, Int)
        if exponent < 0 {
            // With the top bit of both operands set, the quotient has at least 63 bits.
            let shift = power.leadingZeroBitCount
            let dividend = mantissa << UInt64(zeros)
            (top, rest) = (power << UInt64(shift)).dividingFullWidth((dividend >> 1, dividend << 63))
            binaryExponent = exponent + shift - zeros - 63
        } else {
            let product = mantissa.multipliedFullWidth(by: power)
            let shift = UInt64(product.high.leadingZeroBitCount)
            top = product.high << shift | (shift == 0 ? 0 : product.low >> (64 - shift))
            rest = product.low << shift
            binaryExponent = exponent + 64 - Int(shift)
        }
        // A set lowest bit stands for all that was cut off, so that rounding to 53 bits sees which side of half it is.
        return Double(top | (rest == 0 ? 0 : 1)) * Double(sign: .plus, exponent: binaryExponent, significand: 1)
    }

    private static func powerOfFive(_ exponent: Int) -> UInt64 { (0..<exponent).reduce(1) { power, _ in power * 5 } }

    @inline(__always)
    private static func powerOfTen(_ exponent: Int) -> Double { powersOfTen[exponent] }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
