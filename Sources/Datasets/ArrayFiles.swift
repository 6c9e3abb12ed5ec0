import Foundation
import Interchange

/// Finds features and labels in the files that hold arrays.
enum ArrayFiles {
    private static let featureNames = ["features", "x", "X", "data", "images", "inputs"]
    private static let targetNames: [(String, ArrayAssembly.Role)] = [
        ("labels", .labels), ("label", .labels), ("targets", .targets), ("y", .unknown), ("Y", .unknown),
        ("target", .unknown),
    ]

    /// Reads an archive of named arrays, for training rows or, where `suffix` is `_test`, for its test rows.
    ///
    /// Returns nil where an archive has no test rows of its own.
    static func archive(
        _ arrays: [String: ArrayData], context: ReadContext, isTest: Bool = false
    ) throws -> Dataset? {
        func array(_ name: String) -> (name: String, array: ArrayData)? {
            let names = isTest ? [name + "_test", "test_" + name] : [name, name + "_train", "train_" + name]
            return names.lazy.compactMap { key in arrays[key].map { (key, $0) } }.first
        }
        guard let features = featureNames.lazy.compactMap({ array($0) }).first else {
            if isTest { return nil }
            throw context.error(
                "it holds no array 'features', only \(listed(arrays.keys.sorted()))",
                "Name the arrays 'features' and 'labels' or 'targets'")
        }
        var target: (name: String, role: ArrayAssembly.Role, array: ArrayData)?
        if let name = context.target {
            guard let found = array(name) else {
                throw context.error(
                    "it holds no array '\(name)' to predict, only \(listed(arrays.keys.sorted()))",
                    "Name one of these with `target`")
            }
            target = (found.name, .unknown, found.array)
        } else {
            for (name, role) in targetNames where target == nil {
                if let found = array(name) { target = (found.name, role, found.array) }
            }
        }
        if target == nil && context.needsTarget {
            throw context.error(
                "it holds no array 'labels' or 'targets', only \(listed(arrays.keys.sorted()))",
                "Add one, or name another with `target`")
        }
        return try ArrayAssembly(
            context: context, features: FeatureArray(name: features.name, array: features.array), target: target
        ).dataset()
    }

    /// Reads features from a `.npy` file and labels from the file the context names or one beside it.
    static func npy(context: ReadContext) throws -> Dataset {
        let path = context.path
        let features = try FeatureArray(npy: path)
        let stem = String(path.dropLast(4))
        let beside = ["-labels.npy", "_labels.npy", "-targets.npy", "_targets.npy"].map { stem + $0 }
        let found = context.target ?? beside.first { FileManager.default.fileExists(atPath: $0) }
        guard let labels = found else {
            guard !context.needsTarget else {
                throw context.error("there is no file '\(beside[0])' with its labels", "Name one with `target`")
            }
            return try ArrayAssembly(context: context, features: features, target: nil).dataset()
        }
        let name = labels.split(separator: "/").last.map(String.init) ?? labels
        let role: ArrayAssembly.Role =
            context.target != nil ? .unknown : name.hasSuffix("labels.npy") ? .labels : .targets
        let target = (name: name, role: role, array: try Npy.read(labels))
        return try ArrayAssembly(context: context, features: features, target: target).dataset()
    }

    /// Reads IDX images and, where there are any, their labels.
    static func idx(images: String, labels: String?, context: ReadContext) throws -> Dataset {
        let features = FeatureArray(name: "images", array: try Idx.read(images))
        guard let labels else {
            guard !context.needsTarget else {
                throw context.error(
                    "there is no labels-idx1 file beside these images", "Name one with `target`, or copy it there")
            }
            return try ArrayAssembly(context: context, features: features, target: nil).dataset()
        }
        let target = (name: "labels", role: ArrayAssembly.Role.labels, array: try Idx.read(labels))
        return try ArrayAssembly(context: context, features: features, target: target).dataset()
    }
}
