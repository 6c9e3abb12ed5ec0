"""Keeps the numbers of comparisons, and writes RESULTS.md from all that are kept.

    descent compare Experiments/imdb.yaml --data FOLDER
    python3 Experiments/report.py comparisons/imdb

Each comparison is one file in results/: what `descent compare` found, and the machine. Without a folder only the page is
written anew.
"""

import argparse
import datetime
import json
import os
import platform
from pathlib import Path

HERE = Path(__file__).resolve().parent


def machine():
    """Returns the processor's name and what surrounds it."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else []
    return {"processor": names[0] if names else platform.processor(), "cores": os.cpu_count(),
            "system": platform.system(), "date": datetime.date.today().isoformat()}


def keep(folder, results, note):
    """Copies the numbers of a comparison; its curves stay where they are."""
    found = json.loads((folder / "comparison.json").read_text())
    record = {key: found[key] for key in ("name", "title", "goal", "summaries", "structures")}
    record["environment"] = machine() | ({"note": note} if note else {})
    results.mkdir(exist_ok=True)
    (results / f"{found['name']}.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def percent(value):
    return f"{100 * value:.2f}"


def section(record):
    """Returns one comparison's part of the page."""
    rows = [[s["method"], f"{s['bestRate']:.3g}" if s.get("bestRate") else "–", percent(s["best"]),
             percent(s["median"]), percent(s["worst"]),
             f"{s['secondsToTarget']:.2f}" if s.get("secondsToTarget") is not None else "–", f"{s['seconds']:.1f}",
             f"{s['secondsWithTuning']:.1f}", str(s["runs"]), str(s["failures"])] for s in record["summaries"]]
    columns = ["method", "best rate", "best, %", "median, %", "worst, %", f"s to {100 * record['goal']:g} %", "s of a run",
               "s with tuning", "runs", "diverged"]
    parts = [f"## {record['title']}", table(columns, rows)]
    if record["structures"]:
        rows = [[s["method"], f"{s['strength']:.3g}" if s.get("strength") is not None else "–",
                 f"{percent(s['score'])} ± {percent(s['scoreDeviation'])}",
                 f"{percent(s['sparsity'])} ± {percent(s['sparsityDeviation'])}", f"{s['changes']:.1f}",
                 f"{s['secondsPerEpoch']:.2f}", str(s["runs"])] for s in record["structures"]]
        parts.append(table(["method", "strength", "score, %", "sparsity, %", "changes at the end", "s an epoch", "runs"],
                           rows))
    e = record["environment"]
    parts.append(f"`descent compare Experiments/{record['name']}.yaml` on {e['processor']}, {e['cores']} cores, "
                 f"{e['system']}; {e['date']}. " + (e["note"] + " " if "note" in e else "")
                 + f"All figures: `results/{record['name']}.json`.")
    return "\n\n".join(parts)


HEAD = """# Compared

Made by `Experiments/report.py`; every table comes from one JSON file. Do not edit.

Best: mean final test score over the seeds at the rate where it is highest, chosen on that very score. Median and worst:
final scores over all rates and seeds. Seconds to the goal: median over the seeds at the best rate, none where most did
not reach it. Set-up counts in all seconds; evaluation only in those of convex fits, whose certificates need it. A run
that diverged counts with the score of a guess."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of finished comparisons")
    parser.add_argument("--note", help="what is to be said of these runs, as that others shared the machine")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder with the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md", help="the page to write")
    options = parser.parse_args()
    for folder in options.folders:
        keep(folder, options.results, options.note)
    records = [json.loads(path.read_text()) for path in sorted(options.results.glob("*.json"))]
    options.out.write_text("\n\n".join([HEAD] + [section(record) for record in records]) + "\n")
    print(f"{options.out.name}: {len(records)} comparisons")


if __name__ == "__main__":
    main()
