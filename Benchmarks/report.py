"""Assembles RESULTS.md from the JSON files in results/."""

import argparse
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
ORDER = (
    "jaxcld", "binary", "pyscnn", "adamw", "adamw-640", "tables", "wide", "gemm", "formats", "patterns", "outputs",
    "losses", "preconditioners",
)


def records(folder: Path) -> list[tuple[str, dict]]:
    """Returns (name, record) of every published table, in a fixed order, what is not known last."""
    found = {}
    for path in folder.glob("*.json"):
        record = json.loads(path.read_text())
        if "table" in record:
            found[path.stem] = record
    return sorted(found.items(), key=lambda item: (ORDER.index(item[0]) if item[0] in ORDER else len(ORDER), item[0]))


def section(name: str, record: dict) -> str:
    """Returns one benchmark's part of the page."""
    columns, rows = record["table"]["columns"], record["table"]["rows"]
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    notes = [f"- {note}" for note in record["notes"]]
    return "\n".join([f"## {record['title']}", "", *lines, "", *notes, f"- {surroundings(record['environment'])}", "",
                      f"All figures: `results/{name}.json`.", ""])


def surroundings(environment: dict) -> str:
    """Returns a line about the machine and the versions."""
    versions = ", ".join(f"{k} {v}" for k, v in environment["versions"].items())
    e = environment
    return (f"{e['processor']}, {e['threads']} of {e['cores']} cores, {e['system']}, load {e['loadAtStart'] or 0:.1f} "
            f"at the start; Python {e['python']}, {versions}; {e['date']}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder with the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md", help="the page to write")
    options = parser.parse_args()
    head = "# Measured\n\nMade by `Benchmarks/run`; every table comes from one JSON file. Do not edit.\n"
    parts = [section(name, record) for name, record in records(options.results)]
    options.out.write_text("\n".join([head, *parts]))
    print(f"{options.out.name}: {len(parts)} tables")


if __name__ == "__main__":
    main()
