"""SIGKILL again and again: is anything lost that a run had kept, and is the end the same?

    python tests/benchmarks/kills.py --kills 100
    python tests/benchmarks/kills.py --kills 100 --dask worker

An adaptive search of one unit, the searches and the ranking of two, and the responses of a corpus
of pictures, with untrained networks. Each runs in a fork of this process, which is killed after a
random part of the time that the whole takes, and is started again with `resume` until it ends; then
it begins anew, until there were so many kills. With `--dask` two workers do the tasks, and a
worker, the scheduler or the command is killed; the command is started again only where it ended.
Prints a JSON line a stage: kills, runs that ended, parts that were kept, parts lost by a kill (not
there, or not the same, after the next one), and files that differ from a run's without kills.
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
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import torch

from ganexplain.config import ExplainConfig, ResponsesConfig, SelectConfig
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.dask_cluster import Cluster, cluster
from support.parted import files_of
from support.picture_run import picture_run

FORK = multiprocessing.get_context("fork")
Stage = Callable[[Path], object]  # goes on in a run directory
Kill = Callable[[ForkProcess], None]  # given the process of the command
FAILURES = 5  # of the command in a row, with no kill between them


def stages(root: Path, workers: str) -> dict[str, Stage]:
    """The stages that are killed, by name; what they read is made in `root`."""
    run, progress = picture_run(root), NullProgress()
    sought = ResponsesConfig(
        classifier=run.classifier, corpus=run.corpus, neuron="0,1", top=3, workers=workers,
        device="cpu",
    )  # fmt: skip
    responses(sought, root / "responses", progress)
    searched = ExplainConfig(
        classifier=run.classifier, gan=run.gan, neuron="0,1", examples=8, iterations=(60,),
        workers=workers, device="cpu",
    )  # fmt: skip
    aimed = replace(searched, neuron="0", search="adaptive", responses=str(root / "responses"),
                    iterations=(400,))  # fmt: skip
    explain(searched, root / "explain", progress)
    ranked = SelectConfig(
        explanations=str(root / "explain"), responses=str(root / "responses"), workers=workers
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


def kill_command(process: ForkProcess) -> None:
    """Kill the command itself."""
    process.kill()
    process.join()


def killing(victim: str, on: Cluster | None) -> Kill:
    """How the victim is killed: `command`, `worker` or `scheduler`."""
    if on is None or victim == "command":
        return kill_command
    kill = on.kill_worker if victim == "worker" else on.kill_scheduler

    def kill_and_mend(process: ForkProcess) -> None:
        kill()
        on.start()

    return kill_and_mend


def killed_runs(
    stage: Stage, seconds: float, out: Path, seed: int, kill: Kill
) -> Iterator[dict[Path, bytes]]:
    """Kill until a run ends, and start its command again where it ended; yields the parts."""
    draw, failures = random.Random(seed), 0
    process = FORK.Process(target=stage, args=(out,))
    process.start()
    while failures < FAILURES:
        process.join(draw.uniform(0, seconds))
        if process.exitcode == 0:
            return
        if process.exitcode is None:
            failures = 0
            kill(process)
            yield kept(out)
        else:  # by the kill before, as the command of a killed scheduler
            failures += 1
        if process.exitcode is not None:
            process = FORK.Process(target=stage, args=(out,))
            process.start()
    raise RuntimeError(f"{out}: exit status {process.exitcode}")


def measure(stage: Stage, folder: Path, kills: int, kill: Kill) -> dict[str, object]:
    """What so many kills did to a stage."""
    stage(folder / "first")  # workers import what they need
    began = time.monotonic()
    stage(folder / "alone")
    seconds, wanted = time.monotonic() - began, files_of(folder / "alone")
    found = {"kills": 0, "runs": 0, "parts": 0, "lost": 0}
    different: set[str] = set()
    while found["kills"] < kills:
        out, before = folder / "killed", dict[Path, bytes]()
        for now in killed_runs(stage, seconds, out, found["runs"], kill):
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
    parser.add_argument("--dask", choices=("command", "worker", "scheduler"), help="what is killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text, _workers(options.dask) as on:
        for name, stage in stages(Path(text) / "made", on.address if on else "1").items():
            if options.stage not in name:
                continue
            folder, kill = Path(tempfile.mkdtemp(dir=text)), killing(options.dask, on)
            found = measure(stage, folder, options.kills, kill)
            print(json.dumps({"stage": name, "killed": options.dask, **found}), flush=True)


def _workers(dask: str | None) -> AbstractContextManager[Cluster | None]:
    return cluster(2) if dask else nullcontext()


if __name__ == "__main__":
    main()
