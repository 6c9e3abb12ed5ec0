"""Seventeen real tables, five seeded 75/25 splits each: `descent fit` against scikit-learn.

Score: accuracy for classes, R² for numbers, on the test quarter. Seconds: from raw training rows to test predictions,
with the choice of settings where a method makes one. Every method sees the same rows and scales them itself. A split's
score of a method is one cell; cells are kept in results/tables-cells.json, so the run can be stopped and goes on where
it was (`--redo METHOD` measures a method again).
"""

import common  # noqa: I001  (first: fixes the threads)

import json
import statistics
import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import ParameterSampler, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tables
from common import DATA, RESULTS, fit, fraction

METHODS = ("descent", "linear", "boosting", "mlp", "mlp tuned")
TITLES = {"linear": "logistic / ridge, CV", "boosting": "gradient boosting", "mlp": "MLP, defaults",
          "mlp tuned": "MLP, tuned (20)"}


class LogUniform:
    """Draws numbers uniformly in the exponent, as ParameterSampler wants it."""

    def __init__(self, low: float, high: float):
        self.low, self.high = np.log(low), np.log(high)

    def rvs(self, random_state=None):
        return float(np.exp(random_state.uniform(self.low, self.high)))


GRID = {
    "hidden_layer_sizes": [(32,), (64,), (128,), (256,), (64, 64), (128, 128)],
    "alpha": LogUniform(1e-6, 1.0),
    "learning_rate_init": LogUniform(3e-4, 1e-2),
    "batch_size": [64, 200],
    "max_iter": [100, 200],
    "early_stopping": [False, True],
}


def mlp(classes: bool, seed: int, **settings):
    """Returns a scaled multilayer perceptron; for numbers, the target is scaled too."""
    if classes:
        return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, **settings))
    inner = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed, **settings))
    return TransformedTargetRegressor(inner, transformer=StandardScaler())


def linear(classes: bool, seed: int, rows: int):
    """Returns a scaled linear model with its strength chosen by cross-validation."""
    if not classes:
        return make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-4, 4, 25)))
    workers = common.THREADS if rows > 2000 else 1  # on small tables handing work over costs more than it brings
    chooser = LogisticRegressionCV(Cs=10, cv=5, max_iter=1000, n_jobs=workers, random_state=seed,
                                   use_legacy_attributes=False, l1_ratios=(0,))
    return make_pipeline(StandardScaler(), chooser)


def boosting(classes: bool, seed: int, rows: int):
    """Returns gradient boosting as it comes."""
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(random_state=seed)


def score(classes: bool, truth, predicted) -> float:
    """Returns accuracy or R²."""
    return float(np.mean(truth == predicted)) if classes else float(r2_score(truth, predicted))


def quietly(model, x, y):
    """Fits without the warnings about iteration limits (they are part of the settings)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def tuned_mlp(x, y, classes: bool, seed: int):
    """Tries 20 random settings on inner 80/20 splits, trains the best one again on all training rows.

    Small tables get three inner splits (their mean counts) and no early stopping, a tenth of them being too few.
    """
    small = len(x) < 1500
    settings = list(ParameterSampler(GRID, 20, random_state=seed))
    for one in settings:
        one["batch_size"] = min(one["batch_size"], int(0.8 * len(x)))
        one["early_stopping"] = one["early_stopping"] and not small
    parts = [train_test_split(x, y, test_size=0.2, random_state=seed + i, stratify=stratum(y, classes))
             for i in range(3 if small else 1)]

    def attempt(one):
        return np.mean([score(classes, yh, quietly(mlp(classes, seed, **one), inner, yi).predict(held))
                        for inner, held, yi, yh in parts])

    scores = Parallel(n_jobs=common.THREADS)(delayed(attempt)(one) for one in settings)
    best = settings[int(np.argmax(scores))]
    return quietly(mlp(classes, seed, **best), x, y), best


def stratum(y, classes: bool):
    """Returns what to split by: the classes, where each has at least two rows."""
    return y if classes and np.unique(y, return_counts=True)[1].min() >= 2 else None


def sklearn_cell(method: str, x, y, xt, yt, classes: bool, seed: int) -> dict:
    """Fits one scikit-learn method and scores it."""
    start, chosen = time.perf_counter(), None
    if method == "mlp tuned":
        model, chosen = tuned_mlp(x, y, classes, seed)
    else:
        build = {"linear": linear, "boosting": boosting, "mlp": lambda c, s, rows: mlp(c, s)}[method]
        model = quietly(build(classes, seed, len(x)), x, y)
    predicted = model.predict(xt)
    seconds = time.perf_counter() - start
    return {"score": score(classes, yt, predicted), "seconds": seconds, "settings": chosen}


def warm_up(methods) -> None:
    """Runs each method once, so that no cell pays for worker processes or first imports."""
    for method in methods:
        if method != "descent":
            sklearn_cell(method, *tables.split("iris", 99), 99)


def regression_score(result: dict, yt) -> float | None:
    """Returns R² from descent's result, by whichever of its names it goes, or from the test error."""
    for key in ("testRSquared", "testR2", "testScore"):
        if result.get(key) is not None:
            return float(result[key])
    error = result.get("testMeanSquaredError", result.get("testMSE"))
    return None if error is None else 1 - error / float(np.var(yt))


