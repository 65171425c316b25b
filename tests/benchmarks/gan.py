"""Which loss trains the better generator in the same time?

    OMP_NUM_THREADS=1 python tests/benchmarks/gan.py sample_data --classifier classifier.pt

Each loss trains for the same wall-clock time, with its recipe's own settings, from random
weights and after a quarter of the time as the decoder of an autoencoder; the averaged
generator's samples are compared with excerpts of the test split by the Frechet distance of the
classifier's fc8 features. Beside it the distance of training to test excerpts (the floor) and
the spread of the classifier's responses.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts import write_bytes
from ganexplain.ascent.frechet import frechet_distance
from ganexplain.ascent.neurons import responses_and_features
from ganexplain.config import FrontEnd, TrainGanConfig
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpus
from ganexplain.data.excerpts import Split, load_split
from ganexplain.models.dcgan import LATENT_SIZE
from ganexplain.models.gan_losses import RECIPES
from ganexplain.models.loading import load_classifier
from ganexplain.runtime import Silent
from ganexplain.stages.train_gan import GanTraining

SAMPLES = 1000


def described(network: torch.nn.Module, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Responses (N,) of fc9 and features (N, 64) of fc8 for excerpts (N, F, T)."""
    parts = [
        responses_and_features(network, "fc9", 0, "fc8", torch.from_numpy(mel[i : i + 50]))
        for i in range(0, len(mel), 50)
    ]
    response, features = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    return response, features


def real_excerpts(split: Split) -> np.ndarray:
    centres = split.whole_excerpts()
    rows = np.random.default_rng(0).choice(len(centres), SAMPLES, replace=False)
    return split.gather(centres[rows])


def train_for(
    seconds: float, autoencoder: bool, loss: str, seed: int, split: Split
) -> tuple[GanTraining, int]:
    config = TrainGanConfig(corpus=(), loss=loss, seed=seed, ema_decay=0.99)
    training = GanTraining(config, RECIPES[loss], split, torch.device("cpu"))
    started, step = time.monotonic(), 0
    while autoencoder and time.monotonic() - started < seconds / 4:
        training.autoencoder_step(step)
        step += 1
    step = 0
    while time.monotonic() - started < seconds:
        training.step(step)
        step += 1
    return training, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--classifier", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--loss", action="append", choices=list(RECIPES))
    parser.add_argument("--sheets", type=Path, help="folder for sample sheets")
    arguments = parser.parse_args()
    corpus = read_corpus(Path(arguments.corpus))
    network = load_classifier(arguments.classifier, torch.device("cpu")).network
    splits = {
        name: load_split(corpus, name, FrontEnd(), cache_directory(""), Silent())
        for name in ("train", "test")
    }
    real = {name: described(network, real_excerpts(split)) for name, split in splits.items()}
    floor = frechet_distance(real["train"][1], real["test"][1])
    print(f"{torch.get_num_threads()} thread(s), {arguments.minutes:g} min each, {corpus.path}")
    print(
        f"training to test excerpts: FD fc8 {floor:.2f}; response of test excerpts "
        f"{real['test'][0].mean():.2f} +- {real['test'][0].std():.2f}"
    )
    print(f"{'loss':>16} autoencoder seed  steps  FD fc8 to test   response")
    latent = torch.randn(SAMPLES, LATENT_SIZE, generator=torch.Generator().manual_seed(1))
    for loss, autoencoder, seed in itertools.product(
        arguments.loss or RECIPES, (False, True), range(arguments.seeds)
    ):
        training, steps = train_for(
            60 * arguments.minutes, autoencoder, loss, seed, splits["train"]
        )
        with torch.no_grad():
            drawn = training.average.folded()(latent).numpy()
        response, features = described(network, drawn)
        print(
            f"{loss:>16} {autoencoder!s:>11} {seed:4d} {steps:6d} "
            f"{frechet_distance(features, real['test'][1]):15.2f}   "
            f"{response.mean():.2f} +- {response.std():.2f}",
            flush=True,
        )
        if arguments.sheets:
            name = f"{loss}{'-autoencoder' if autoencoder else ''}-{seed}.png"
            write_bytes(arguments.sheets / name, training.sheet())


if __name__ == "__main__":
    main()
