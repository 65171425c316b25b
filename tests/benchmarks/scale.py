"""Stages whose work is divided: the same bytes, the speed of two workers, and killed processes.

    python tests/benchmarks/scale.py --corpus sample_data --kills 5

Each stage runs with one process, and on a Dask scheduler on loopback with one and with two workers.
Then a worker, the command and the scheduler are killed in turn, with
SIGKILL, each `--kills` times; the command is repeated with --resume until it is done. Prints one
JSON line a measurement: seconds, files that differ from those of one process (but for the seconds
that `attribute` reports), and the speed of two workers over twice that of one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.dask_cluster import ENVIRONMENT, Cluster, cluster

ROOT = Path(__file__).parents[2]
PRETRAINED = ROOT / "sample_data" / "pretrained"
RESULTS = (".npz", ".csv", ".lab", ".png", ".flac", ".html")
NETWORKS = ("--classifier", str(PRETRAINED / "classifier.pt"))

SOUNDS = sorted(map(str, (ROOT / "sample_data" / "audio").iterdir()))
STAGES = {
    "responses": ["responses", "{corpus}", *NETWORKS, "--layer", "fc8", "--neuron", "0-3"],
    "predict": ["predict", *SOUNDS, *NETWORKS],
    "attribute": ["attribute", *(f"{sound}@3" for sound in SOUNDS[:16]), *NETWORKS, "--method",
                  "occlusion", "--segments", "4x2"],
    "explain": ["explain", *NETWORKS, "--gan", str(PRETRAINED / "gan.pt"), "--layer", "fc8",
                "--neuron", "0-7", "--batch-size", "8", "--examples", "8", "--iterations", "60",
                "--learning-rate", "0.1", "--prior-weight", "0.01"],
    "adaptive": ["explain", *NETWORKS, "--gan", str(PRETRAINED / "gan.pt"), "--search", "adaptive",
                 "--responses", "{folder}/before", "--examples", "8", "--iterations", "200"],
    "select": ["select", "{folder}/before", "--corpus", "{corpus}"],
}  # fmt: skip
BEFORE = {  # what a stage reads
    "adaptive": ["responses", "{corpus}", *NETWORKS, "--top", "24"],
    "select": STAGES["explain"],
}


def start(words: Sequence[str], out: Path, workers: str) -> subprocess.Popen[bytes]:
    """The command of a stage, which goes on with what is in `out`."""
    command = [sys.executable, "-m", "ganexplain", *words, "--workers", workers, "--out", str(out)]
    return subprocess.Popen(
        [*command, "--resume", "--quiet"], env=ENVIRONMENT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def seconds(words: Sequence[str], out: Path, workers: str) -> float:
    """The time of a stage; its command must succeed."""
    began = time.monotonic()
    if status := start(words, out, workers).wait():
        raise RuntimeError(f"{' '.join(words)}: exit status {status}")
    return time.monotonic() - began


def content(file: Path) -> bytes | dict[str, bytes]:
    """What a file contains, without the time that an attribution took."""
    if file.name != "attribution.npz":
        return file.read_bytes()
    with np.load(file) as arrays:
        return {key: arrays[key].tobytes() for key in arrays if key not in ("seconds", "meta")}


def different(one: Path, other: Path) -> list[str]:
    """The result files that two runs do not have in common, byte for byte."""
    runs = [
        {str(f.relative_to(run)): content(f) for f in run.rglob("*") if f.suffix in RESULTS}
        for run in (one, other)
    ]
    return sorted(name for name in {*runs[0], *runs[1]} if runs[0].get(name) != runs[1].get(name))


def kill(what: str, command: subprocess.Popen[bytes], on: Cluster) -> None:
    """Kill a worker, the command or the scheduler."""
    if what == "worker":
        on.kill_worker()
    elif what == "scheduler":
        on.kill_scheduler()
    else:
        command.kill()


def survived(words: Sequence[str], out: Path, what: str, kills: int) -> dict[str, object]:
    """Kill something every few seconds, `kills` times, and repeat the command until it is done."""
    draw, killed, commands = random.Random(0), 0, 1
    with cluster(2) as on:
        command = start(words, out, on.address)
        while True:
            on.start()  # workers end some time after their scheduler
            try:
                if command.wait(draw.uniform(4, 12)) == 0:
                    break
            except subprocess.TimeoutExpired:
                if killed < kills:
                    kill(what, command, on)
                    killed += 1
                continue
            command, commands = start(words, out, on.address), commands + 1
    return {"killed": what, "times": killed, "commands": commands}


def main() -> None:
    """Print a JSON line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default=str(ROOT / "sample_data"))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--stages", nargs="*", default=list(STAGES))
    options = parser.parse_args()
    for name in options.stages:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            names = {"folder": folder, "corpus": options.corpus}
            if name in BEFORE:
                words = [each.format(**names) for each in BEFORE[name]]
                seconds(words, folder / "before", "1")
            words = [each.format(**names) for each in STAGES[name]]
            _measure(name, words, folder, options.kills)


def _measure(name: str, words: Sequence[str], folder: Path, kills: int) -> None:
    alone = seconds(words, folder / "alone", "1")
    spent = {}
    for workers in (1, 2):
        out = folder / f"workers-{workers}"
        with cluster(workers) as on:
            spent[workers] = seconds(words, out, on.address)
        found = {
            "stage": name,
            "workers": workers,
            "seconds": round(spent[workers], 1),
            "alone": round(alone, 1),
            "different": different(folder / "alone", out),
        }
        if workers == 2:
            found["efficiency"] = round(spent[1] / (2 * spent[2]), 2)
        print(json.dumps(found), flush=True)
    for what in ("worker", "command", "scheduler"):
        out = folder / f"killed-{what}"
        result = survived(words, out, what, kills)
        print(json.dumps({"stage": name, **result, "different": different(folder / "alone", out)}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
