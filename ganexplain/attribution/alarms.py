"""The network, the corpus and the classes of which false alarms are sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.false_alarms import RecordingAlarms
from ganexplain.attribution.causes import CauseFinder, Segmentation
from ganexplain.audio.io import load_excerpt
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.config.alarms import EVERY, FalseAlarmsConfig
from ganexplain.corpora.cache import cache_directory, cached_waveform
from ganexplain.corpora.load import open_corpus
from ganexplain.corpora.recordings import OVERLAP_TOLERANCE, Corpus, Recording
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.decisions import (
    AUTO,
    OUTPUTS,
    class_logits,
    class_names,
    class_probabilities,
    guess_output_kind,
    probability_threshold,
)
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.sound_target import load_sound_target
from ganexplain.networks.target import NetworkSource, TargetNetwork, example_inputs
from ganexplain.runs.machine import pick_device

BATCH = 32
LOOKED_AT = 16  # excerpts from whose outputs their kind is guessed


@dataclass(frozen=True)
class AlarmTask:
    """A network from waveforms to classes, and recordings; `targets` are numbers of `classes`."""

    config: FalseAlarmsConfig
    source: NetworkSource
    explained: TargetNetwork
    sound: WaveformInput
    corpus: Corpus
    segments: Segmentation
    kind: str = AUTO
    classes: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()

    @classmethod
    def open(cls, config: FalseAlarmsConfig) -> AlarmTask:
        """The task of the settings; errors of settings and of every file."""
        check_known("--outputs", config.outputs, (AUTO, *OUTPUTS))
        source, device = NetworkSource.from_settings(config), pick_device(config.device)
        explained, sound = load_sound_target(source, None, device)
        corpus = open_corpus(config.corpus, config.skip_bad_files)
        if not isinstance(corpus, Corpus):
            raise UsageError(f"{corpus.name}: contains pictures; name recordings")
        segments = Segmentation.of(sound, *_columns_and_rows(config.segments))
        opened = cls(config, source, explained, sound, corpus, segments)
        outputs = opened.outputs(opened._first())
        kind = "logits" if source.classifier else config.outputs
        kind = guess_output_kind(torch.from_numpy(outputs)) if kind == AUTO else kind
        classes = class_names(explained.names.classes, outputs.shape[1], kind)
        return replace(
            opened, kind=kind, classes=classes, targets=_targets(config.target, classes, kind)
        )

    def is_named(self, number: int) -> bool:
        """Whether a class was asked for by its name, or is that of two."""
        return len(self.targets) == 1 or self.classes[number] in self.config.target

    @property
    def hop(self) -> int:
        """Samples from the start of an excerpt to that of the next."""
        seconds = self.config.hop_seconds
        return max(1, round(seconds * self.sound.sample_rate)) if seconds else self.sound.samples

    @torch.no_grad()
    def outputs(self, waveforms: np.ndarray) -> np.ndarray:
        """Outputs (N, K) for waveforms (N, W); GanexplainError if they are not finite."""
        parts = torch.from_numpy(waveforms).split(BATCH)
        network, device = self.explained.network, self.explained.device
        found = torch.cat([unit_values(network(part.to(device))).cpu() for part in parts])
        if not bool(found.isfinite().all()):
            raise GanexplainError(
                f"{self.source.name}: returns NaN or infinity; describe what it takes with --input"
            )
        values: np.ndarray = found.numpy()
        return values

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities of classes, or activations, (N, C) of outputs (N, K)."""
        found: np.ndarray = class_probabilities(torch.from_numpy(outputs), self.kind).numpy()
        return found

    def margins(self, outputs: np.ndarray, number: int) -> np.ndarray:
        """Margins (N,) of a class, above zero where outputs (N, K) decide for it."""
        values = torch.from_numpy(outputs)
        if self.kind == "activations":
            found = values[:, number].double() - self.config.level
        else:
            threshold = probability_threshold(self.explained.threshold, self.kind)
            found = decision_margin(class_logits(values, self.kind), number, threshold)
        margins: np.ndarray = found.numpy()
        return margins

    def finder(self, number: int) -> CauseFinder:
        """What finds the causes of decisions for a class."""
        return CauseFinder(
            lambda waveforms: self.margins(self.outputs(waveforms), number),
            self.sound,
            self.segments,
        )

    def excerpt(self, path: Path, start: int) -> np.ndarray:
        """The waveform (W,) of a recording from a sample on."""
        rate = self.sound.sample_rate
        return load_excerpt(path, start / rate, self.sound.samples, rate)

    def listen(self, recording: Recording) -> RecordingAlarms:
        """The alarms of a recording; errors as `cached_waveform`."""
        rate, length = self.sound.sample_rate, self.sound.samples
        whole = cached_waveform(recording.path, rate, cache_directory(self.config.cache))
        starts = np.arange(0, max(len(whole) - length, 0) + 1, self.hop)
        without = {number: self.without(recording, starts, number) for number in self.targets}
        counts = np.zeros(len(self.classes), dtype=np.int64)
        found: list[tuple[int, int, float]] = []
        for at in range(0, len(starts), BATCH):
            few = starts[at : at + BATCH]
            outputs = self.outputs(np.stack([_cut(whole, start, length) for start in few]))
            scores = self.scores(outputs)
            for number, known in without.items():
                own = known[at : at + BATCH]
                counts[number] += own.sum()
                fires = np.flatnonzero(own & (self.margins(outputs, number) > 0))
                found += [(int(few[k]), number, float(scores[k, number])) for k in fires]
        begins, numbers, values = np.array(found, dtype=np.float64).reshape(-1, 3).T
        return RecordingAlarms(
            begins.astype(np.int64), numbers.astype(np.int64), values.copy(), counts, ()
        )

    def without(self, recording: Recording, starts: np.ndarray, number: int) -> np.ndarray:
        """Whether excerpts at starts (M,) are known to be without a class."""
        rate, known = self.sound.sample_rate, self.corpus.classes
        if self.classes[number] not in known:
            return np.ones(len(starts), dtype=bool)
        label = known.index(self.classes[number])
        end = (starts + self.sound.samples) / rate
        return without_label(recording, label, starts / rate, end)

    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """The log-mel (F, T) of a waveform (W,) in which causes are found."""
        view = self.segments.view
        mel: np.ndarray = log_mel(
            np.pad(waveform, (0, max(0, view.excerpt_samples - waveform.size))), view
        ).T
        return mel

    def _first(self) -> np.ndarray:
        """Noise, and the first excerpts of the first recordings, (N, W)."""
        paths = [recording.path for recording in self.corpus.recordings[:LOOKED_AT]]
        noise = example_inputs(self.sound).numpy()
        return np.concatenate([noise, np.stack([self.excerpt(path, 0) for path in paths])])


