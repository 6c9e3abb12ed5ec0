"""Trains a small network and reads its event file back with the `tensorboard` package."""

import common  # noqa: I001

import json
import subprocess
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    options = common.argument_parser(__doc__.splitlines()[0]).parse_args()
    executable = common.find_descent(options)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([executable, "train", "spirals", "--epochs", "3", "--out", folder, "--quiet"], check=True)
        events = EventAccumulator(folder)
        events.Reload()
        history = json.loads((Path(folder) / "report.json").read_text())["history"]
        wanted = [(p["step"], p["testScore"]) for p in history if p["step"] > 0]
        found = [(e.step, e.value) for e in events.Scalars("score/test")]
        assert len(found) == len(wanted) == 3, (found, wanted)
        for (step, score), (other, value) in zip(wanted, found):
            assert step == other and abs(score - value) < 1e-6, (step, score, other, value)
        print("tags:", ", ".join(events.Tags()["scalars"]))
        print(f"tensorboard reads {len(found)} points of each run; steps and values agree")


if __name__ == "__main__":
    main()
