// swift-tools-version: 6.2
import PackageDescription

/// Small programs that use Descent as a dependency, as any other package would.
let package = Package(
    name: "Examples",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "Descent", path: "..")],
    targets: [
        .executableTarget(name: "QuickStart", dependencies: [.product(name: "Descent", package: "Descent")]),
        .executableTarget(
            name: "RegressionTable", dependencies: [.product(name: "Descent", package: "Descent")],
            resources: [.copy("apartments.csv")]),
        .executableTarget(name: "TrainNetwork", dependencies: [.product(name: "Descent", package: "Descent")]),
        .executableTarget(name: "LowLevel", dependencies: [.product(name: "Descent", package: "Descent")]),
    ]
)
