// Reads a CSV table with text and missing values, and predicts one of its columns.
import Descent
import Foundation

// Matrices this small gain nothing from further threads.
Runtime.threads = 1
guard let path = Bundle.module.path(forResource: "apartments", ofType: "csv") else {
    fatalError("apartments.csv is not beside the program")
}
let data = try loadData(DataRequest(source: path, target: "rent")).train
for notice in data.notices { print("note: \(notice)") }
print("\(data.count) rows, \(data.featureNames.count) features: \(data.featureNames.joined(separator: ", "))")

let parts = Split.random(count: data.count, fraction: 0.25, seed: 0)
let (train, test) = (data.rows(parts.train), data.rows(parts.held))

let fitted = try ConvexRegressor(neurons: 32).fit(train.features, train.targets!)
print("penalty \(fitted.report.penalty), \(fitted.report.penaltyChoice)")
print("R² \(fitted.report.trainR2 ?? .nan) on the training rows, \(try fitted.model.score(test)) on the others")
print(fitted.report.certificate)

// Predictions are in the units of the target.
let rents = try fitted.model.outputs(test.features).doubles()
for (predicted, actual) in zip(rents, test.targets!.doubles()).prefix(5) {
    print("predicted \(Int(predicted.rounded())), actual \(Int(actual))")
}
