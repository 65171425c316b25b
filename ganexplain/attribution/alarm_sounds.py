"""Sounds that are taken for a class, generated from excerpts that are known to be without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.artifacts.false_alarms import GeneratedSound
from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.mixture_prior import has_sound, mixtures
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.attribution.alarms import AlarmTask
from ganexplain.audio.io import encode_flac, read_duration
from ganexplain.audio.round_trip import as_heard
from ganexplain.audio.sonify import limit_peak
from ganexplain.files.atomic import write_bytes
from ganexplain.gans.mixtures import SOURCES
from ganexplain.report.false_alarms_page import HeardSound
from ganexplain.runs.machine import random_stream

RATE, WEIGHT, CALLS = 0.3, 0.01, 17  # of the search (`evolution`): a population, without gradients
ITERATIONS = 40
LEAST_SOURCES = 2


@dataclass(frozen=True)
class GeneratedClass:
    """What was generated for a class: waveforms (N, W) as heard, by the best score."""

    waveforms: np.ndarray
    sounds: tuple[GeneratedSound, ...]

    def heard(self, task: AlarmTask) -> list[HeardSound]:
        """The sounds for a page."""
        return [
            HeardSound(f"generated {k}", waveform, task.log_mel(waveform), sound.score)
            for k, (waveform, sound) in enumerate(zip(self.waveforms, self.sounds, strict=True), 1)
        ]


def generate_sounds(
    task: AlarmTask, number: int, out: Path, advance: Callable[[int], None]
) -> GeneratedClass:
    """Mixtures of real excerpts that are taken for a class, and what in them is the cause.

    `advance` is called with the number of iterations done, `ITERATIONS` for each sound. There are
    none if hardly any excerpt has sound.
    """
    excerpts = _excerpts(task, number)
    if len(excerpts) < LEAST_SOURCES:
        return GeneratedClass(np.empty((0, task.sound.samples), np.float32), ())
    generator = mixtures(excerpts, task.sound, task.sound)
    seeds = task.config.seed + np.arange(task.config.generated)
    starts = start_latents(task.config.seed, len(seeds), generator.latent_size)

    def margins(latents: Tensor) -> Tensor:
        outputs = task.outputs(generator(latents).numpy())
        return torch.from_numpy(task.margins(outputs)[:, number]).float()

    found = ascend(
        margins, Starts(starts, RATE, WEIGHT, seeds), [ITERATIONS], AscentSettings(calls=CALLS),
        lambda units, response: advance(units),
    )  # fmt: skip
    made = generator(torch.from_numpy(found.latent[0])).numpy()
    waveforms = np.stack([as_heard(each, task.sound.sample_rate) for each in made])
    outputs = task.outputs(waveforms)
    order = np.argsort(-task.margins(outputs)[:, number], kind="stable")
    stem = f"{task.stem(number)}-generated"
    sounds = tuple(
        _sound(task, number, out / f"{stem}-{place}.flac", waveforms[k], outputs[k : k + 1])
        for place, k in enumerate(order, 1)
    )
    return GeneratedClass(waveforms[order], sounds)


def _sound(
    task: AlarmTask, number: int, path: Path, waveform: np.ndarray, outputs: np.ndarray
) -> GeneratedSound:
    """Write a sound with outputs (1, K); its score, and its cause if it is taken for the class."""
    fires = bool(task.margins(outputs)[0, number] > 0)
    cause = task.finder(number).find(waveform) if fires else None
    write_bytes(path, encode_flac(limit_peak(waveform), task.sound.sample_rate))
    return GeneratedSound(
        sound=str(path),
        score=round(float(task.scores(outputs)[0, number]), 4),
        fires=fires,
        bands_hz=task.segments.hertz(cause.bands) if cause else (),
        spans_s=task.segments.seconds(cause.spans, task.sound.seconds) if cause else (),
    )


def _excerpts(task: AlarmTask, number: int) -> np.ndarray:
    """Up to `SOURCES` excerpts (K, W) that are known to be without a class and have sound."""
    places: list[tuple[Path, int]] = []
    for recording in task.corpus.recordings:
        samples = int(read_duration(recording.path) * task.sound.sample_rate)
        starts = np.arange(0, max(samples - task.sound.samples, 0) + 1, task.hop)
        without = task.without(recording, starts, samples, number)
        places += [(recording.path, int(start)) for start in starts[without]]
    stream = random_stream(task.config.seed, "mixtures", number)
    found: list[np.ndarray] = []
    for k in stream.permutation(len(places)):
        excerpt = task.excerpt(*places[k])
        if has_sound(excerpt):
            found.append(excerpt)
        if len(found) == SOURCES:
            break
    return np.array(found)
