"""Gated ReLU networks: pyscnn's R-FISTA against descent, on one and the same convex program.

Same rows (standardised, with a ones column for the bias), same gates (drawn here, given to both), same objective
    ½‖Σᵢ Dᵢ X Uᵢ − Y‖² + β Σᵢ Σ_c ‖Uᵢ꜀‖.
Both solutions are evaluated by one NumPy function; the figure is the time of each until its objective is within the
given relative tolerance of the best value either of them found.

How pyscnn 0.0.10 is brought to the same program:
- its loss carries 1/(2nc), so its strength is β/(nc);
- with `unitize_data` it solves in columns of unit norm. Ours have norm √n exactly (standardised, and the ones
  column), so its blocks are √n times larger there and the strength is β/(nc√n); a constant column stays zero. The
  gates see rows that are √n smaller, which changes no pattern;
- it counts a gate as open for > 0, descent for ≥ 0: ties do not happen with Gaussian gates (checked);
- it drops repeated and empty patterns and sorts the rest, so gates are matched again before evaluating.

Workarounds:
- installed without dependencies (torchvision is declared and never imported; cvxpy is imported and never called);
- its own tolerance is set tight, and the crossing is read off its log, which excludes metrics and setup (the setup
  turns arrays into Python lists);
- it has no time limit: one is added to its termination test;
- `--scnn-backend torch` selects its other backend, which its public interface reserves for CUDA.
"""

import common  # noqa: I001  (first: fixes the threads)

import shutil
import time

import numpy as np
from sklearn import datasets as bundled

import fashion
import model_file
from common import DATA, RAW, finite, first_time, fit, number


def rows_and_targets(name: str, options) -> tuple[np.ndarray, np.ndarray]:
    """Returns raw features and targets: one column of signs, or one per class, of mean 0 and deviation 1.

    descent standardises the targets of a regression; on these it has nothing to do.
    """
    x, targets = labelled_rows(name, options)
    return x, (targets - targets.mean(axis=0)) / targets.std(axis=0)


def labelled_rows(name: str, options) -> tuple[np.ndarray, np.ndarray]:
    """Returns raw features and targets (±1 in one column, or one column per class)."""
    if name == "fashion-2-8":
        x, y = fashion.load("train", classes=[2, 8], rows=options.rows)
        return x, np.where(y == 8, 1.0, -1.0)[:, None]
    if name == "breast-cancer":
        x, y = bundled.load_breast_cancer(return_X_y=True)
        return x, 2.0 * y[:, None] - 1
    x, y = bundled.load_digits(return_X_y=True)
    return x, np.eye(10)[y]


def standardised(x: np.ndarray) -> np.ndarray:
    """Returns columns of mean 0 and deviation 1; constant ones become 0 (and stay 0 in both programs)."""
    x = np.asarray(x, np.float64)
    deviation = x.std(axis=0)
    constant = deviation < 1e-10
    scaled = (x - x.mean(axis=0)) / np.where(constant, 1, deviation)
    scaled[:, constant] = 0
    return scaled


