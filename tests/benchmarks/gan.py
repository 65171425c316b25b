"""Which recipe trains the better generator in the same time?

    OMP_NUM_THREADS=1 python tests/benchmarks/gan.py sample_data --minutes 1.5 --out gan.jsonl

Each recipe trains for the same processor time on the training split (one thread, so a busy
machine distorts nothing), from random weights or after a quarter of the time as the decoder of
an autoencoder, or with --start from the generator of a gan.pt. The running average's samples are
compared with excerpts of the test split by features of --judge, a classifier.pt or
MODEL@INPUT.toml that should have no part in the training, and by their onsets, notes and lattice.
The feature discriminator of `features` has another network. All recipes of one seed run before
those of the next, so what was cut short is still even; lines already in `--out` are not run again,
and the table is made of all of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import TrainGanConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.atomic import write_bytes
from ganexplain.gans.checkpoint import load_gan
from ganexplain.gans.training import GanTraining
from ganexplain.gans.validation import EXCERPTS, Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.source import named_source
from ganexplain.networks.target import load_target
from ganexplain.report.pictures.sample_sheet import sample_sheet
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.progress import NullProgress

PRETRAINED = Path("sample_data/pretrained")
CPU = torch.device("cpu")
COLUMNS = (
    "precision", "recall", "density", "coverage", "onsets", "notes", "lattice_frames", "diversity"
)  # fmt: skip
LOSSES = ("wgan-gp", "non-saturating", "relativistic", "hinge")
SETTINGS: dict[str, dict[str, Any]] = {
    **{loss: {"loss": loss, "autoencoder_steps": 0} for loss in LOSSES},
    **{f"{loss}, autoencoder": {"loss": loss} for loss in LOSSES},
    "hinge, autoencoder, augment": {"loss": "hinge", "augment": True},
    "hinge, autoencoder, features": {"loss": "hinge", "features_of": "teacher"},
    "relativistic, autoencoder, features": {"loss": "relativistic", "features_of": "teacher"},
}


def train_for(seconds: float, training: GanTraining, start: bool) -> int:
    """Train for some seconds of processor time; returns the number of adversarial steps."""
    started = time.process_time()
    for step in itertools.count():
        warm = training.config.autoencoder_steps and not start
        if not warm or time.process_time() - started > seconds / 4:
            break
        training.autoencoder_step(step)
    for step in itertools.count():
        if time.process_time() - started > seconds:
            return step
        training.step(step)
    raise AssertionError


def print_table(rows: list[dict[str, Any]], real: dict[str, float]) -> None:
    print(f"| recipe | steps | distance over that of training excerpts | {' | '.join(COLUMNS)} |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for recipe in SETTINGS:
        mine = sorted((r for r in rows if r["recipe"] == recipe), key=lambda r: r["seed"])
        if mine:
            steps = np.mean([row["steps"] for row in mine])
            each = ", ".join(f"{row['ratio']:.2f}" for row in mine)
            means = [f"{np.mean([row[name] for row in mine]):.2f}" for name in COLUMNS]
            print(f"| {recipe} | {steps:.0f} | {each} | {' | '.join(means)} |")
    reference = [f"{real[name]:.2f}" if name in real else "" for name in COLUMNS]
    print(f"| training excerpts | | 1.00 | {' | '.join(reference)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--judge", default=f"{PRETRAINED / 'referee.pt'}")
    parser.add_argument("--start", type=Path, help="gan.pt whose generator all recipes train on")
    parser.add_argument("--features-of", type=Path, default=PRETRAINED / "judge.pt")
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipe", action="append", choices=list(SETTINGS))
    parser.add_argument("--out", type=Path, required=True, help="file of one JSON line a training")
    parser.add_argument("--sheets", type=Path, help="folder for sample sheets")
    arguments = parser.parse_args()
    keep_freed_memory()
    corpus = read_corpora(arguments.corpus)
    train, test = (
        load_log_mel_split(corpus, name, FrontEnd(), cache_directory(""), NullProgress())
        for name in ("train", "test")
    )
    teacher = load_classifier(arguments.features_of, CPU).network
    judge = load_target(named_source(arguments.judge), FrontEnd(), CPU).network
    validation = Validation(0, train, test, CPU, judge)
    texture = validation.texture(validation.excerpts(train, EXCERPTS))
    apart = validation.apart_from_held_out(validation.training)
    real = {**apart, **texture}
    start = load_gan(arguments.start, CPU)[:2] if arguments.start else None
    rows = []
    if arguments.out.is_file():
        rows = [json.loads(line) for line in arguments.out.read_text().splitlines()]
    done = {(row["recipe"], row["seed"]) for row in rows}
    recipes = arguments.recipe or list(SETTINGS)
    for seed, recipe in itertools.product(range(arguments.seeds), recipes):
        if (recipe, seed) in done:
            continue
        config = TrainGanConfig(corpus=(), seed=seed, ema_decay=0.99, **SETTINGS[recipe])
        taught = teacher if config.features_of else None
        training = GanTraining(config, train, CPU, taught, start)
        steps = train_for(60 * arguments.minutes, training, start is not None)
        generator = training.average.fold_norms()
        figures = validation.measure(generator) | validation.texture(validation.samples(generator))
        figures["ratio"] = figures["kernel"] / apart["kernel"]
        rows.append({"recipe": recipe, "seed": seed, "steps": steps, **figures})
        with arguments.out.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")
        print(f"{recipe}, seed {seed}: {steps} steps, {figures['ratio']:.2f}", flush=True)
        if arguments.sheets:
            drawn = validation.samples(training.average, 16)
            sheet = sample_sheet({"first": drawn[:8], "next": drawn[8:]}, FrontEnd())
            write_bytes(arguments.sheets / f"{recipe}-{seed}.png", sheet)
    print(
        f"{torch.get_num_threads()} thread(s), {arguments.minutes:g} min each, {corpus.name}; "
        f"{arguments.judge}: kernel distance of training to test excerpts {apart['kernel']:.4f}"
    )
    print_table(rows, real)


if __name__ == "__main__":
    main()
