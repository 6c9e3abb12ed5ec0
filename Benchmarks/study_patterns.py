"""Compares pattern sources by validation score and time, over seeds and data sets, with descent itself."""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESCENT = ROOT / ".build/release/descent"
RESULTS = Path(__file__).resolve().parent / "results"

SETS = {
    "fashion-mnist, 6,000 rows": (["fashion-mnist", "--subset", "6000"], 9.0),
    "fashion-mnist 2/8, 6,000 rows": (["fashion-mnist", "--classes", "2,8", "--subset", "6000"], 3.0),
    "fashion-mnist 4/6, 6,000 rows": (["fashion-mnist", "--classes", "4,6", "--subset", "6000"], 9.0),
}


def sources(neurons: int) -> dict[str, list[str]]:
    """The pattern sources, each with the same number of hidden units or patterns."""
    return {
        "random, ReLU": ["--patterns", str(neurons)],
        "random, gated": ["--patterns", str(neurons), "--formulation", "gated"],
        "grown, ReLU": ["--patterns", "grow", "--neurons", str(neurons)],
        "network, ReLU": ["--patterns", "network", "--neurons", str(neurons)],
        "network, gated": ["--patterns", "network", "--neurons", str(neurons), "--formulation", "gated"],
    }


def fit(arguments: list[str], seed: int, seconds: float) -> dict:
    """Runs one fit and returns its report."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(DESCENT), "fit", *arguments, "--validation", "0.25", "--seed", str(seed), "--json", "--quiet"]
        command += ["--time-limit", str(seconds), "--tolerance", "1e-2", "--out", folder]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--neurons", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15, help="time limit of one fit")
    options = parser.parse_args()
    lines = ["| data | patterns | validation accuracy, % | seconds to 99.5 % of the best | units |", "|---|---|---|---|---|"]
    for name, (data, penalty) in SETS.items():
        for source, extra in sources(options.neurons).items():
            scores, times, units = [], [], []
            for seed in range(options.seeds):
                report = fit(data + extra + ["--penalty", str(penalty)], seed, options.seconds)
                points = [p for p in report["history"] if p.get("validationScore") is not None]
                best = max(p["validationScore"] for p in points)
                scores.append(100 * best)
                times.append(min(p["seconds"] for p in points if p["validationScore"] >= 0.995 * best))
                units.append(report["neurons"])
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            row = f"| {name} | {source} | {statistics.mean(scores):.2f} ± {spread:.2f} | {statistics.mean(times):.1f} | {statistics.mean(units):.0f} |"
            print(row, flush=True)
            lines.append(row)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "patterns.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
