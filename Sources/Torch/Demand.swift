/// Ends the program with a text where a condition that the caller must keep does not hold.
///
/// The standard library's `precondition` prints nothing in release builds, where a server's log would need it most.
package func demand(
    _ condition: @autoclosure () -> Bool, _ text: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    if !condition() { fatalError(text(), file: file, line: line) }
}
