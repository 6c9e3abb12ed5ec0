"""Fashion-MNIST, classes 2 against 8: descent's ADMM against the same ADMM with the reference's linear solver.

All rows are descent: as it stands, with the reference's Nyström preconditioner of rank 20, and with `--preset paper`
(the reference's splitting and step too). Patterns, rows and penalty are the same. A run reaches its goal when
- its own certificate (`relativeGap`) is at most the tolerance, and
- its objective is within the tolerance of the best lower bound that any of the runs proved:
  (objective − bound) / |objective|. The second does not depend on how well a run's own bound is.
"""

import common  # noqa: I001  (first: fixes the threads)

import numpy as np

import fashion
from common import best_accuracy, first_time, fit, history, percent

METHODS = {
    "descent": [],
    "descent with the reference's PCG": ["--preconditioner", "nystrom", "--rank", "20"],
    "the reference's ADMM and PCG": ["--preset", "paper"],
}


def prepare(options) -> dict:
    """Writes the training and test rows of the two classes, standardised, labelled 0 and 1."""
    files, parts = {}, {}
    for part in ("train", "test"):
        x, y = fashion.load(part, classes=options.classes, rows=options.rows if part == "train" else None)
        parts[part] = (x, (y == options.classes[1]).astype(np.int64))
    scaled = fashion.standardise(parts["train"][0], parts["test"][0], per_feature=options.scaling == "feature")
    for part, x in zip(("train", "test"), scaled):
        files[part] = fashion.write_npz(f"binary-{part}", x, labels=parts[part][1])
    return files | {"rows": len(scaled[0])}


def own_gap_time(result: dict, tolerance: float):
    """Returns when the run's own relative gap first was at most the tolerance."""
    return first_time(result, lambda p: p.get("relativeGap") is not None and p["relativeGap"] <= tolerance)


def shared_gap_time(result: dict, bound: float | None, tolerance: float):
    """Returns when the objective first was within the tolerance of the shared lower bound."""
    def close(point):
        value = point.get("objective")
        return value is not None and value - bound <= tolerance * abs(value)
    return None if bound is None else first_time(result, close)


def lower_bound(results: list[dict]) -> float | None:
    """Returns the best lower bound on the optimum among the runs (they solve one and the same program)."""
    bounds = [r.get("dualBound") for r in results]
    for result in results:
        for point in history(result):
            gap, value = point.get("relativeGap"), point.get("objective")
            bounds.append(point.get("dualBound") or (value * (1 - gap) if None not in (gap, value) else None))
    return max((b for b in bounds if b is not None), default=None)


def compare(executable, files: dict, formulation: str, penalty: float, options) -> tuple[list, dict]:
    """Runs both methods on one program; returns table rows and results."""
    flags = ["--formulation", formulation, "--loss", "squared", "--patterns", options.patterns, "--penalty", penalty,
             "--no-bias", "--no-standardize", "--tolerance", options.tolerance, "--max-iterations", 20000,
             "--test", files["test"]]
    results = {label: fit(executable, files["train"], *flags, *extra, options=options)
               for label, extra in METHODS.items()}
    bound = lower_bound(list(results.values()))
    rows = []
    for label, result in results.items():
        rows.append([f"{label}, {formulation}, β {penalty:g}", result.get("objective"), result.get("relativeGap"),
                     own_gap_time(result, options.tolerance), shared_gap_time(result, bound, options.tolerance),
                     result.get("seconds"), result.get("iterations"), result.get("pcgIterations"),
                     percent(result.get("testAccuracy")), percent(best_accuracy(result))])
    return rows, {"bound": bound, "runs": results}


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--classes", nargs=2, type=int, default=[2, 8], help="the two classes")
    parser.add_argument("--rows", type=int, default=6000, help="training rows")
    parser.add_argument("--patterns", type=int, default=32, help="activation patterns")
    parser.add_argument("--formulations", nargs="+", choices=("relu", "gated"), default=["relu", "gated"],
                        help="programs")
    parser.add_argument("--penalties", nargs="+", type=float, default=[10.0], help="strengths of the group norm")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative gap to reach")
    parser.add_argument("--scaling", choices=("global", "feature"), default="global", help="how rows are standardised")
    parser.set_defaults(time_limit=150)
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    if not executable:
        raise SystemExit("nothing to measure: both contestants are descent")
    files = prepare(options)
    rows, data = [], {}
    for formulation in options.formulations:
        for penalty in options.penalties:
            more, found = compare(executable, files, formulation, penalty, options)
            rows += more
            data[f"{formulation} {penalty:g}"] = found
    gap = f"{options.tolerance:g}"
    columns = ["", "objective", "own gap", f"s to own gap {gap}", f"s to shared gap {gap}", "s in all", "ADMM its",
               "PCG its", "test accuracy", "best test accuracy"]
    notes = [f"{files['rows']} rows of classes {options.classes[0]} and {options.classes[1]}, "
             f"{options.patterns} patterns, at most {options.time_limit:g} s each; a dash: not reached.",
             "Shared gap: against the best lower bound that either run of the pair proved. A ReLU run's objective "
             "can lie under that bound where it is not feasible for the sampled patterns."]
    title = "Fashion-MNIST, two classes: time to a certified gap"
    common.publish(options.name or "binary", title, columns, rows, notes,
                   {"programs": data, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
