"""Which recipe trains the better classifier in the same time?

    OMP_NUM_THREADS=1 python tests/benchmarks/classifier.py sample_data \\
        --test CORPUS --minutes 5 --seeds 3 --recipe paper --recipe best

A recipe is a preset, with settings changed after commas: `best,masks=true,mixup=0.2`. Each is
given the same processor time for its updates (so a busy machine distorts nothing); the number of
epochs is 10, with the schedule laid out over as many updates as fit. The epoch and the
threshold are chosen on the validation split; figures are those of the test corpus' songs, whose
artists are in neither.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.classifiers.evaluation import evaluate
from ganexplain.classifiers.training import ClassifierTraining
from ganexplain.config import TrainClassifierConfig, with_preset
from ganexplain.corpora.batches import ExcerptBatches, alters_sound
from ganexplain.corpora.cache import cache_directory, cached_waveform
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import Split, load_log_mel_split
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.progress import NullProgress

EPOCHS = 10
TIMED_UPDATES = 12


def recipe_config(recipe: str, seed: int) -> TrainClassifierConfig:
    preset, *changes = recipe.split(",")
    values: dict[str, Any] = {f.name: f.default for f in fields(TrainClassifierConfig)}
    values |= {"corpus": (), "preset": preset, "seed": seed, "workers": 0}
    asked = dict(change.split("=") for change in changes)
    for name, text in asked.items():
        kind = type(values[name])
        values[name] = text == "true" if kind is bool else kind(text)
    return with_preset(TrainClassifierConfig, values, set(asked) | {"workers"})


def load(corpora: list[str], name: str) -> Split:
    return load_log_mel_split(
        read_corpora(corpora), name, FrontEnd(), cache_directory(""), NullProgress()
    )


def train(
    config: TrainClassifierConfig, splits: dict[str, Split], seconds: float
) -> tuple[ClassifierTraining, float]:
    """Train for `seconds` of processor time; the training, and the seconds it really took."""
    train_split = splits["train"]
    cache, rate = cache_directory(""), train_split.front_end.sample_rate
    waveforms = [cached_waveform(r.path, rate, cache) for r in train_split.recordings]
    batches = ExcerptBatches(config, train_split, waveforms if alters_sound(config) else [])

    def begin(updates_per_epoch: int) -> ClassifierTraining:
        laid_out = replace(config, epochs=EPOCHS, updates_per_epoch=updates_per_epoch)
        return ClassifierTraining(laid_out, 1, train_split, torch.device("cpu"))

    trial = begin(100)
    trial.step(0, batches.make(0))
    started = time.process_time()
    for step in range(1, TIMED_UPDATES + 1):
        trial.step(step, batches.make(step))
    each = (time.process_time() - started) / TIMED_UPDATES
    training = begin(max(int(seconds / each / EPOCHS), 1))
    spent, started = 0.0, time.process_time()
    for step in range(training.updates):
        training.step(step, batches.make(step))
        if (step + 1) % training.config.updates_per_epoch == 0:
            spent += time.process_time() - started
            training.finish_epoch(step // training.config.updates_per_epoch, splits["valid"])
            started = time.process_time()
    return training, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--test", required=True, help="corpus to test on")
    parser.add_argument("--split", action="append", help="of the test corpus; default: test")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--out", type=Path, help="file that gets a line of JSON a training")
    arguments = parser.parse_args()
    keep_freed_memory()
    splits = {name: load(arguments.corpus, name) for name in ("train", "valid")}
    tests = [load([arguments.test], name) for name in arguments.split or ["test"]]
    songs = ", ".join(f"{len(t.recordings)} files" for t in tests)
    print(f"{torch.get_num_threads()} thread(s), {arguments.minutes:g} min each; tested on {songs}")
    print(f"{'recipe':>40} seed updates   min  valid error  AUROC   test error  AUROC")
    for recipe in arguments.recipe or ["paper", "best"]:
        rows = []
        for seed in range(arguments.seeds):
            config = recipe_config(recipe, seed)
            training, spent = train(config, splits, 60 * arguments.minutes)
            best = training.best
            assert best is not None
            network = training.best_network(best).eval()
            figures = [evaluate(network, test, best.threshold).figures for test in tests]
            error, area = (np.mean([f[k] for f in figures]) for k in ("frame_error", "auroc"))
            valid = best.figures
            rows.append((error, area))
            print(
                f"{recipe:>40} {seed:4d} {training.updates:7d} {spent / 60:5.1f}"
                f"  {100 * valid['frame_error']:9.2f} %  {valid['auroc']:.3f}"
                f"  {100 * error:9.2f} %  {area:.3f}",
                flush=True,
            )
            if arguments.out:
                row = {"recipe": recipe, "seed": seed, "updates": training.updates, "valid": valid}
                with arguments.out.open("a") as stream:
                    stream.write(json.dumps(row | {"test": figures}) + "\n")
        error, area = np.mean(rows, axis=0)
        print(f"{recipe:>40} mean {'':>34} {100 * error:9.2f} %  {area:.3f}", flush=True)


if __name__ == "__main__":
    main()
