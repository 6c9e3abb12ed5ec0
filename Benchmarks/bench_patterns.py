"""Choices of the convex program compared over seeds and data sets: validation accuracy, and seconds to the best one.

`--study patterns` compares where activation patterns come from, `outputs` how outputs share neurons, `losses` the
losses. Every choice gets the same number of hidden units or patterns, the same penalties and the same time limit, and
is judged by its best penalty. Rows to train on and to score are drawn anew for each seed.
"""

import common  # noqa: I001  (first: fixes the threads)

import statistics

import numpy as np

import fashion
import tables
from common import best_accuracy, fit, time_to_accuracy

NETWORK = ["--patterns", "network", "--neurons", "{units}"]
RANDOM = ["--patterns", "{units}"]
STUDIES = {
    "patterns": {
        "random, ReLU": RANDOM,
        "random, gated": [*RANDOM, "--formulation", "gated"],
        "grown, ReLU": ["--patterns", "grow", "--neurons", "{units}"],
        "network, ReLU": NETWORK,
        "network, refreshed twice": [*NETWORK, "--refreshes", "2"],
        "network, gated": [*NETWORK, "--formulation", "gated"],
    },
    "outputs": {
        "random, an output each": [*RANDOM, "--outputs", "separate"],
        "random, joint norm": [*RANDOM, "--outputs", "joint"],
        "network, an output each": [*NETWORK, "--outputs", "separate"],
        "network, joint norm": [*NETWORK, "--outputs", "joint"],
        "network, shared neurons": NETWORK,
    },
    "losses": {loss: [*NETWORK, "--loss", loss] for loss in ("softmax", "logistic", "squared", "hinge", "huber")},
}
TITLES = {"patterns": "Sources of activation patterns", "outputs": "How outputs share neurons",
          "losses": "Losses for classes"}


def draw(name: str, seed: int, rows: int):
    """Returns (x, y, x held out, y held out) of a seeded draw."""
    if name != "fashion-mnist":
        return tables.split(name, seed)[:4]
    x, y = fashion.load("train")
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows + rows // 3]
    train, held = chosen[:rows], chosen[rows:]
    return x[train], y[train], x[held], y[held]


def files(name: str, seed: int, rows: int):
    """Writes the draw as two files and returns them with the number of training rows."""
    x, y, xh, yh = draw(name, seed, rows)
    codes = {label: i for i, label in enumerate(np.unique(y))}
    train, held = (fashion.write_npz(f"study-{part}", features, labels=np.array([codes[v] for v in labels]))
                   for part, features, labels in (("train", x, y), ("held", xh, yh)))
    return train, held, len(x)


def measure(executable, name: str, options) -> dict:
    """Returns the runs of a data set by choice and share: one result for each seed."""
    choices = STUDIES[options.study]
    runs: dict = {choice: {share: [] for share in options.shares} for choice in choices}
    for seed in range(options.seeds):
        train, held, rows = files(name, seed, options.rows)
        options.seed = seed
        for choice, flags in choices.items():
            flags = [flag.format(units=options.units) for flag in flags]
            for share in options.shares:
                result = fit(executable, train, "--test", held, *flags, "--penalty", f"{share * rows:g}",
                             "--tolerance", 1e-2, options=options)
                runs[choice][share].append(result)
    return runs


def summary(name: str, runs: dict) -> list[list]:
    """Returns a row for each choice: its best penalty's mean accuracy, and times to a shared target."""
    scores = {choice: {share: [best_accuracy(r) or 0.0 for r in found] for share, found in by_share.items()}
              for choice, by_share in runs.items()}
    best = {choice: max(by_share, key=lambda s: statistics.mean(by_share[s])) for choice, by_share in scores.items()}
    goal = 0.99 * max(statistics.mean(scores[choice][best[choice]]) for choice in runs)
    rows = []
    for choice, share in best.items():
        values, found = scores[choice][share], runs[choice][share]
        times = [time_to_accuracy(r, goal) for r in found]
        reached = [t for t in times if t is not None]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        rows.append([f"{name}, {choice}", f"{100 * statistics.mean(values):.2f} ± {100 * spread:.2f}", f"{share:g}·n",
                     statistics.median(reached) if reached else None, f"{len(reached)}/{len(times)}",
                     statistics.mean(r.get("relativeGap") or 1.0 for r in found),
                     statistics.mean(r.get("neurons") or 0 for r in found)])
    return rows


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--study", choices=list(STUDIES), default="patterns", help="what to compare")
    parser.add_argument("--sets", nargs="+", default=["fashion-mnist", "satellite", "vehicle"], help="data sets")
    parser.add_argument("--seeds", type=int, default=5, help="seeds and draws")
    parser.add_argument("--units", type=int, default=32, help="hidden units or patterns")
    parser.add_argument("--rows", type=int, default=6000, help="training rows of Fashion-MNIST")
    parser.add_argument("--shares", nargs="+", type=float, default=[2e-4, 1e-3, 4e-3], help="penalties over rows")
    parser.set_defaults(time_limit=5)
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    if not executable:
        raise SystemExit("nothing to measure: descent is the only contestant")
    rows, data = [], {}
    for name in options.sets:
        runs = measure(executable, name, options)
        found = summary(name, runs)
        rows += found
        data[name] = {row[0]: row[1:] for row in found}
        print(common.markdown(["", *"abcdef"], found), flush=True)
    columns = ["", "validation accuracy, %", "penalty", "s to 99 % of the best", "reached", "mean gap", "units"]
    notes = [f"{options.seeds} seeds and draws, {options.units} units or patterns, at most {options.time_limit:g} s "
             "each; best accuracy along a run, mean ± standard deviation, at the choice's best penalty.",
             "Target of the times: 99 % of the best choice's mean accuracy on that data set; median over the seeds "
             "that reached it."]
    common.publish(options.name or options.study, TITLES[options.study], columns, rows, notes,
                   {"summary": data, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
