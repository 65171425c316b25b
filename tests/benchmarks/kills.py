"""SIGKILL again and again: is anything lost that a run had kept, and is the end the same?

    python tests/benchmarks/kills.py --kills 100

An adaptive search of one unit, the searches and the ranking of two, and the responses of a corpus
of pictures, with untrained networks. Each runs in a fork of this process, which is killed after a
random part of the time that the whole takes, and is started again with `resume` until it ends; then
it begins anew, until there were so many kills. Prints a JSON line a stage: kills, runs that ended,
parts that were kept, parts lost by a kill (not there, or not the same, after the next one), and
files that differ from those of a run without kills.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ganexplain.config import ExplainConfig, ResponsesConfig, SelectConfig
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.parted import files_of
from support.picture_run import picture_run

Stage = Callable[[Path], object]  # goes on in a run directory
FORK = multiprocessing.get_context("fork")


def stages(root: Path) -> dict[str, Stage]:
    """The stages that are killed, by name; what they read is made in `root`."""
    run, progress = picture_run(root), NullProgress()
    sought = ResponsesConfig(
        classifier=run.classifier, corpus=run.corpus, neuron="0,1", top=3, workers="1", device="cpu"
    )
    responses(sought, root / "responses", progress)
    searched = ExplainConfig(
        classifier=run.classifier, gan=run.gan, neuron="0,1", examples=8, iterations=(60,),
        workers="1", device="cpu",
    )  # fmt: skip
    aimed = replace(searched, neuron="0", search="adaptive", responses=str(root / "responses"),
                    iterations=(400,))  # fmt: skip
    explain(searched, root / "explain", progress)
    ranked = SelectConfig(
        explanations=str(root / "explain"), responses=str(root / "responses"), workers="1"
    )
    each: Mapping[str, tuple[Callable[..., object], Any]] = {
        "responses": (responses, sought),
        "explain, adaptive, one unit": (explain, aimed),
        "explain, grid, two units": (explain, replace(searched, batch_size=6)),
        "select, two units": (select, ranked),
    }
    return {name: partial(_go_on, *stage) for name, stage in each.items()}


def _go_on(stage: Callable[..., object], config: Any, out: Path) -> None:
    torch.set_num_threads(1)
    stage(config, out, NullProgress(), resume=True)


def kept(out: Path) -> dict[Path, bytes]:
    """The parts of a run, complete as they are under their names."""
    return {path: path.read_bytes() for path in out.glob("parts/**/*.np[yz]")}


def killed_runs(stage: Stage, seconds: float, out: Path, seed: int) -> Iterator[dict[Path, bytes]]:
    """Kill a run until it ends; yields its parts after each kill."""
    draw = random.Random(seed)
    while True:
        process = FORK.Process(target=stage, args=(out,))
        process.start()
        process.join(draw.uniform(0, seconds))
        if process.exitcode is not None:
            if process.exitcode:
                raise RuntimeError(f"{out}: exit status {process.exitcode}")
            return
        process.kill()
        process.join()
        yield kept(out)


def measure(stage: Stage, folder: Path, kills: int) -> dict[str, object]:
    """What so many kills did to a stage."""
    began = time.monotonic()
    stage(folder / "alone")
    seconds, wanted = time.monotonic() - began, files_of(folder / "alone")
    found = {"kills": 0, "runs": 0, "parts": 0, "lost": 0}
    different: set[str] = set()
    while found["kills"] < kills:
        out, before = folder / "killed", dict[Path, bytes]()
        for now in killed_runs(stage, seconds, out, found["kills"]):
            found["kills"] += 1
            if not wanted.keys() <= files_of(out).keys():  # else they were used, and are deleted
                found["lost"] += sum(now.get(path) != data for path, data in before.items())
            found["parts"] += len(now.keys() - before.keys())
            before = now
        ended = files_of(out)
        different |= {name for name in wanted | ended if wanted.get(name) != ended.get(name)}
        found["runs"] += 1
        shutil.rmtree(out)
    return {"seconds": round(seconds, 2), **found, "different": sorted(different)}


def main() -> None:
    """Print a JSON line a stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stage", default="", help="a word of its name; all without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        for name, stage in stages(Path(text) / "made").items():
            if options.stage not in name:
                continue
            found = measure(stage, Path(tempfile.mkdtemp(dir=text)), options.kills)
            print(json.dumps({"stage": name, **found}), flush=True)


if __name__ == "__main__":
    main()
