"""What all benchmarks share: thread limits, running `descent`, result files and Markdown tables.

Import this module before numpy, torch or jax: it fixes the number of threads when it is imported.
"""

import argparse
import json
import math
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
RESULTS = HERE / "results"
RAW = RESULTS / "raw"


def _fix_threads() -> int:
    """Reads `--threads` (or BENCH_THREADS), pins the process to as many cores, and tells every numeric library."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("BENCH_THREADS", "0")))
    count = parser.parse_known_args()[0].threads or min(os.cpu_count() or 1, 8)
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
        os.environ[f"{name}_NUM_THREADS"] = str(count)
    if hasattr(os, "sched_setaffinity"):
        # XLA sizes its thread pool by the cores it may use, and child processes inherit the mask:
        # with the mask every contestant, `descent` included, has the same cores.
        allowed = sorted(os.sched_getaffinity(0))[:count]
        os.sched_setaffinity(0, allowed)
    return count


THREADS = _fix_threads()


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--descent", default=os.environ.get("DESCENT"), metavar="PATH",
                        help="the descent executable; without it ../.build/release/descent, then the search path")
    parser.add_argument("--descent-flags", type=shlex.split, default=[], metavar="=FLAGS",
                        help="more flags for every descent fit, in one quoted word after an equals sign")
    parser.add_argument("--no-descent", action="store_true", help="measure the peers alone")
    parser.add_argument("--threads", type=int, default=THREADS, help="cores and threads for every contestant")
    parser.add_argument("--seed", type=int, default=0, help="seed of data draws, gates and solvers")
    parser.add_argument("--time-limit", type=float, default=600, metavar="S", help="per descent run, in seconds")
    parser.add_argument("--name", help="name of the result file, without .json")
    return parser


def find_descent(options) -> str | None:
    """Returns the path of the executable, nothing with `--no-descent`, and stops the program when there is none."""
    if options.no_descent:
        return None
    built = HERE.parent / ".build" / "release" / "descent"
    for candidate in (options.descent, str(built), shutil.which("descent")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    sys.exit("descent was not found: build it (swift build -c release), or give --descent PATH or --no-descent")


def _wait(process, limit: float):
    """Waits for a child and returns its exit status and its own peak resident memory in bytes.

    On Linux the peak is read from /proc while it runs: what wait4 tells includes this process's memory at the fork.
    """
    deadline, peak = time.monotonic() + limit, 0
    while True:
        peak = max(peak, high_water(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            unit = 1 if sys.platform == "darwin" else 1024
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, peak or usage.ru_maxrss * unit
        if time.monotonic() > deadline:
            process.kill()
            deadline = float("inf")
        time.sleep(0.005)


def high_water(pid: int) -> int:
    """Returns a running process's peak resident memory in bytes, 0 where the system does not show it."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found.group(1)) if found else 0


