"""Which recipe trains the better generator in the same time?

    OMP_NUM_THREADS=1 python tests/benchmarks/gan.py sample_data --minutes 1.5 --out gan.jsonl

Each recipe trains for the same processor time on the training split (one thread, so a busy
machine distorts nothing), from random weights or after a quarter of the time as the decoder of
an autoencoder. The running average's samples are compared with excerpts of the test split by the
Frechet distance of the last hidden layer of `--classifier`; the feature discriminator of `features`
has another network. All recipes of one seed run before those of the next, so what was cut short
is still even; lines already in `--out` are not run again, and the table is made of all of them.
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
from ganexplain.corpora.splits import Split, load_log_mel_split
from ganexplain.files.atomic import write_bytes
from ganexplain.gans.training import GanTraining
from ganexplain.gans.validation import Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.pictures.sample_sheet import sample_sheet
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.progress import NullProgress

PRETRAINED = Path("sample_data/pretrained")
CPU = torch.device("cpu")
LOSSES = ("wgan-gp", "non-saturating", "relativistic", "hinge")
SETTINGS: dict[str, dict[str, Any]] = {
    **{loss: {"loss": loss, "autoencoder_steps": 0} for loss in LOSSES},
    **{f"{loss}, autoencoder": {"loss": loss} for loss in LOSSES},
    "hinge, autoencoder, augment": {"loss": "hinge", "augment": True},
    "hinge, autoencoder, features": {"loss": "hinge", "features_of": "teacher"},
    "relativistic, autoencoder, features": {"loss": "relativistic", "features_of": "teacher"},
}


def train_for(
    seconds: float, config: TrainGanConfig, split: Split, teacher: torch.nn.Module
) -> tuple[GanTraining, int]:
    training = GanTraining(config, split, CPU, teacher if config.features_of else None)
    started = time.process_time()
    for step in itertools.count():
        if not config.autoencoder_steps or time.process_time() - started > seconds / 4:
            break
        training.autoencoder_step(step)
    for step in itertools.count():
        if time.process_time() - started > seconds:
            return training, step
        training.step(step)
    raise AssertionError


def print_table(rows: list[dict[str, Any]]) -> None:
    print("| recipe | seeds | steps | Frechet distance | each | std of responses | diversity |")
    print("|---|---|---|---|---|---|---|")
    for recipe in SETTINGS:
        mine = sorted((r for r in rows if r["recipe"] == recipe), key=lambda r: r["seed"])
        if not mine:
            continue
        score, share, diversity, steps = (
            np.array([row[key] for row in mine])
            for key in ("score", "response_share", "diversity", "steps")
        )
        each = ", ".join(f"{value:.1f}" for value in score)
        print(
            f"| {recipe} | {len(mine)} | {steps.mean():.0f} | {score.mean():.1f} | {each} | "
            f"{share.mean():.2f} | {diversity.mean():.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--classifier", type=Path, default=PRETRAINED / "classifier.pt")
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
    judge = load_classifier(arguments.classifier, CPU).network
    validation = Validation(0, train, test, CPU, judge)
    real = validation.reference()
    rows = []
    if arguments.out.is_file():
        rows = [json.loads(line) for line in arguments.out.read_text().splitlines()]
    done = {(row["recipe"], row["seed"]) for row in rows}
    recipes = arguments.recipe or list(SETTINGS)
    for seed, recipe in itertools.product(range(arguments.seeds), recipes):
        if (recipe, seed) in done:
            continue
        config = TrainGanConfig(corpus=(), seed=seed, ema_decay=0.99, **SETTINGS[recipe])
        training, steps = train_for(60 * arguments.minutes, config, train, teacher)
        figures = validation.measure(training.average.fold_norms())
        figures["score"] = figures.pop("held_out")  # a benchmark's alone is the test split
        figures["response_share"] = figures["response_std"] / real["real_response_std"]
        rows.append({"recipe": recipe, "seed": seed, "steps": steps, **figures})
        with arguments.out.open("a") as stream:
            stream.write(json.dumps(rows[-1]) + "\n")
        print(f"{recipe}, seed {seed}: {steps} steps, {figures['score']:.2f}", flush=True)
        if arguments.sheets:
            drawn = validation.samples(training.average, 16)
            sheet = sample_sheet({"first": drawn[:8], "next": drawn[8:]}, FrontEnd())
            write_bytes(arguments.sheets / f"{recipe}-{seed}.png", sheet)
    print(
        f"{torch.get_num_threads()} thread(s), {arguments.minutes:g} min each, {corpus.name}; "
        f"training to test excerpts {real['floor']:.2f}, responses of test excerpts "
        f"{real['real_response_mean']:.2f} +- {real['real_response_std']:.2f}"
    )
    print_table(rows)


if __name__ == "__main__":
    main()
