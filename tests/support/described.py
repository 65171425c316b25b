"""Inputs that the stage `input` describes, and a sound in which every band changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts.input_description import InputDescription
from ganexplain.config import InputConfig
from ganexplain.inputs.specification import Call, Input, read_input_file
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.input import describe_input

RATE = 16000


def sound(seconds: float, rate: int = RATE) -> np.ndarray:
    """Noise and gliding tones that come and go (samples,): every band changes."""
    stream = np.random.default_rng(0)
    times = np.arange(round(seconds * rate)) / rate
    level = np.interp(times * 8, np.arange(round(seconds * 8) + 2), stream.uniform(
        0, 1, round(seconds * 8) + 2) ** 3)  # fmt: skip
    glides = sum(np.sin(2 * np.pi * (100 * k + 60 * k * times) * times) for k in (1, 7, 31))
    found = (0.2 * level + 0.004) * stream.standard_normal(times.size) + 0.05 * level[::-1] * glides
    return np.asarray(found, dtype=np.float32)


def described(source: str | Path, example: Path, out: Path, **settings: Any) -> InputDescription:
    config = InputConfig(source=str(source), example=str(example), **settings)
    return describe_input(config, out, NullProgress())


def input_of(path: Path, samples: np.ndarray) -> tuple[np.ndarray, Input, Call]:
    """What a network gets of samples by a file of `--input`."""
    input_spec, call = read_input_file(path)
    source = WaveformInput(sample_rate=input_spec.sound_rate, samples=samples.size)
    bridge = bridge_between(source, input_spec, call.layout)
    return bridge(torch.from_numpy(samples)[None])[0].numpy(), input_spec, call
