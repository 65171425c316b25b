"""The network, the corpus and the classes of which false alarms are sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.artifacts.false_alarms import RecordingAlarms
from ganexplain.attribution.causes import CauseFinder, Segmentation
from ganexplain.attribution.segments import columns_and_rows
from ganexplain.audio.io import load_excerpt
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.config.alarms import EVERY, FalseAlarmsConfig
from ganexplain.corpora.cache import cache_directory, cached_waveform
from ganexplain.corpora.load import open_corpus
from ganexplain.corpora.recordings import OVERLAP_TOLERANCE, Corpus, Recording
from ganexplain.errors import (
    GanexplainError,
    UsageError,
    check_known,
    first_names,
    skipping_bad_file,
)
from ganexplain.files.names import LONGEST_PART, distinct_names, safe_name_part
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
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, example_inputs
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
            opened,
            kind=kind,
            classes=classes,
            targets=_targets(config.target, classes, kind, corpus),
        )

    def unlabelled(self) -> str:
        """A note on classes of which a corpus has no labels; empty without."""
        known = self.corpus.classes
        names = [self.classes[k] for k in self.targets if self.classes[k] not in known]
        if not names:
            return ""
        but = f" (but of {', '.join(known)})" if known else ""
        advice = "; classes and labels of one meaning need one name" if known else ""
        return (
            f"{self.corpus.name}: has no labels of {first_names(names)}{but}, so every excerpt "
            f"counts as one without{advice}"
        )

    def score_text(self, number: int) -> str:
        """What the score of a class is, and from where on it is an alarm."""
        if self.kind == "activations":
            return f"an activation, an alarm above {self.config.level:g}"
        if len(self.classes) > 2:
            return "a probability, an alarm where that of no other class is as large"
        second = probability_threshold(self.explained.threshold, self.kind)
        return f"a probability, an alarm above {second if number == 1 else 1 - second:.3g}"

    def scores_note(self) -> str:
        """A note on what the scores are."""
        texts = dict.fromkeys(map(self.score_text, self.targets))
        return f"a score is {' or '.join(texts)}"

    def is_named(self, number: int) -> bool:
        """Whether a class was asked for by its name, or is that of two."""
        return len(self.targets) == 1 or self.classes[number] in self.config.target

    def stem(self, number: int) -> str:
        """The beginning of the names of a class's files, which no other class has."""
        parts = [safe_name_part(name) for name in self.classes]
        return distinct_names(parts, LONGEST_PART)[number]

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
                f"{self.source.name}: returns NaN or infinity; check that --input describes what "
                "it takes, or correct the network"
            )
        values: np.ndarray = found.numpy()
        return values

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities of classes, or activations, (N, C) of outputs (N, K)."""
        found: np.ndarray = class_probabilities(torch.from_numpy(outputs), self.kind).numpy()
        return found

    def margins(self, outputs: np.ndarray) -> np.ndarray:
        """Margins (N, C) of classes, above zero for those that outputs (N, K) decide for."""
        values = torch.from_numpy(outputs)
        if self.kind == "activations":
            found = values.double() - self.config.level
        else:
            threshold = probability_threshold(self.explained.threshold, self.kind)
            found = class_margins(class_logits(values, self.kind), threshold)
        margins: np.ndarray = found.numpy()
        return margins

    def finder(self, number: int) -> CauseFinder:
        """What finds the causes of decisions for a class."""
        return CauseFinder(
            lambda waveforms: self.margins(self.outputs(waveforms))[:, number],
            self.sound,
            self.segments,
            self.config.seed,
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
        without = np.stack(
            [self.without(recording, starts, len(whole), number) for number in self.targets]
        )
        targets = np.array(self.targets)
        counts = np.zeros(len(self.classes), dtype=np.int64)
        counts[targets] = without.sum(axis=1)
        found = []
        for at in range(0, len(starts), BATCH):
            few = slice(at, at + BATCH)
            outputs = self.outputs(np.stack([_cut(whole, k, length) for k in starts[few]]))
            fires = without[:, few].T & (self.margins(outputs)[:, targets] > 0)
            rows, columns = np.nonzero(fires)
            numbers = targets[columns]
            scores = self.scores(outputs)[rows, numbers]
            found.append((starts[few][rows], numbers, scores.astype(np.float64)))
        begins, numbers, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        return RecordingAlarms(begins, numbers, scores, counts, ())

    def without(
        self, recording: Recording, starts: np.ndarray, length: int, number: int
    ) -> np.ndarray:
        """Whether excerpts at starts (M,) of `length` samples are known to be without a class."""
        rate, known = self.sound.sample_rate, self.corpus.classes
        if self.classes[number] not in known:
            return np.ones(len(starts), dtype=bool)
        label = known.index(self.classes[number])
        end = np.minimum(starts + self.sound.samples, length) / rate
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
        found = [*example_inputs(self.sound).numpy()]
        for recording in self.corpus.recordings[:LOOKED_AT]:
            with skipping_bad_file(self.config.skip_bad_files, lambda reason: None):
                found.append(self.excerpt(recording.path, 0))
        return np.stack(found)


def class_margins(logits: Tensor, threshold: float) -> Tensor:
    """Margins (N, C) of all classes from their logits (N, C), each as of `decision_margin`.

    Of two classes the second is meant above its probability `threshold`, of more the most probable.
    """
    if logits.shape[1] == 2:
        second = decision_margin(logits, 1, threshold)
        return torch.stack([-second, second], dim=1)
    best = logits.topk(2, dim=1).values
    others = torch.where(logits == best[:, :1], best[:, 1:], best[:, :1])
    return logits - others


def without_label(
    recording: Recording, label: int, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Whether spans (M,) of a recording, in seconds, are wholly labelled as other classes."""
    own, others, labelled = np.zeros(len(begin)), np.zeros(len(begin)), begin
    for segment in sorted(recording.segments, key=lambda each: each.start):
        last = np.minimum(end, segment.end)
        if segment.label == label:
            own += np.maximum(last - np.maximum(begin, segment.start), 0)
        else:  # what an earlier one labelled, too, counts once
            others += np.maximum(last - np.maximum(labelled, segment.start), 0)
            labelled = np.maximum(labelled, last)
    return (own == 0) & (others >= end - begin - OVERLAP_TOLERANCE)


def _targets(
    wanted: Sequence[str], classes: Sequence[str], kind: str, corpus: Corpus
) -> tuple[int, ...]:
    """The numbers of the classes that are wanted; UsageError for an unknown one.

    So is the lack of one where the network always finds a class and the corpus knows none.
    """
    if not wanted and kind != "activations":
        if len(classes) == 2:
            return (1,)
        if not set(classes) & set(corpus.classes):
            raise UsageError(
                f"--target: the network always finds one of its {len(classes)} classes, and "
                f"{corpus.name} has no labels of them, so every excerpt would be a false alarm; "
                "name the classes that it does not contain, or all"
            )
    if not wanted or EVERY in wanted:
        return tuple(range(len(classes)))
    return tuple(
        k
        for name in dict.fromkeys(wanted)
        for k, each in enumerate(classes)
        if each == check_known("--target", name, classes)
    )


def _columns_and_rows(text: str) -> tuple[int, int]:
    """The numbers of 8x16; UsageError for another text."""
    counts = columns_and_rows(text)
    if not (counts and all(counts)):
        raise UsageError(f"--segments {text}: give columns x rows (times x bands), as in 8x16")
    return counts


def _cut(whole: np.ndarray, start: int, length: int) -> np.ndarray:
    part = whole[start : start + length]
    return np.pad(part, (0, length - part.size))
