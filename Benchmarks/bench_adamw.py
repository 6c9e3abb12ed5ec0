"""Fashion-MNIST, 60,000 rows, ten classes: AdamW in PyTorch with a learning-rate sweep against `descent fit`.

The baseline is meant to be strong: all rows are one tensor in memory, batches are index selections of a fresh
permutation, the optimizer is the fused one, each learning rate is tried with a constant and with a cosine schedule,
evaluation is outside the clock, and the test accuracy is reported for the run chosen by validation, for that choice
trained again on all rows, and for the best run and epoch as seen by the test set (which nobody could have chosen).
"""

import common  # noqa: I001  (first: fixes the threads)

import math
import time

import torch

import fashion
from common import best_accuracy, fit, percent, time_to_accuracy


def load(options) -> dict:
    """Returns standardised tensors: training rows (validation rows last) and test rows."""
    x, y = fashion.load("train", rows=options.rows)
    xt, yt = fashion.load("test")
    x, xt = fashion.standardise(x, xt, per_feature=options.scaling == "feature")
    held = round(options.validation * len(x))
    arrays = {"x": x, "y": y, "xt": xt, "yt": yt}
    return {name: torch.from_numpy(a) for name, a in arrays.items()} | {"kept": len(x) - held}


def network(inputs: int, hidden: int, seed: int) -> torch.nn.Module:
    """Returns a two-layer ReLU network with biases and PyTorch's default initialisation."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(inputs, hidden), torch.nn.ReLU(),
                               torch.nn.Linear(hidden, fashion.CLASSES))


@torch.inference_mode()
def accuracy(model, x, y) -> float:
    """Returns the fraction of right answers."""
    return float((model(x).argmax(1) == y).float().mean())


def learning_rate(schedule: str, peak: float, step: int, steps: int) -> float:
    """Returns the rate of one step: constant, or 5 % linear warm-up and then a cosine down to nothing."""
    if schedule == "constant":
        return peak
    warm = max(1, steps // 20)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(data: dict, rows: int, hidden: int, rate: float, schedule: str, options) -> dict:
    """Trains one network on the first `rows` rows; returns seconds of training and accuracies after each epoch."""
    x, y = data["x"][:rows], data["y"][:rows]
    model = network(x.shape[1], hidden, options.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=options.weight_decay, fused=True)
    loss_of, batch = torch.nn.CrossEntropyLoss(), options.batch
    steps = options.epochs * math.ceil(rows / batch)
    step, seconds, curve = 0, 0.0, []
    for _ in range(options.epochs):
        start = time.perf_counter()
        order = torch.randperm(rows)
        for first in range(0, rows, batch):
            chosen = order[first:first + batch]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(schedule, rate, step, steps)
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(x.index_select(0, chosen)), y.index_select(0, chosen)).backward()
            optimizer.step()
            step += 1
        seconds += time.perf_counter() - start
        held = data["x"][rows:], data["y"][rows:]
        curve.append({"seconds": seconds, "validationAccuracy": accuracy(model, *held) if len(held[0]) else None,
                      "testAccuracy": accuracy(model, data["xt"], data["yt"])})
    return {"hidden": hidden, "rate": rate, "schedule": schedule, "rows": rows, "seconds": seconds, "history": curve,
            "testAccuracy": curve[-1]["testAccuracy"], "validationAccuracy": curve[-1]["validationAccuracy"]}


def warm_up(data: dict, options) -> None:
    """Runs a few steps of each width so that no run pays for PyTorch's first use of anything."""
    for hidden in options.hidden:
        train(data, min(10 * options.batch, data["kept"]), hidden, 1e-3, "constant", options)


def sweep(data: dict, hidden: int, options) -> dict:
    """Trains the whole grid; returns the runs, the two choices and the second training on all rows."""
    runs = []
    for schedule in options.schedules:
        for rate in options.rates:
            runs.append(train(data, data["kept"], hidden, rate, schedule, options))
            print(f"  AdamW {hidden} {schedule} {rate:g}: {percent(runs[-1]['testAccuracy'])} "
                  f"in {runs[-1]['seconds']:.1f} s", flush=True)
    chosen = max(runs, key=lambda r: r["validationAccuracy"])
    lucky = max(runs, key=best_accuracy)
    again = train(data, len(data["x"]), hidden, chosen["rate"], chosen["schedule"], options)
    return {"runs": runs, "chosen": chosen, "lucky": lucky, "again": again,
            "sweepSeconds": sum(r["seconds"] for r in runs)}