def descent_cell(executable, name: str, x, y, xt, yt, classes: bool, seed: int, options) -> dict:
    """Runs `descent fit` on CSV files of the split."""
    train = tables.write_csv(DATA / "tables" / f"{name}-{seed}-train.csv", x, y)
    test = tables.write_csv(DATA / "tables" / f"{name}-{seed}-test.csv", xt, yt)
    kind = [] if classes else ["--loss", "squared"]
    result = fit(executable, train, "--target", "label", "--test", test, *kind, options=options)
    value = fraction(result.get("testAccuracy")) if classes else regression_score(result, yt)
    kept = {k: result.get(k) for k in ("failed", "neurons", "penalty", "relativeGap", "termination", "seconds")}
    return {"score": value, "seconds": result["wallSeconds"], "settings": kept}


class Cells:
    """Scores and seconds by table, method and split, in a file that is rewritten after each one."""

    def __init__(self, path):
        self.path = path
        self.found = json.loads(path.read_text()) if path.exists() else {}

    def get(self, table: str, method: str, seed: int):
        return self.found.get(f"{table}/{method}/{seed}")

    def put(self, table: str, method: str, seed: int, cell: dict) -> None:
        self.found[f"{table}/{method}/{seed}"] = cell
        self.path.parent.mkdir(exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.found, indent=0, default=common.plain) + "\n")
        temporary.replace(self.path)

    def drop(self, methods: list[str]) -> None:
        self.found = {k: v for k, v in self.found.items() if k.split("/")[1] not in methods}


def measure(executable, name: str, methods, options, cells: Cells) -> None:
    """Fills the cells of one table."""
    for seed in range(options.splits):
        missing = [m for m in methods if cells.get(name, m, seed) is None]
        if not missing:
            continue
        x, y, xt, yt, classes = tables.split(name, seed)
        for method in missing:
            if method == "descent":
                cell = descent_cell(executable, name, x, y, xt, yt, classes, seed, options)
            else:
                cell = sklearn_cell(method, x, y, xt, yt, classes, seed)
            if cell["score"] is not None:
                cells.put(name, method, seed, cell)
            print(f"  {name} {method} {seed}: {common.number(cell['score'])} in {cell['seconds']:.1f} s", flush=True)


def summary(name: str, methods, options, cells: Cells) -> tuple[list, dict]:
    """Returns the table's row (mean ± sd and mean seconds of each method) and the means."""
    x, y, classes = tables.load(name)
    row = [f"{name} ({len(x)} × {x.shape[1]}, " + (f"{len(np.unique(y))} classes)" if classes else "R²)")]
    means = {}
    for method in methods:
        found = [c for s in range(options.splits) if (c := cells.get(name, method, s))]
        scale = 100 if classes else 1
        digits = 1 if classes else 3
        if not found:
            row += ["–", "–"]
            continue
        scores = [scale * c["score"] for c in found]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        means[method] = {"mean": statistics.mean(scores), "sd": spread, "splits": len(scores),
                         "seconds": statistics.mean(c["seconds"] for c in found)}
        row += [f"{means[method]['mean']:.{digits}f} ± {spread:.{digits}f}", f"{means[method]['seconds']:.3g}"]
    return row, means


def ranks(data: dict, methods) -> list:
    """Returns a last row with each method's mean rank (1 is best) over the tables that have all methods."""
    sums, count = {m: 0.0 for m in methods}, 0
    for means in data.values():
        if set(means) != set(methods):
            continue
        values = {m: means[m]["mean"] for m in methods}
        for m in methods:
            above = sum(v > values[m] for v in values.values())
            equal = sum(v == values[m] for v in values.values()) - 1
            sums[m] += 1 + above + equal / 2
        count += 1
    row = [f"mean rank over {count} tables"]
    for m in methods:
        row += [f"{sums[m] / count:.2f}" if count else "–", ""]
    return row


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    everything = list(tables.CATALOGUE)
    parser.add_argument("--tables", nargs="+", choices=everything, default=everything, help="tables")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--splits", type=int, default=5, help="seeded 75/25 splits of each table")
    parser.add_argument("--quick", action="store_true", help=f"leave out the large ones ({', '.join(tables.LARGE)})")
    parser.add_argument("--redo", nargs="+", choices=METHODS, default=[], help="measure these methods again")
    parser.add_argument("--show", action="store_true", help="measure nothing, print what there is")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    methods = [m for m in options.methods if not (m == "descent" and options.no_descent)]
    executable = common.find_descent(options) if "descent" in methods and not options.show else None
    name = options.name or "tables"
    cells = Cells(RESULTS / f"{name}-cells.json")
    cells.drop(options.redo)
    chosen = [t for t in options.tables if not (options.quick and t in tables.LARGE)]
    rows, data = [], {}
    if not options.show:
        warm_up(methods)
    for table in chosen:
        if not options.show:
            measure(executable, table, methods, options, cells)
        row, data[table] = summary(table, methods, options, cells)
        rows.append(row)
    rows.append(ranks(data, methods))
    columns = ["table"] + [c for m in methods for c in (TITLES.get(m, m), "s")]
    notes = [f"Mean ± standard deviation over {options.splits} splits: accuracy in percent, or R². "
             "Seconds include the choice of settings; descent's are of the whole process, files included."]
    common.publish(name, "Real tables against scikit-learn", columns, rows, notes, {"means": data})


if __name__ == "__main__":
    main()
