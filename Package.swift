// swift-tools-version: 6.2
import PackageDescription

/// LibTorch: the folder in `LIBTORCH`, or what `scripts/bootstrap` linked into the package.
let libtorch = Context.environment["LIBTORCH"] ?? Context.packageDirectory + "/.torch/torch"
let torchLibraries = libtorch + "/lib"

/// `-Ounchecked` stays off: bad indices trap in every configuration.
let swiftSettings: [SwiftSetting] = [.enableUpcomingFeature("MemberImportVisibility")]

/// The engine's libraries with their run path, so that no executable needs LD_LIBRARY_PATH.
let torchLinkerSettings: [LinkerSetting] = [
    .unsafeFlags(["-L" + torchLibraries, "-Xlinker", "-rpath", "-Xlinker", torchLibraries]),
    .linkedLibrary("torch_cpu"),
    .linkedLibrary("c10"),
    .linkedLibrary("dl", .when(platforms: [.linux])),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

let package = Package(
    name: "Descent",
    platforms: [.macOS(.v14)],
    products: [
        .library(name: "Descent", targets: ["Descent"]),
        .library(name: "DescentCommands", targets: ["DescentCommands"]),
        .executable(name: "descent", targets: ["descent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        .target(
            name: "CTorch",
            cxxSettings: [
                .unsafeFlags([
                    "-isystem", libtorch + "/include",
                    "-isystem", libtorch + "/include/torch/csrc/api/include",
                ])
            ],
            linkerSettings: torchLinkerSettings),
        .target(name: "CKernels"),
        library("Torch", ["CTorch", "Interchange"]),
        library("Interchange"),
        library("RunLog", ["Interchange"]),
        library("Plots"),
        library("Proximal", ["CKernels", "Torch", "Settings"]),
        library("Solvers", ["Torch"]),
        library("ConvexNetworks", ["Torch", "RunLog", "Proximal", "Solvers", "Optimizers"]),
        library("Settings"),
        library("Optimizers", ["CKernels", "Torch", "Settings", "Proximal"]),
        library("Networks", ["Torch", "Settings", "Interchange"]),
        library("Trajectories", ["Torch", "Settings", "Proximal", "Optimizers"]),
        library("Programs", ["Torch", "Settings", "Networks"]),
        library("Structure", ["Torch", "Settings", "Interchange", "Proximal", "Networks", "Programs"]),
        library("Datasets", ["Torch", "Interchange", "Settings"]),
        library(
            "Estimators",
            ["Torch", "Interchange", "RunLog", "Settings", "Proximal", "ConvexNetworks", "Datasets"]),
        library(
            "Training",
            [
                "Torch", "Interchange", "RunLog", "Settings", "Proximal", "ConvexNetworks", "Optimizers",
                "Networks", "Programs", "Structure", "Datasets", "Estimators",
            ]),
        library(
            "Reports",
            [
                "Torch", "Interchange", "RunLog", "Plots", "ConvexNetworks", "Settings", "Networks", "Structure",
                "Datasets", "Estimators", "Training",
            ]),
        library(
            "Descent",
            [
                "Torch", "Interchange", "RunLog", "Proximal", "Solvers", "ConvexNetworks", "Settings", "Optimizers",
                "Trajectories", "Networks", "Programs", "Structure", "Datasets", "Estimators", "Training", "Reports",
            ]),
        library(
            "DescentCommands",
            [
                "Torch", "Interchange", "RunLog", "Plots", "Proximal", "ConvexNetworks", "Settings",
                "Optimizers", "Trajectories", "Networks", "Structure", "Datasets", "Estimators",
                "Training", "Reports",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "descent", dependencies: ["DescentCommands"], path: "Sources/descent-cli",
            swiftSettings: swiftSettings),
        .target(
            name: "TestSupport", dependencies: ["Torch", "Proximal"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        .target(name: "TestFiles", path: "Tests/TestFiles", swiftSettings: swiftSettings),
        tests("TorchTests", ["Torch", "TestSupport"]),
        tests("ProximalTests", ["Torch", "Settings", "Proximal", "TestSupport"], resources: [.copy("Resources")]),
        tests("SettingsTests", ["Settings"]),
        tests("RunLogTests", ["RunLog"]),
        tests("SolversTests", ["Torch", "Solvers", "TestSupport"]),
        tests(
            "ConvexNetworksTests",
            ["Torch", "RunLog", "Settings", "Proximal", "Solvers", "ConvexNetworks", "TestSupport"],
            resources: [.copy("Resources")]),
        .testTarget(
            name: "NetworksTests", dependencies: ["Torch", "Settings", "Networks", "Interchange", "TestSupport"],
            exclude: ["Generate"], resources: [.copy("Resources")], swiftSettings: swiftSettings),
        tests(
            "StructureTests", ["Torch", "Settings", "Networks", "Proximal", "Programs", "Structure", "TestSupport"]),
        .testTarget(
            name: "OptimizersTests",
            dependencies: ["Torch", "Settings", "Proximal", "Optimizers", "Trajectories", "TestSupport"],
            exclude: ["Generate"], resources: [.copy("Resources")], swiftSettings: swiftSettings),
        tests(
            "TrainingTests",
            [
                "Training", "Networks", "Optimizers", "Settings", "Datasets", "Estimators", "ConvexNetworks",
                "Proximal", "Structure", "RunLog", "Interchange", "Torch", "TestSupport", "TestFiles",
            ]),
        tests("DatasetsTests", ["Torch", "Interchange", "Settings", "Datasets", "TestFiles"]),
        .testTarget(
            name: "InterchangeTests", dependencies: ["Interchange", "TestFiles"], exclude: ["Generate"],
            swiftSettings: swiftSettings),
        tests("PlotsTests", ["Plots"]),
        tests(
            "ReportsTests",
            [
                "Reports", "Training", "Estimators", "ConvexNetworks", "Datasets", "Networks", "Optimizers", "RunLog",
                "Interchange", "Torch", "TestSupport", "TestFiles",
            ]),
        tests(
            "EstimatorsTests",
            [
                "Estimators", "Datasets", "ConvexNetworks", "Torch", "Interchange", "Proximal", "RunLog", "TestSupport",
                "TestFiles",
            ]),
        .testTarget(
            name: "CommandLineTests", dependencies: ["TestFiles"], exclude: ["Snapshots"], swiftSettings: swiftSettings),
    ],
    cxxLanguageStandard: .cxx20
)

// Off by default, since an executable without LibFuzzer's engine does not link: scripts/fuzz builds it.
if Context.environment["DESCENT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz-engine",
            dependencies: [
                "Torch", "Interchange", "RunLog", "Proximal", "ConvexNetworks", "Settings", "Optimizers",
                "Networks", "Programs", "Structure", "Datasets", "Estimators", "Training", "DescentCommands",
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Fuzz/Engine", swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
