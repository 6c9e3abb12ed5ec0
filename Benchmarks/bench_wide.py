"""Wide data: 2,600 rows of 200,000 random features (2 GB); fit time and peak memory against the size of the data."""

import common  # noqa: I001  (first: fixes the threads)

import gc

import numpy as np

import fashion
from common import fit, number, percent


def generate(options):
    """Writes float32 Gaussian rows whose label is the sign of a planted eight-unit ReLU network; returns the file."""
    random = np.random.default_rng(options.seed)
    features = random.standard_normal((options.rows, options.columns), dtype=np.float32)
    first = random.standard_normal((options.columns, 8), dtype=np.float32) / np.float32(options.columns ** 0.5)
    second = random.standard_normal(8).astype(np.float32)
    outputs = np.maximum(features @ first, 0) @ second
    labels = (outputs > np.median(outputs)).astype(np.int64)
    return fashion.write_npy("wide", features, labels)


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2600, help="rows")
    parser.add_argument("--columns", type=int, default=200_000, help="features")
    parser.add_argument("--patterns", type=int, default=10, help="activation patterns")
    parser.add_argument("--formulations", nargs="+", choices=("relu", "gated"), default=["relu"], help="programs")
    parser.add_argument("--penalty", type=float, default=1.0, help="strength of the group norm")
    parser.add_argument("--keep", action="store_true", help="keep the generated file")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    if not executable:
        raise SystemExit("nothing to measure: descent is the only contestant")
    path = generate(options)
    gc.collect()
    size = 4 * options.rows * options.columns
    rows, results = [], {}
    for formulation in options.formulations:
        result = fit(executable, path, "--formulation", formulation, "--loss", "squared", "--patterns",
                     options.patterns, "--penalty", options.penalty, options=options)
        results[formulation] = result
        rows.append([f"descent, {formulation}", size / 1e9, result.get("seconds"), result["wallSeconds"],
                     result["maxRSSBytes"] / 1e9, result["maxRSSBytes"] / size, result.get("relativeGap"),
                     percent(result.get("trainAccuracy"))])
    if not options.keep:
        fashion.remove_npy(path)
    columns = ["", "data, GB", "s of the fit", "s of the process", "peak memory, GB", "peak / data", "certified gap",
               "training accuracy"]
    notes = [f"{options.rows} × {options.columns} float32, {options.patterns} patterns, "
             f"penalty {number(options.penalty)}; peak memory is the process's largest resident set, pages "
             "of the mapped file among them."]
    common.publish(options.name or "wide", "Wide data: time and memory", columns, rows, notes,
                   {"runs": results, "dataBytes": size, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