def run_descent(executable: str, arguments: list, limit: float = 3600, label: str = "descent") -> dict:
    """Runs `descent`, returns the object it prints plus `wallSeconds`, `maxRSSBytes` and `exitCode`.

    A failed run gives `{"failed": message, ...}` rather than an exception, so that a table still gets printed.
    """
    command = [str(a) for a in arguments]
    print(f"  $ descent {shown(command)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen([executable, *command], stdout=out, stderr=err)
        code, memory = _wait(process, limit)
        wall = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        text, complaint = out.read(), err.read()
    result = parse_json(text)
    if result is None:
        lines = complaint.strip().splitlines() or ["no JSON on standard output"]
        result = {"failed": lines[-1][:300]}
        print(f"  {label} failed ({code}): {result['failed']}", file=sys.stderr)
    result |= {"wallSeconds": wall, "maxRSSBytes": memory, "exitCode": code, "command": shown(command)}
    return result


def fit(executable: str, data, *arguments, options, limit: float | None = None) -> dict:
    """Runs `descent fit DATA … --json --quiet` with the common options."""
    seconds = limit or options.time_limit
    tail = ["--threads", options.threads, "--seed", options.seed, "--time-limit", f"{seconds:g}", "--json", "--quiet"]
    # A run that its limit ended leaves a checkpoint, which the next measurement is not to go on from.
    tail.append("--restart")
    return run_descent(executable, ["fit", data, *arguments, *options.descent_flags, *tail], limit=2 * seconds + 120)


def shown(command: list) -> str:
    """Returns a command line with folders cut off its paths, fit for a published file."""
    return " ".join(os.path.basename(a) if os.sep in a else a for a in command)


def parse_json(text: str) -> dict | None:
    """Returns the JSON object in a program's output, or nothing."""
    try:
        found = json.loads(text[text.index("{"):])
        return found if isinstance(found, dict) else None
    except ValueError:
        return None


def fraction(value):
    """Returns an accuracy as a fraction, whether it was given as one or in percent."""
    if value is None:
        return None
    return value / 100 if value > 1.000001 else value


def history(result: dict) -> list[dict]:
    """Returns the history of a descent result, oldest first."""
    return sorted(result.get("history") or [], key=lambda point: point.get("seconds") or 0.0)


def first_time(result: dict, reached) -> float | None:
    """Returns the seconds of the first point in the history for which `reached(point)` is true."""
    for point in history(result):
        if reached(point):
            return point.get("seconds")
    return None


def time_to_accuracy(result: dict, target: float) -> float | None:
    """Returns when the test accuracy first was at least `target`; the run's end counts when the history has none."""
    def reached(point):
        value = fraction(point.get("testScore"))
        return value is not None and value >= target - 1e-9
    found = first_time(result, reached)
    final = fraction(result.get("testAccuracy"))
    return result.get("seconds") if found is None and final is not None and final >= target - 1e-9 else found


def best_accuracy(result: dict) -> float | None:
    """Returns the highest test accuracy in the history or at the end."""
    values = [fraction(p.get("testScore")) for p in history(result)] + [fraction(result.get("testAccuracy"))]
    return max((v for v in values if v is not None), default=None)


def environment() -> dict:
    """Returns what a reader needs to judge the figures: processor, cores, threads, versions."""
    names = ("numpy", "scipy", "scikit-learn", "torch", "jax", "jaxlib", "jaxcld", "pyscnn")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return {"processor": processor(), "cores": os.cpu_count(), "threads": THREADS,
            "loadAtStart": LOAD_AT_START, "system": platform.system(),
            "python": platform.python_version(), "versions": versions,
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def busy() -> float | None:
    """Returns how many programs wanted a core in the last minute, and warns when others are at work."""
    if not hasattr(os, "getloadavg"):
        return None
    load = os.getloadavg()[0]
    if load > 0.5 * (os.cpu_count() or 1):
        print(f"  warning: the machine is busy (load {load:.1f}); timings will not mean much", file=sys.stderr)
    return load


LOAD_AT_START = busy()


def processor() -> str:
    """Returns the processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*:\s*(.+)", text).group(1).strip()
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()


def number(value, digits: int = 4) -> str:
    """Returns a table cell: a dash for nothing, significant digits for numbers."""
    if value is None:
        return "–"
    if isinstance(value, float):
        if value != 0 and not 1e-3 <= abs(value) < 1e5:
            return f"{value:.{max(digits - 2, 1)}e}"
        return f"{value:.{digits}g}"
    return str(value)


def percent(value) -> str:
    """Returns an accuracy in percent, or a dash."""
    return "–" if value is None else f"{100 * fraction(value):.2f} %"


def markdown(columns: list[str], rows: list[list]) -> str:
    """Returns an aligned Markdown table: text to the left, everything else to the right."""
    cells = [[c if isinstance(c, str) else number(c) for c in row] for row in rows]
    widths = [max([len(c)] + [len(r[i]) for r in cells]) for i, c in enumerate(columns)]

    def line(row):
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(columns), rule, *(line(row) for row in cells)])


def publish(name: str, title: str, columns: list[str], rows: list[list], notes: list[str], data: dict) -> None:
    """Writes `results/NAME.json` and prints the table that belongs to it."""
    RESULTS.mkdir(exist_ok=True)
    table = {"columns": columns, "rows": [[c if isinstance(c, str) else number(c) for c in row] for row in rows]}
    record = {"title": title, "table": table, "notes": notes, "environment": environment(), "data": writable(data)}
    path = RESULTS / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1, allow_nan=False, default=plain) + "\n")
    temporary.replace(path)
    print(f"\n## {title}\n\n{markdown(columns, rows)}\n")
    for note in notes:
        print(f"- {note}")
    print(f"\n(results/{path.name})", flush=True)


def writable(value, key: str = ""):
    """Returns data that JSON can hold: NaN and infinities become nothing, long histories are thinned out."""
    if isinstance(value, dict):
        return {str(k): writable(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        if key == "history" and len(value) > 300:
            value = [*value[::len(value) // 150], value[-1]]
        return [writable(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def plain(value):
    """Turns numpy scalars and arrays into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return value.name
    raise TypeError(type(value).__name__)


def finite(values) -> list:
    """Returns floats with what JSON cannot hold (NaN, infinity) replaced by nothing."""
    return [float(v) if v == v and abs(v) != float("inf") else None for v in values]
