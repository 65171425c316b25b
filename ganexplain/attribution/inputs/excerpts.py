"""Excerpts of recordings that `attribute` is asked about, and what is known of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.attribution.inputs.piece import Side, sounding
from ganexplain.attribution.masking import Parts, SourceMix
from ganexplain.audio.display import display_front_end
from ganexplain.audio.filtering import filter_by_share
from ganexplain.audio.io import load_channels, load_mono
from ganexplain.audio.log_mel import frame_times, log_mel
from ganexplain.corpora.jamendo import JAMENDO_CLASSES
from ganexplain.corpora.listed_files import in_form_on_disk, label_text
from ganexplain.corpora.single import split_seconds
from ganexplain.corpora.spans import active_spans
from ganexplain.errors import BadFile, UsageError
from ganexplain.files.bounded import split_lines
from ganexplain.files.names import shorten_name
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.report.pictures.attribution_picture import attribution_picture

STEM_LEVEL = -40.0  # dB below the loudest at which a stem is silent, as `label-stems` has it


@dataclass(frozen=True)
class Moment:
    """An excerpt of a recording: log-mel `mel` (F, T) of `front_end`, `waveform` (samples,).

    `start` in samples from the beginning of the recording, which it may precede; `centre` the
    time in seconds of its middle. The network is given the waveform where `raw`, else the mel,
    which then is but for the eye.
    """

    path: Path
    start: int
    centre: float
    mel: np.ndarray
    waveform: np.ndarray
    front_end: FrontEnd
    raw: bool = False

    suffix = "flac"

    @property
    def name(self) -> str:
        """The file and the time, fit for a folder."""
        return shorten_name(self.path.stem, f"-at-{self.centre:.2f}")

    @property
    def title(self) -> str:
        """The file and the time, in words."""
        first, last = self.span
        return f"{self.path.name} at {self.centre:.2f} s ({first:.2f} to {last:.2f} s)"

    @property
    def at(self) -> float | None:
        """Where in the file it is, in seconds."""
        return self.centre

    @property
    def span(self) -> tuple[float, float]:
        """From where to where in the file it lies, in seconds; it may reach beyond its ends."""
        rate = self.front_end.sample_rate
        return self.start / rate, (self.start + self.waveform.size) / rate

    @property
    def values(self) -> np.ndarray:
        """What the network is given, (F, T) or (1, W)."""
        return self.waveform[None] if self.raw else self.mel

    @property
    def seen(self) -> np.ndarray:
        """What is looked at, (F, T)."""
        return self.mel

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """A map of what the network is given as one (F, T) of what is looked at."""
        if not self.raw:
            return area
        hop, length = self.front_end.hop_length, self.front_end.frame_length
        frames = [area[0, t * hop : t * hop + length].mean() for t in range(self.mel.shape[1])]
        return np.broadcast_to(frames, self.mel.shape).copy()

    def _side(self, mel: np.ndarray, waveform: np.ndarray) -> Side:
        peak = float(np.abs(self.waveform).max(initial=0.0))
        return sounding(mel, waveform, self.front_end.sample_rate, peak)

    def whole(self) -> Side:
        """The excerpt."""
        return self._side(self.mel, self.waveform)

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """The parts kept (n,), and the rest, which add up to the whole.

        Of sources the components themselves; else the real sound, cut or filtered.
        """
        if isinstance(parts, SourceMix):
            sounds = parts.waveforms(np.stack([kept, ~kept]))
        else:
            share = parts.spread(kept.astype(np.float64))
            if self.raw:
                part = self.waveform * share[0]
            else:
                part = filter_by_share(self.waveform, share, self.front_end)
            sounds = np.stack([part, self.waveform - part]).astype(np.float32)
        plain = replace(self.front_end, centred=False)  # its frames begin where the sound does
        return [self._side(log_mel(sound, plain).T, sound) for sound in sounds]

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """PNG of a map and the cells kept, both as the network's input."""
        shown = self.on_view(kept.astype(np.float64)) > 0.5
        return attribution_picture(self.mel, self.on_view(area), shown, self.front_end, title)

    def truth(self, text: str) -> np.ndarray | None:
        """Cells of booleans, as the network's input, that `--truth` says matter; None: unknown."""
        spans = truth_spans(text, self.path)
        if spans is None:
            return None
        rate = self.front_end.sample_rate
        if self.raw:
            times = (self.start + np.arange(self.waveform.size)) / rate
        else:
            times = frame_times(self.mel.shape[1], replace(self.front_end, centred=False))
            times = times + self.start / rate
        inside = np.zeros(times.size, dtype=bool)
        for start, end in spans:
            inside |= (times >= start) & (times < end)
        return np.broadcast_to(inside, self.values.shape).copy()