def measure_descent(executable, data: dict, hidden: int, options) -> dict:
    """Runs `descent fit` at one width, on the same standardised rows or on the data set by its name."""
    flags = ["--neurons", hidden, "--validation", options.validation]
    if options.by_name:
        return fit(executable, "fashion-mnist", "--data", fashion.folder(), *flags, options=options)
    train_file = fashion.write_npz("adamw-train", data["x"].numpy(), labels=data["y"].numpy())
    test_file = fashion.write_npz("adamw-test", data["xt"].numpy(), labels=data["yt"].numpy())
    return fit(executable, train_file, *flags, "--test", test_file, "--no-standardize", options=options)


def table_rows(hidden: int, baseline: dict | None, ours: dict | None) -> list[list]:
    """Returns the table's rows for one width."""
    rows, target = [], None
    if baseline:
        chosen, lucky, again = baseline["chosen"], baseline["lucky"], baseline["again"]
        target = chosen["testAccuracy"]
        whole = baseline["sweepSeconds"]
        name = f"AdamW {hidden}: lr {chosen['rate']:g} {chosen['schedule']}, by validation"
        rows.append([name, percent(target), percent(best_accuracy(chosen)), time_to_accuracy(chosen, target),
                     chosen["seconds"], whole])
        rows.append([f"AdamW {hidden}: the same, again on all rows", percent(again["testAccuracy"]),
                     percent(best_accuracy(again)), time_to_accuracy(again, target), again["seconds"],
                     whole + again["seconds"]])
        rows.append([f"AdamW {hidden}: lr {lucky['rate']:g} {lucky['schedule']}, by test (unfair)",
                     percent(lucky["testAccuracy"]), percent(best_accuracy(lucky)), time_to_accuracy(lucky, target),
                     lucky["seconds"], whole])
    if ours:
        reached = time_to_accuracy(ours, target) if target else None
        rows.append([f"descent {hidden} ({ours.get('neurons', '?')} units in the end)",
                     percent(ours.get("testAccuracy")), percent(best_accuracy(ours)), reached, ours.get("seconds"),
                     ours.get("seconds")])
    return rows


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--hidden", nargs="+", type=int, default=[64, 640], help="hidden units")
    parser.add_argument("--rates", nargs="+", type=float, default=[3e-4, 1e-3, 3e-3], help="learning rates")
    parser.add_argument("--schedules", nargs="+", choices=("constant", "cosine"), default=["constant", "cosine"],
                        help="learning-rate schedules")
    parser.add_argument("--rows", type=int, default=60000, help="training rows, validation rows included")
    parser.add_argument("--validation", type=float, default=0.1, help="fraction of the rows held out to choose by")
    parser.add_argument("--epochs", type=int, default=15, help="epochs of AdamW")
    parser.add_argument("--batch", type=int, default=256, help="AdamW's batch")
    parser.add_argument("--weight-decay", type=float, default=1e-2, help="AdamW's weight decay (PyTorch's default)")
    parser.add_argument("--scaling", choices=("global", "feature"), default="global", help="how rows are standardised")
    parser.add_argument("--by-name", action="store_true",
                        help="descent reads the data set by its name and scales it by itself")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    torch.set_num_threads(common.THREADS)
    data = load(options)
    warm_up(data, options)
    rows, record = [], {}
    for hidden in options.hidden:
        baseline = sweep(data, hidden, options)
        ours = measure_descent(executable, data, hidden, options) if executable else None
        rows += table_rows(hidden, baseline, ours)
        record[str(hidden)] = {"adamw": baseline, "descent": ours}
    columns = ["", "test accuracy at the end", "best epoch's, by test", "s to AdamW's accuracy", "s of the run",
               "s with the choice of settings"]
    grid = f"{len(options.rates)} rates × {len(options.schedules)} schedules"
    notes = [f"{options.rows} rows, {options.validation:.0%} of them held out for the choice; batch {options.batch}, "
             f"{options.epochs} epochs, {grid}; evaluation is not in AdamW's seconds.",
             "AdamW's accuracy is the test accuracy at the end of the run chosen by validation."]
    common.publish(options.name or "adamw", "Fashion-MNIST, ten classes, against AdamW", columns, rows, notes,
                   {"widths": record, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
