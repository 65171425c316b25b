"""`--prior-from`: a generator of mixtures of real excerpts, in the place of a GAN."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.explanations import MIXTURES
from ganexplain.audio.io import load_excerpt, read_duration
from ganexplain.config import ExplainConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import UsageError
from ganexplain.gans.mixtures import SOURCES, MixtureGenerator
from ganexplain.inputs.base import Input
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.runs.machine import random_stream

LEVEL = 0.1  # root mean square of an excerpt that is mixed
SOFTEST = 1e-4  # the same of one in a recording: a softer one is another's silence
TRIES = 20  # of an excerpt


def with_mixtures(
    config: ExplainConfig, out: Path, keep: bool
) -> tuple[ExplainConfig, MixtureGenerator | None]:
    """The settings with `OUT/mixtures.pt` as the GAN where they name recordings, and its content.

    Without recordings there is no content, nor where that file is to be kept and exists. Raises
    UsageError for both or neither of a GAN and recordings, and for a network that takes no sound;
    other errors as `open_corpus` and `load_target`.
    """
    if bool(config.prior_from) == bool(config.gan):
        problem = "leave one of them out" if config.gan else "name one of them"
        raise UsageError(f"--gan or --prior-from, a GAN or recordings to mix: {problem}")
    if config.gan:
        return config, None
    path = out / MIXTURES
    config = replace(config, gan=str(path))
    if keep and path.is_file():
        return config, None
    source = NetworkSource.from_settings(config)
    input_spec = load_target(source, None, torch.device("cpu")).front_end
    return config, mixtures_of(config.prior_from, input_spec, config.seed)


def mixtures_of(folder: str, input_spec: Input, seed: int) -> MixtureGenerator:
    """The generator of inputs from excerpts of a corpus's split train, drawn with a seed."""
    rate = input_spec.sound_rate
    if not rate:
        raise UsageError(
            f"--prior-from: mixes recordings, and the network takes {input_spec.plural}"
        )
    sound = WaveformInput(sample_rate=rate, samples=math.ceil(input_spec.seconds * rate - 1e-6))
    corpus = open_corpus([folder])
    if not corpus.has_sound:
        raise UsageError(f"--prior-from {folder}: contains pictures; name recordings")
    paths = [each.path for each in corpus.split("train")]
    if not paths:
        raise UsageError(
            f"--prior-from {folder}: has no recordings of the split train, which are mixed; name "
            "another corpus"
        )
    return mixtures(draw_excerpts(paths, sound, seed), sound, input_spec)


def mixtures(excerpts: np.ndarray, sound: WaveformInput, input_spec: Input) -> MixtureGenerator:
    """The generator of inputs from excerpts (K, W), which are brought to one level."""
    level = np.sqrt(np.mean(np.square(excerpts, dtype=np.float64), axis=1, keepdims=True))
    generator = MixtureGenerator(sound, input_spec, len(excerpts))
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

    return np.stack([_heard(draw) for _ in range(SOURCES)])


def has_sound(excerpt: np.ndarray) -> bool:
    """Whether an excerpt (W,) is loud enough to be mixed."""
    return bool(np.sqrt(np.mean(np.square(excerpt))) > SOFTEST)


def _heard(draw: Callable[[], np.ndarray]) -> np.ndarray:
    """The first of several draws that is no silence."""
    for _ in range(TRIES):
        excerpt = draw()
        if has_sound(excerpt):
            return excerpt
    raise UsageError("--prior-from: hardly any of it has sound to mix; name other recordings")
