"""`--prior-from`: a generator of mixtures of real excerpts, in the place of a GAN."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganexplain.audio.io import load_excerpt, read_duration
from ganexplain.config import ExplainConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.corpora.recordings import SPLITS
from ganexplain.errors import UsageError
from ganexplain.gans.checkpoint import write_mixtures
from ganexplain.gans.mixtures import SOURCES, MixtureGenerator
from ganexplain.inputs.base import Input
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.target import NetworkSource, load_target
from ganexplain.runs.environment import user_cache
from ganexplain.runs.machine import random_stream

LEVEL = 0.1  # root mean square of an excerpt that is mixed
SOFTEST = 1e-4  # the same of one in a recording: a softer one is another's silence
TRIES = 20  # of an excerpt


def with_mixtures(config: ExplainConfig) -> ExplainConfig:
    """The settings with a file of mixtures as the GAN, where they name recordings for one.

    The file is in the user's cache. Raises UsageError for both or neither of a GAN and recordings,
    and for a network that takes no sound; other errors as `open_corpus` and `load_target`.
    """
    if bool(config.prior_from) == bool(config.gan):
        problem = "leave one of them out" if config.gan else "name one of them"
        raise UsageError(f"--gan or --prior-from, a GAN or recordings to mix: {problem}")
    if config.gan:
        return config
    source = NetworkSource.from_settings(config)
    taken = load_target(source, None, torch.device("cpu")).front_end
    generator = mixtures_of(config.prior_from, taken, config.seed)
    digest = hashlib.sha256(repr(taken).encode())
    digest.update(generator.excerpts.numpy().tobytes())
    path = user_cache() / "mixtures" / f"{digest.hexdigest()[:16]}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mixtures(path, generator, taken)
    return replace(config, gan=str(path))


def mixtures_of(folder: str, taken: Input, seed: int) -> MixtureGenerator:
    """The generator of inputs from excerpts of a corpus, which are drawn with a seed."""
    rate = taken.sound_rate
    if not rate:
        raise UsageError(f"--prior-from: mixes recordings, and the network takes {taken.plural}")
    sound = WaveformInput(sample_rate=rate, samples=math.ceil(taken.seconds * rate - 1e-6))
    corpus = open_corpus([folder])
    if not corpus.has_sound:
        raise UsageError(f"--prior-from {folder}: contains pictures; name recordings")
    paths = [each.path for split in (*SPLITS, "") for each in corpus.split(split)]
    return mixtures(draw_excerpts(paths, sound, seed), sound, taken)


def mixtures(excerpts: np.ndarray, sound: WaveformInput, taken: Input) -> MixtureGenerator:
    """The generator of inputs from excerpts (K, W), which are brought to one level."""
    level = np.sqrt(np.mean(np.square(excerpts, dtype=np.float64), axis=1, keepdims=True))
    generator = MixtureGenerator(sound, taken, len(excerpts))
    generator.excerpts.copy_(torch.from_numpy(LEVEL * excerpts / level))
    return generator.eval().requires_grad_(False)


def draw_excerpts(paths: Sequence[Path], sound: WaveformInput, seed: int) -> np.ndarray:
    """Excerpts (K, W) of recordings at random times, the longer a recording the more.

    Raises UsageError if hardly any has sound.
    """
    stream, length = random_stream(seed, "mixtures"), sound.seconds
    room = np.array([max(0.0, read_duration(path) - length) for path in paths])
    chance = (room + length) / (room + length).sum()

    def draw() -> np.ndarray:
        place = int(stream.choice(len(paths), p=chance))
        start = float(stream.uniform(0, room[place]))
        return load_excerpt(paths[place], start, sound.samples, sound.sample_rate)

    return np.stack([_heard(draw, paths) for _ in range(SOURCES)])


def _heard(draw: Callable[[], np.ndarray], paths: Sequence[Path]) -> np.ndarray:
    """The first of several draws that is no silence."""
    for _ in range(TRIES):
        excerpt = draw()
        if np.sqrt(np.mean(np.square(excerpt))) > SOFTEST:
            return excerpt
    raise UsageError(f"{paths[0].parent}: hardly any sound to mix; name other recordings")
