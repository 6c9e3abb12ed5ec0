// swift-tools-version: 6.2
import PackageDescription

/// Descent by URL and version, as any other package would have it, where `DESCENT_URL` names a repository with a tag;
/// else the folder above.
let descent: Package.Dependency =
    Context.environment["DESCENT_URL"].map { .package(url: $0, from: "0.1.0") }
    ?? .package(name: "Descent", path: "..")

let library = Target.Dependency.product(name: "Descent", package: "Descent")

/// Small programs that use Descent as a dependency.
let package = Package(
    name: "Examples",
    platforms: [.macOS(.v14)],
    dependencies: [descent],
    targets: [
        .executableTarget(name: "QuickStart", dependencies: [library]),
        .executableTarget(
            name: "RegressionTable", dependencies: [library], resources: [.copy("apartments.csv")]),
        .executableTarget(name: "OwnModule", dependencies: [library]),
        .executableTarget(
            name: "OwnOptimizer", dependencies: [library, .product(name: "DescentCommands", package: "Descent")]),
        .executableTarget(name: "LowLevel", dependencies: [library]),
    ]
)