def moments(inputs: Sequence[str], input_spec: FrontEnd | WaveformInput) -> list[Moment]:
    """The excerpts that `FILE@SECONDS` and `FILE` name; the latter every excerpt, end to end.

    Beyond the ends of a recording stands silence. Raises BadFile for a file that cannot be
    used, UsageError for a time outside of it.
    """
    found = []
    for text in inputs:
        path, at = split_seconds(text)
        if isinstance(input_spec, WaveformInput):
            found += _waveforms(text, path, at, input_spec)
        else:
            found += log_mels_of(text, path, at, input_spec)
    for name, times in Counter(moment.name for moment in found).items():
        if times > 1:
            raise UsageError(f"{name}: named twice; remove one")
    return found


def log_mels_of(text: str, path: Path, at: float | None, front_end: FrontEnd) -> list[Moment]:
    """The excerpt of a recording around `at`, in seconds; without it, all one after another."""
    sound = load_mono(path, front_end.sample_rate)
    mel = log_mel(sound, front_end)
    if not len(mel):
        raise BadFile(f"{path}: shorter than one frame; nothing to explain")
    times = frame_times(len(mel), front_end)
    if at is None:
        frames = _middles(len(mel), front_end.excerpt_frames)
    elif at > times[-1] + front_end.frame_length / front_end.sample_rate:
        raise UsageError(f"{text}: the recording ends at {times[-1]:.2f} s")
    else:
        frames = [int(np.argmin(np.abs(times - at)))]
    return [_log_mel(path, sound, mel, frame, front_end) for frame in frames]


def _middles(length: int, excerpt: int) -> list[int]:
    """Middles of the excerpts of something, one after another; of a shorter one its own."""
    if length < excerpt:
        return [length // 2]
    return list(range(excerpt // 2, length - (excerpt - 1) // 2, excerpt))


def _log_mel(
    path: Path, sound: np.ndarray, mel: np.ndarray, frame: int, front_end: FrontEnd
) -> Moment:
    length = front_end.excerpt_frames
    first = frame - length // 2
    low, high = max(first, 0), min(first + length, len(mel))
    outside = ((0, 0), (low - first, first + length - high))
    excerpt = np.pad(mel[low:high].T, outside, constant_values=front_end.silence)
    start = first * front_end.hop_length
    start -= front_end.frame_length // 2 if front_end.centred else 0
    return Moment(
        path, start, float(frame_times(frame + 1, front_end)[frame]),
        excerpt.astype(np.float32), cut(sound, start, front_end.excerpt_samples), front_end,
    )  # fmt: skip


def _waveforms(text: str, path: Path, at: float | None, input_spec: WaveformInput) -> list[Moment]:
    rate, view = input_spec.sample_rate, display_front_end(input_spec)
    sound = load_mono(path, rate)
    if at is not None and at * rate > sound.size:
        raise UsageError(f"{text}: the recording ends at {sound.size / rate:.2f} s")
    middles = _middles(sound.size, input_spec.samples) if at is None else [round(at * rate)]
    found = []
    for middle in middles:
        start = middle - input_spec.samples // 2
        waveform = cut(sound, start, input_spec.samples)
        mel = log_mel(cut(waveform, 0, max(view.excerpt_samples, input_spec.samples)), view).T
        found.append(Moment(path, start, middle / rate, mel, waveform, view, raw=True))
    return found


def cut(sound: np.ndarray, start: int, samples: int) -> np.ndarray:
    """Samples (samples,) of a sound from `start`, which may be negative; zeros beyond its ends."""
    piece = np.zeros(samples, dtype=sound.dtype)
    low, high = max(start, 0), min(start + samples, sound.size)
    if high > low:
        piece[low - start : high - start] = sound[low:high]
    return piece


# --- what is known to matter ------------------------------------------------------------------


def truth_spans(text: str, recording: Path) -> list[tuple[float, float]] | None:
    """Spans in seconds of a `.lab` file, of one in a folder, or in which a vocal stem sounds.

    None where the folder has none of the recording's name.
    """
    path = Path(text)
    if path.is_dir():
        path = in_form_on_disk(path, f"{recording.stem}.lab")
        if not path.is_file():
            return None
    if path.suffix == ".lab":
        return _lab_spans(path)
    rate = 22050
    return active_spans(load_channels(path, rate), rate, STEM_LEVEL, 0.0, 0.0)


def _lab_spans(path: Path) -> list[tuple[float, float]]:
    if not path.is_file():
        raise UsageError(f"--truth {path}: no such file")
    spans = []
    for number, line in enumerate(split_lines(label_text(path)), 1):
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
