"""Excerpts whose explanation is known: sung spans planted in instrumental music."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ganexplain.attribution.fills import Reference
from ganexplain.attribution.segments import temporal
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Recording
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.fast.optimize import optimize_frozen
from support.paths import SAMPLE

SEGMENTS, PLANTED = 10, 3


@dataclass(frozen=True)
class Planted:
    """Log-mel (F, T), the label map (F, T) of ten spans, and which three hold the voice."""

    mel: np.ndarray
    labels: np.ndarray
    voiced: np.ndarray


def classifier() -> tuple[Classifier, torch.nn.Module, Reference]:
    """The shipped detector, its optimised form, and how its inputs are scaled."""
    shipped = load_classifier(SAMPLE / "pretrained" / "classifier.pt", torch.device("cpu"))
    network, front_end = shipped.network, shipped.sound
    example = torch.zeros(2, front_end.mel_bands, front_end.excerpt_frames)
    silence = float(np.log(front_end.floor))
    reference = Reference(network.mean[:, None], network.deviation[:, None], silence)
    return shipped, optimize_frozen(network, example), reference


def planted_excerpts(
    shipped: Classifier, count: int, corpus: Path = SAMPLE, seed: int = 0
) -> Iterator[Planted]:
    """Non-vocal excerpts in which three of ten spans are those of a voice (IJCNN 2020, Exp. 4).

    Held-out recordings: voices alone, and instrumental music that the detector rightly rejects.
    Only excerpts that it calls vocal once the voice is in them.
    """
    random = np.random.default_rng(seed)
    voices, bands = _voices_and_bands(corpus, shipped.front_end)
    given = 0
    while given < count:
        voice, band = voices[random.integers(len(voices))], bands[random.integers(len(bands))]
        height, width = band.shape
        labels = temporal(height, width, SEGMENTS)
        voiced = np.zeros(SEGMENTS, dtype=bool)
        voiced[random.choice(SEGMENTS, PLANTED, replace=False)] = True
        mixed = np.where(voiced[labels], voice, band).astype(np.float32)
        with torch.no_grad():
            before, after = shipped.network(torch.as_tensor(np.stack([band, mixed])))[:, 0]
        if before < 0 < after:
            given += 1
            yield Planted(mixed, labels, voiced)


@lru_cache(maxsize=2)
def _voices_and_bands(
    corpus: Path, front_end: FrontEnd
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    held_out = [r for r in read_corpus(corpus).recordings if r.split != "train"]
    alone = [r for r in held_out if r.path.name.startswith(("alone", "makam"))]
    bands = [r for r in held_out if all(s.label == 0 for s in r.segments)]
    return _excerpts(alone, front_end, sung=True), _excerpts(bands, front_end, sung=False)


def _excerpts(recordings: list[Recording], front_end: FrontEnd, sung: bool) -> list[np.ndarray]:
    """Every 57 frames the excerpts (F, T) that are sung, or not, from end to end."""
    found = []
    for recording in recordings:
        mel = log_mel(load_mono(recording.path, front_end.sample_rate), front_end)
        labels = recording.frame_labels(len(mel), front_end)
        for start in range(0, len(mel) - front_end.excerpt_frames, 57):
            piece = slice(start, start + front_end.excerpt_frames)
            if (labels[piece] == int(sung)).all():
                found.append(mel[piece].T)
    return found