def without_label(
    recording: Recording, label: int, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Whether spans (M,) of a recording, in seconds, are wholly labelled as other classes."""
    others, own = np.zeros(len(begin)), np.zeros(len(begin))
    for segment in recording.segments:
        common = np.minimum(end, segment.end) - np.maximum(begin, segment.start)
        (own if segment.label == label else others)[:] += np.maximum(common, 0)
    return (own == 0) & (others >= end - begin - OVERLAP_TOLERANCE)


def _targets(wanted: Sequence[str], classes: Sequence[str], kind: str) -> tuple[int, ...]:
    """The numbers of the classes that are wanted; UsageError for an unknown one."""
    if not wanted and len(classes) == 2 and kind != "activations":
        return (1,)
    if not wanted or EVERY in wanted:
        return tuple(range(len(classes)))
    return tuple(
        classes.index(check_known("--target", name, classes)) for name in dict.fromkeys(wanted)
    )


def _columns_and_rows(text: str) -> tuple[int, int]:
    """The numbers of 8x16; UsageError for another text."""
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and int(columns) and int(rows)):
        raise UsageError(f"--segments {text}: give columns x rows (times x bands), as in 8x16")
    return int(columns), int(rows)


def _cut(whole: np.ndarray, start: int, length: int) -> np.ndarray:
    part = whole[start : start + length]
    return np.pad(part, (0, length - part.size))
