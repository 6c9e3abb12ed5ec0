"""Do descent's model files load elsewhere, and do they predict there what descent predicts?

Fits a ReLU and a gated network to a small problem, loads model.safetensors with safetensors.numpy, safetensors.torch
and (where it installs) mlx, compares the tensors bit by bit, predicts in NumPy from the tensors alone, and compares
with `descent predict`. `--model FOLDER --data FILE --predictions FILE` checks files that are already there.
"""

import common  # noqa: I001  (first: fixes the threads)

import csv
import shutil
from pathlib import Path

import numpy as np

import fashion
import model_file
from common import RAW, fit, number, run_descent

# How descent is asked for predictions: {model} is the run folder, {data} the rows, {out} the file to write.
PREDICT = ["predict", "{model}", "{data}", "--out", "{out}"]


def loaders() -> dict:
    """Returns the programs that can read safetensors here: name → function from path to NumPy arrays."""
    from safetensors import numpy as in_numpy
    from safetensors import torch as in_torch

    found = {"safetensors.numpy": in_numpy.load_file,
             "safetensors.torch": lambda p: {k: v.numpy() for k, v in in_torch.load_file(p).items()}}
    try:
        import mlx.core as mx
        found["mlx"] = lambda p: {k: np.array(v) for k, v in mx.load(str(p)).items()}
    except (ImportError, OSError):
        pass
    return found


def same_everywhere(path: Path) -> list[list]:
    """Loads the file with each program; returns a row each: tensors, equality with safetensors.numpy."""
    rows, reference = [], None
    for name, load in loaders().items():
        tensors = load(path)
        reference = reference or tensors
        equal = tensors.keys() == reference.keys() and all(np.array_equal(tensors[k], reference[k]) for k in reference)
        rows.append([f"{path.parent.name}: {name}", f"{len(tensors)} tensors", "equal" if equal else "DIFFERENT"])
    return rows


def read_predictions(path: Path, outputs: int) -> tuple[str, np.ndarray]:
    """Returns ("labels" or "scores", values) from a .npy, .npz or .csv file."""
    if path.suffix == ".npy":
        values = np.load(path)
    elif path.suffix == ".npz":
        members = np.load(path)
        name = next((n for n in ("scores", "outputs", "predictions", "labels") if n in members), members.files[0])
        values = members[name]
    else:
        with path.open() as file:
            rows = list(csv.reader(file))
        header = [c.strip().lower() for c in rows[0]]
        scores = [i for i, c in enumerate(header) if c.startswith(("score", "output"))]
        chosen = scores if len(scores) == outputs else [len(header) - 1]
        values = np.array([[float(r[i]) for i in chosen] for r in rows[1:]])
    values = np.asarray(values).reshape(len(values), -1)
    return ("scores" if values.shape[1] == outputs and values.dtype.kind == "f" and not
            np.array_equal(values, np.round(values)) else "labels"), values


def agreement(model: dict, rows: np.ndarray, path: Path) -> tuple[str, bool]:
    """Compares NumPy's predictions with descent's; returns words and a verdict."""
    ours = model_file.predict(model, rows)
    kind, theirs = read_predictions(path, ours.shape[1])
    if kind == "scores":
        worst = float(np.abs(ours - theirs).max() / max(np.abs(ours).max(), 1e-30))
        return f"largest difference / largest score: {number(worst)}", worst < 1e-4
    labels = ours.argmax(1) if ours.shape[1] > 1 else (ours[:, 0] > 0).astype(int)
    values = np.unique(theirs[:, 0], return_inverse=True)[1] if ours.shape[1] == 1 else theirs[:, 0]
    return f"equal labels: {np.mean(labels == values):.4%}", bool(np.mean(labels == values) > 0.999)


def check_model(folder: Path, data: Path, predictions: Path) -> list[list]:
    """Returns the table rows for one model."""
    path = folder / "model.safetensors" if folder.is_dir() else folder
    rows = same_everywhere(path)
    if not predictions.exists():
        return rows + [[f"{path.parent.name}: prediction in NumPy", "no file of predictions", "NOT CHECKED"]]
    words, right = agreement(model_file.load(path), np.load(data)["features"], predictions)
    return rows + [[f"{path.parent.name}: prediction in NumPy", words, "equal" if right else "DIFFERENT"]]


def fit_and_check(executable, formulation: str, options) -> list[list]:
    """Fits a small model, asks descent for predictions, and checks both files."""
    x, y = fashion.load("train", rows=options.rows)
    xt, yt = fashion.load("test", rows=options.rows)
    train = fashion.write_npz("formats-train", x, labels=y)
    test = fashion.write_npz("formats-test", xt, labels=yt)
    folder = RAW / f"formats-{formulation}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fit(executable, train, "--formulation", formulation, "--loss", "squared", "--patterns", 8, "--penalty", 1,
        "--max-iterations", 50, "--out", folder, options=options)
    out = folder / f"predictions{options.suffix}"
    out.unlink(missing_ok=True)
    words = {"model": folder, "data": test, "out": out}
    run_descent(executable, [part.format(**words) for part in options.predict or PREDICT], label="predict")
    if not (folder / "model.safetensors").exists():
        return [[f"{folder.name}: model.safetensors", "the fit wrote no model", "NOT CHECKED"]]
    return check_model(folder, test, out)


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="rows of Fashion-MNIST to fit and to predict")
    parser.add_argument("--suffix", choices=(".csv", ".npy", ".npz"), default=".csv",
                        help="kind of the predictions' file")
    parser.add_argument("--predict", nargs="+", metavar="WORD", help="descent's words for predicting, instead of: "
                        + " ".join(PREDICT))
    parser.add_argument("--model", type=Path, help="check this run folder or model file instead of fitting")
    parser.add_argument("--data", type=Path, help="npz file with the rows that were predicted (with --model)")
    parser.add_argument("--predictions", type=Path, help="file of descent's predictions (with --model)")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    if options.model:
        rows = check_model(options.model, options.data or Path("-"), options.predictions or Path("-"))
    else:
        executable = common.find_descent(options)
        if not executable:
            raise SystemExit("nothing to check without descent: give --model")
        rows = [row for kind in ("relu", "gated") for row in fit_and_check(executable, kind, options)]
    notes = ["Predictions are recomputed in NumPy, in float64, from the tensors alone."]
    common.publish(options.name or "formats", "Model files elsewhere", ["", "found", "verdict"], rows, notes,
                   {"rows": rows})
    if any(row[-1] == "DIFFERENT" for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
