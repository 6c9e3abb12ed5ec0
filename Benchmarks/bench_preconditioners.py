"""Is a Nyström sketch of rank 20 enough? Products with the data to a certified gap, by preconditioner, three data sets.

The same program, the same ADMM and the same inner accuracy; only the preconditioner of the linear system changes.
"""

import common  # noqa: I001  (first: fixes the threads)

import numpy as np

import fashion
import tables
from common import first_time, fit, history

METHODS = {
    "none": ["--preconditioner", "none"],
    "Nyström, rank 5": ["--preconditioner", "nystrom", "--rank", "5"],
    "Nyström, rank 20 (paper)": ["--preconditioner", "nystrom", "--rank", "20"],
    "Nyström, rank 100": ["--preconditioner", "nystrom", "--rank", "100"],
    "Gram factor": ["--preconditioner", "gram"],
    "exact factor": ["--preconditioner", "exact"],
}


def draw(name: str, rows: int):
    """Writes a two-class data set, standardised by descent; returns the file."""
    if name == "fashion-mnist 2/8":
        x, y = fashion.load("train", classes=[2, 8], rows=rows)
        return fashion.write_npz("preconditioners", x, labels=(y == 8).astype(np.int64))
    x, y, _ = tables.load(name)
    codes = {label: i for i, label in enumerate(np.unique(y))}
    return fashion.write_npz("preconditioners", x[:rows], labels=np.array([codes[v] for v in y[:rows]]))


def inner_products(result: dict, seconds: float | None) -> float | None:
    """Returns the conjugate-gradient products spent until then, in proportion to the time of the solve."""
    points = [p for p in history(result) if p.get("relativeGap") is not None]
    if seconds is None or not points or not result.get("iterations"):
        return None
    iteration = next(p["iteration"] for p in points if p["seconds"] >= seconds)
    return result["pcgIterations"] * iteration / result["iterations"]


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["fashion-mnist 2/8", "satellite", "breast_cancer"],
                        help="data sets")
    parser.add_argument("--rows", type=int, default=6000, help="rows at most")
    parser.add_argument("--patterns", type=int, default=16, help="activation patterns")
    parser.add_argument("--share", type=float, default=1e-3, help="penalty over rows")
    parser.add_argument("--tolerance", type=float, default=1e-2, help="relative gap to reach")
    parser.set_defaults(time_limit=30)
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    if not executable:
        raise SystemExit("nothing to measure: descent is the only contestant")
    rows, data = [], {}
    for name in options.sets:
        path = draw(name, options.rows)
        count = len(np.load(path)["labels"])
        for label, flags in METHODS.items():
            result = fit(executable, path, "--patterns", options.patterns, "--penalty", f"{options.share * count:g}",
                         "--loss", "squared", "--tolerance", options.tolerance, *flags, options=options)
            reached = first_time(result, lambda p: p.get("relativeGap") is not None
                                 and p["relativeGap"] <= options.tolerance)
            solve = result.get("secondsByPhase") or {}
            rows.append([f"{name}, {label}", result.get("relativeGap"), reached, result.get("iterations"),
                         inner_products(result, reached), solve.get("factor"), result.get("linearSolver")])
            data[f"{name}, {label}"] = result
    columns = ["", "gap at the end", f"s to a gap of {options.tolerance:g}", "ADMM iterations", "PCG products",
               "s to factor", "solver"]
    notes = [f"At most {options.rows} rows, {options.patterns} random patterns, penalty {options.share:g}·n, squared "
             f"loss, at most {options.time_limit:g} s each; a dash: not reached, or no such products."]
    common.publish(options.name or "preconditioners", "Preconditioners of the linear system", columns, rows, notes,
                   {"runs": data, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
