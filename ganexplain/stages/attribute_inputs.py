"""What `attribute` is asked about: moments of recordings, the target, what is known to matter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.ascent.neurons import find_layer, neuron_numbers, output_units
from ganexplain.config import FrontEnd
from ganexplain.data.audio import load_mono
from ganexplain.data.corpus import JAMENDO_CLASSES, label_text
from ganexplain.data.frontend import frame_times, log_mel
from ganexplain.data.sounding import sounding_spans
from ganexplain.errors import BadFile, UsageError, check_known
from ganexplain.models.loading import Classifier

STEM_LEVEL = -40.0  # dB below the loudest at which a stem is silent, as `label-stems` has it


@dataclass(frozen=True)
class Moment:
    """An excerpt of a recording: log-mel `mel` (F, T) in nat, its `waveform` (samples,).

    `start` in samples from the beginning of the recording, which it may precede; `centre` the
    time in seconds of its middle frame.
    """

    path: Path
    start: int
    centre: float
    mel: np.ndarray
    waveform: np.ndarray

    @property
    def name(self) -> str:
        """The file and the time, fit for a folder."""
        return f"{self.path.stem}-at-{self.centre:.2f}"


def moments(inputs: Sequence[str], front_end: FrontEnd) -> list[Moment]:
    """The excerpts that `FILE@SECONDS` and `FILE` name; the latter every excerpt, end to end.

    Beyond the ends of a recording stands silence. Raises BadFile for a file that cannot be
    used, UsageError for a time outside of it.
    """
    found = []
    for text in inputs:
        path, at = _split_moment(text)
        sound = load_mono(path, front_end.sample_rate)
        mel = log_mel(sound, front_end)
        if not len(mel):
            raise BadFile(f"{path}: shorter than one frame; nothing to explain")
        frames = _frames(text, at, len(mel), front_end)
        found += [_moment(path, sound, mel, frame, front_end) for frame in frames]
    for name, times in Counter(moment.name for moment in found).items():
        if times > 1:
            raise UsageError(f"{name}: asked for twice; leave one")
    return found


def _split_moment(text: str) -> tuple[Path, float | None]:
    if Path(text).is_file():  # a name may hold an @
        return Path(text), None
    matched = re.fullmatch(r"(.+)@(\d+(?:\.\d*)?|\.\d+)", text)
    return (Path(matched[1]), float(matched[2])) if matched else (Path(text), None)


def _frames(text: str, at: float | None, frames: int, front_end: FrontEnd) -> list[int]:
    length = front_end.excerpt_frames
    times = frame_times(frames, front_end)
    if at is None:
        if frames < length:
            return [frames // 2]
        return list(range(length // 2, frames - length // 2, length))
    if at > times[-1] + front_end.frame_length / front_end.sample_rate:
        raise UsageError(f"{text}: the recording ends at {times[-1]:.2f} s")
    return [int(np.argmin(np.abs(times - at)))]


def _moment(
    path: Path, sound: np.ndarray, mel: np.ndarray, frame: int, front_end: FrontEnd
) -> Moment:
    length = front_end.excerpt_frames
    first = frame - length // 2
    low, high = max(first, 0), min(first + length, len(mel))
    silence = np.log(front_end.floor)
    outside = ((0, 0), (low - first, first + length - high))
    excerpt = np.pad(mel[low:high].T, outside, constant_values=silence)
    start = first * front_end.hop_length
    return Moment(
        path, start, float(frame_times(frame + 1, front_end)[frame]),
        excerpt.astype(np.float32), cut(sound, start, front_end.excerpt_samples),
    )  # fmt: skip


def cut(sound: np.ndarray, start: int, samples: int) -> np.ndarray:
    """Samples (samples,) of a sound from `start`, which may be negative; zeros beyond its ends."""
    piece = np.zeros(samples, dtype=sound.dtype)
    low, high = max(start, 0), min(start + samples, sound.size)
    if high > low:
        piece[low - start : high - start] = sound[low:high]
    return piece


# --- target ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A class by its number, or the unit of a layer."""

    unit: int
    layer: str = ""
    name: str = ""


def fixed_target(text: str, classifier: Classifier, example: object) -> Target | None:
    """The target that `--target` names; None for `predicted`, which differs by input."""
    if text == "predicted":
        return None
    layer, colon, number = text.rpartition(":")
    if colon:
        find_layer(classifier.network, layer, "--target")
        count = output_units(classifier.network, layer, example)  # type: ignore[arg-type]
        numbers = neuron_numbers(number, layer, count)
        if len(numbers) != 1 or not isinstance(numbers[0], int):
            raise UsageError(f"--target {text}: name one unit, LAYER:NUMBER")
        return Target(numbers[0], layer, text)
    check_known("--target", text, classifier.classes)
    return Target(classifier.classes.index(text), "", text)


# --- what is known to matter ------------------------------------------------------------------


def truth_spans(text: str, recording: Path) -> list[tuple[float, float]] | None:
    """Spans in seconds of a `.lab` file, of one in a folder, or in which a vocal stem sounds.

    None where the folder has none of the recording's name.
    """
    path = Path(text)
    if path.is_dir():
        path = path / f"{recording.stem}.lab"
        if not path.is_file():
            return None
    if path.suffix == ".lab":
        return _lab_spans(path)
    rate = 22050
    return sounding_spans(load_mono(path, rate), rate, STEM_LEVEL, 0.0, 0.0)


def _lab_spans(path: Path) -> list[tuple[float, float]]:
    if not path.is_file():
        raise UsageError(f"--truth {path}: no such file")
    spans = []
    for number, line in enumerate(label_text(path).splitlines(), 1):
        fields = line.split()
        try:
            start, end, label = float(fields[0]), float(fields[1]), fields[2]
        except (IndexError, ValueError):
            if not fields:
                continue
            raise BadFile(f"{path}, line {number}: not `start end sing|nosing`") from None
        if label == JAMENDO_CLASSES[1]:
            spans.append((start, end))
    return spans


def truth_cells(
    spans: Sequence[tuple[float, float]], moment: Moment, front_end: FrontEnd
) -> np.ndarray:
    """Cells (F, T) of booleans of an excerpt whose frames are centred inside a span."""
    bands, frames = moment.mel.shape
    times = frame_times(frames, front_end) + moment.start / front_end.sample_rate
    inside = np.zeros(frames, dtype=bool)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return np.broadcast_to(inside, (bands, frames)).copy()
