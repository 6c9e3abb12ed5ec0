"""The machine's float32 matrix-product rate at the solver's sizes, and the share of it that descent's runs reach.

For the share, give result files of other benchmarks with `--results`: every descent run in them that reports
`gemmFlops` is divided by the seconds of its solve phase.
"""

import common  # noqa: I001  (first: fixes the threads)

import json
import time
from pathlib import Path

import torch

# (m, k, n, what it is)
SIZES = [
    (60000, 784, 640, "X U: 60,000 rows, 10 classes × 64 blocks"),
    (60000, 784, 64, "X U: 60,000 rows, 64 blocks"),
    (784, 60000, 640, "Xᵀ R: 60,000 rows, 640 columns"),
    (784, 60000, 784, "Xᵀ X: 60,000 rows"),
    (6000, 784, 640, "X U: 6,000 rows, 640 columns"),
    (784, 6000, 640, "Xᵀ R: 6,000 rows, 640 columns"),
    (784, 784, 640, "K U: Gram matrix × blocks"),
    (2600, 20000, 2600, "X Xᵀ: a tenth of the wide data"),
    (4096, 4096, 4096, "square"),
]


def rate(m: int, k: int, n: int, kind, seconds: float) -> float:
    """Returns the best observed rate in GFLOP/s of an m×k by k×n product; a tall k comes transposed, as Xᵀ does."""
    a = torch.randn(k, m, dtype=kind).t() if k > m else torch.randn(m, k, dtype=kind)
    b, out = torch.randn(k, n, dtype=kind), torch.empty(m, n, dtype=kind)
    torch.mm(a, b, out=out)
    best, spent = float("inf"), 0.0
    while spent < seconds:
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        elapsed = time.perf_counter() - start
        best, spent = min(best, elapsed), spent + elapsed
    return 2e-9 * m * k * n / best


def descent_runs(value, trail: str = ""):
    """Yields (where, result) for every object in a result file that reports `gemmFlops`."""
    if isinstance(value, dict):
        if value.get("gemmFlops"):
            yield trail.strip(" /"), value
        for key, inner in value.items():
            yield from descent_runs(inner, f"{trail} / {key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from descent_runs(inner, f"{trail} {i}")


def share_rows(paths: list[str], peak: float) -> list[list]:
    """Returns table rows with the rate that descent's runs reached and their share of the peak."""
    rows = []
    for path in map(Path, paths):
        for where, result in descent_runs(json.loads(path.read_text())):
            seconds = (result.get("secondsByPhase") or {}).get("solve") or result["seconds"]
            reached = result["gemmFlops"] / seconds / 1e9
            name = f"{path.stem}: {where or path.resolve().parent.name}"
            rows.append([name, "solve phase", reached, None, reached / peak])
    return rows


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each size is repeated")
    parser.add_argument("--float64", action="store_true", help="measure float64 too")
    parser.add_argument("--results", nargs="*", default=[], metavar="JSON",
                        help="result files to take descent's runs from")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    torch.set_num_threads(common.THREADS)
    rows, data = [], []
    for m, k, n, what in SIZES:
        single = rate(m, k, n, torch.float32, options.seconds)
        double = rate(m, k, n, torch.float64, options.seconds) if options.float64 else None
        data.append({"m": m, "k": k, "n": n, "what": what, "float32": single, "float64": double})
        rows.append([what, f"{m} × {k} × {n}", single, double, None])
    peak = max(d["float32"] for d in data)
    for row in rows:
        row[-1] = row[2] / peak
    rows += share_rows(options.results, peak)
    columns = ["product", "m × k × n", "float32, GFLOP/s", "float64, GFLOP/s", "share of the best"]
    notes = [f"Best of repeated torch.mm over {options.seconds:g} s each, {common.THREADS} threads."]
    common.publish(options.name or "gemm", "Matrix-product rates", columns, rows, notes,
                   {"sizes": data, "peakFloat32": peak})


if __name__ == "__main__":
    main()