def draw_gates(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns gates (columns) with distinct, non-empty patterns and no row on a border."""
    gates = np.random.default_rng(seed).standard_normal((x.shape[1], count)).astype(np.float32).astype(np.float64)
    products = x @ gates
    _, first = np.unique(products >= 0, axis=1, return_index=True)
    keep = np.sort(first)
    keep = keep[(products[:, keep] >= 0).any(axis=0) & (products[:, keep] != 0).all(axis=0)]
    return gates[:, keep]


def use_torch_backend() -> None:
    """Makes pyscnn compute with torch on the CPU."""
    import lab
    import scnn.optimize

    def choose(device="cpu", dtype="float32", seed=778):
        lab.set_backend("torch")
        lab.set_device(device)
        lab.set_dtype(dtype)
        lab.set_seeds(seed)

    scnn.optimize.set_device = choose


def limit_seconds(seconds: float) -> None:
    """Makes R-FISTA stop after so many seconds: it has no time limit of its own, only one on iterations."""
    from scnn.private.methods.termination_criteria import GradientNorm

    original = getattr(GradientNorm, "unlimited", GradientNorm.__call__)
    deadline = time.perf_counter() + seconds

    def call(self, *arguments, **named):
        return time.perf_counter() > deadline or original(self, *arguments, **named)

    GradientNorm.unlimited = original
    GradientNorm.__call__ = call


def solve_scnn(x: np.ndarray, targets: np.ndarray, gates: np.ndarray, beta: float, options) -> dict:
    """Runs R-FISTA; returns its log in our units and the blocks in the order of our gates."""
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import RFISTA

    if options.scnn_backend == "torch":
        use_torch_backend()
    rows, outputs = targets.shape
    model = ConvexGatedReLU(gates, c=outputs, bias=False)
    strength = beta / (rows * outputs * np.sqrt(rows))
    solver = RFISTA(model, max_iters=options.scnn_iterations, tol=options.scnn_tolerance)
    kind = options.dtype
    limit_seconds(options.scnn_seconds)
    start = time.perf_counter()
    model, log = optimize_model(model, solver, Metrics(), x.astype(kind), targets.astype(kind),
                                regularizer=NeuronGL1(strength), return_convex=True, unitize_data=True, dtype=kind)
    wall = time.perf_counter() - start
    kept = np.asarray(model.G)
    place = [int(np.abs(gates - kept[:, [i]]).sum(axis=0).argmin()) for i in range(kept.shape[1])]
    blocks = np.zeros((gates.shape[1], x.shape[1], outputs))
    blocks[place] = np.asarray(model.parameters[0], np.float64).transpose(1, 2, 0)
    return {"blocks": blocks, "wallSeconds": wall, "iterations": len(log.time) - 1, "seconds": finite(log.time),
            "objectives": finite(np.asarray(log.objective, np.float64) * rows * outputs)}


def solve_descent(executable, name: str, x, targets, gates, beta: float, options) -> dict:
    """Runs descent on the same rows, gates and penalty and reads its blocks back."""
    data = fashion.write_npz(f"scnn-{name}", x.astype(options.dtype), targets=targets.astype(options.dtype))
    gate_file, folder = DATA / f"scnn-{name}-gates.npy", RAW / f"scnn-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    np.save(gate_file, gates.astype(options.dtype))
    flags = ["--formulation", "gated", "--loss", "squared", "--penalty", beta, "--gates", gate_file, "--bias",
             "--no-standardize", "--tolerance", options.tolerance, "--max-iterations", 20000, "--out", folder]
    result = fit(executable, data, *flags, options=options)
    try:
        result["blocks"] = model_file.gated_blocks(model_file.load(folder))
    except (OSError, KeyError) as problem:
        result.setdefault("failed", f"model file: {problem}")
    return result


def time_within(seconds: list, objectives: list, target: float) -> float | None:
    """Returns the first time at which the objective is at most `target`."""
    return next((s for s, v in zip(seconds, objectives) if v is not None and v <= target), None)


def check_claim(name: str, claimed: float | None, found: float | None) -> str | None:
    """Returns a complaint when descent's own objective differs from NumPy's value of its model file."""
    if claimed is None or found is None or abs(claimed - found) <= 1e-3 * abs(found):
        return None
    return f"CAREFUL, {name}: descent reports objective {claimed:.6g}, NumPy finds {found:.6g} in its model file."


def compare(executable, name: str, options) -> tuple[list, dict]:
    """Runs both on one data set; returns the table's row and the figures behind it."""
    raw, targets = rows_and_targets(name, options)
    x = standardised(raw).astype(np.float32).astype(np.float64)
    extended = np.column_stack([x, np.ones(len(x))])
    gates = draw_gates(extended, options.gates, options.seed)
    beta = options.penalty * len(x) / 1000

    peer = solve_scnn(extended, targets, gates, beta, options)
    final = {"pyscnn": model_file.gated_objective(extended, gates, peer.pop("blocks"), targets, beta)}
    ours = solve_descent(executable, name, x, targets, gates, beta, options) if executable else {}
    if "blocks" in ours:
        final["descent"] = model_file.gated_objective(extended, gates, ours.pop("blocks"), targets, beta)
    best = min(final.values())
    target = best * (1 + options.tolerance)
    times = {"pyscnn": time_within(peer["seconds"], peer["objectives"], target),
             "descent": first_time(ours, lambda p: p.get("objective") is not None and p["objective"] <= target)}
    if times["descent"] is None and final.get("descent", np.inf) <= target:
        times["descent"] = ours.get("seconds")
    ratio = times["pyscnn"] / times["descent"] if times["pyscnn"] and times["descent"] else None
    row = [f"{name} ({len(x)} × {x.shape[1]}, {targets.shape[1]} out)", gates.shape[1], beta,
           final.get("descent"), final["pyscnn"], ours.get("relativeGap"), times["descent"], times["pyscnn"], ratio,
           ours.get("wallSeconds"), peer["wallSeconds"]]
    peer["seconds"], peer["objectives"] = peer["seconds"][::10], peer["objectives"][::10]
    return row, {"beta": beta, "gates": gates.shape[1], "final": final, "best": best, "times": times,
                 "complaint": check_claim(name, ours.get("objective"), final.get("descent")),
                 "claimedByDescent": ours.get("objective"), "pyscnn": peer, "descent": ours}


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    names = ["breast-cancer", "digits", "fashion-2-8"]
    parser.add_argument("--sets", nargs="+", choices=names, default=names, help="data sets")
    parser.add_argument("--rows", type=int, default=5000, help="rows of fashion-2-8")
    parser.add_argument("--gates", type=int, default=50, help="Gaussian gates to draw")
    parser.add_argument("--penalty", type=float, default=1.0, help="β per 1,000 rows")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative distance from the best objective")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="arithmetic of pyscnn; descent chooses its own")
    parser.add_argument("--scnn-iterations", type=int, default=10000, help="limit for R-FISTA (pyscnn's default)")
    parser.add_argument("--scnn-seconds", type=float, default=120, help="limit for R-FISTA on each data set")
    parser.add_argument("--scnn-tolerance", type=float, default=1e-16,
                        help="R-FISTA's own stopping tolerance, on a squared norm of its 1/(nc)-scaled subgradient")
    parser.add_argument("--scnn-backend", choices=("numpy", "torch"), default="numpy",
                        help="what pyscnn computes with; numpy is its default on CPUs")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    rows, data = [], {}
    for name in options.sets:
        row, data[name] = compare(executable, name, options)
        rows.append(row)
        print("  " + " | ".join(c if isinstance(c, str) else number(c) for c in row), flush=True)
    columns = ["data", "gates", "β", "objective, descent", "objective, pyscnn", "certified gap",
               "s, descent", "s, pyscnn", "times faster", "process s, descent", "call s, pyscnn"]
    notes = [f"s: until the objective is within {options.tolerance:g} (relative) of the better of the two final "
             "values; both final values come from one NumPy function in float64.",
             f"{common.THREADS} threads, pyscnn in {options.dtype}, backend {options.scnn_backend}; "
             "its seconds exclude setup and metrics, descent's are its own clock."]
    notes += [found["complaint"] for found in data.values() if found["complaint"]]
    common.publish(options.name or "pyscnn", "Gated ReLU against pyscnn (R-FISTA)", columns, rows, notes,
                   {"sets": data, "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
