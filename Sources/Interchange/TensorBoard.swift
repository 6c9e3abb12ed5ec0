import Foundation

/// Writes scalars to a TensorBoard event file: TFRecord frames around `Event` messages in protocol-buffer encoding.
public final class TensorBoardWriter {
    private let handle: FileHandle
    private let path: String

    /// Creates `events.out.tfevents.…` in a folder; an earlier file of a resumed run stays beside it.
    ///
    /// Throws where the file cannot be written.
    public init(folder: String, time: Double = Date().timeIntervalSince1970) throws(InterchangeError) {
        var name = "events.out.tfevents.\(Int(time)).descent"
        var suffix = 0
        while FileManager.default.fileExists(atPath: "\(folder)/\(name)") {
            suffix += 1
            name = "events.out.tfevents.\(Int(time)).descent.\(suffix)"
        }
        path = "\(folder)/\(name)"
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw InterchangeError(path, "it cannot be written", "Check the folder's permissions and the disk") }
        self.handle = handle
        var event = ProtocolBuffer()
        event.add(1, double: time)
        event.add(3, text: "brain.Event:2")
        try write(event)
    }

    deinit { try? handle.close() }

    /// Adds numbers of one step.
    ///
    /// Throws where the file cannot be written.
    public func add(
        step: Int, scalars: [(tag: String, value: Double)], time: Double = Date().timeIntervalSince1970
    ) throws(InterchangeError) {
        guard !scalars.isEmpty else { return }
        var summary = ProtocolBuffer()
        for (tag, value) in scalars {
            var entry = ProtocolBuffer()
            entry.add(1, text: tag)
            entry.add(2, float: Float(value))
            summary.add(1, message: entry)
        }
        var event = ProtocolBuffer()
        event.add(1, double: time)
        event.add(2, integer: UInt64(step))
        event.add(5, message: summary)
        try write(event)
    }

    /// A checksum as TFRecord files hold it.
    static func masked(_ bytes: [UInt8]) -> UInt32 {
        let crc = CRC32.castagnoli.checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    /// One frame: length, masked checksum of the length, message, masked checksum of the message.
    private func write(_ message: ProtocolBuffer) throws(InterchangeError) {
        var frame: [UInt8] = []
        frame.appendLittle(UInt64(message.bytes.count))
        frame.appendLittle(Self.masked(frame))
        frame += message.bytes
        frame.appendLittle(Self.masked(message.bytes))
        do {
            try handle.write(contentsOf: frame)
        } catch {
            throw InterchangeError(path, "it cannot be written", "Check the disk")
        }
    }
}

/// The few parts of protocol-buffer encoding that events need.
private struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    private mutating func key(_ field: Int, _ wire: Int) { variable(UInt64(field << 3 | wire)) }

    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func add(_ field: Int, integer: UInt64) {
        key(field, 0)
        variable(integer)
    }

    mutating func add(_ field: Int, double: Double) {
        key(field, 1)
        bytes.appendLittle(double.bitPattern)
    }

    mutating func add(_ field: Int, float: Float) {
        key(field, 5)
        bytes.appendLittle(float.bitPattern)
    }

    mutating func add(_ field: Int, text: String) { add(field, content: Array(text.utf8)) }
    mutating func add(_ field: Int, message: ProtocolBuffer) { add(field, content: message.bytes) }

    private mutating func add(_ field: Int, content: [UInt8]) {
        key(field, 2)
        variable(UInt64(content.count))
        bytes += content
    }
}
