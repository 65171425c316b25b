"""Excerpts of recordings that `attribute` explains, and the ground truth of `--truth`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.attribution.inputs.piece import Side, loudness_matched_side
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

STEM_LEVEL = -40.0  # dB relative to the loudest moment below which a stem is silent


@dataclass(frozen=True)
class Moment:
    """An excerpt of a recording: log-mel `mel` (F, T) of `front_end`, `waveform` (samples,).

    `text` is FILE@SECONDS or FILE, as given; `start` is its first sample in the recording, which
    may be negative, `centre` the time of its middle in seconds. If `raw`, the network's input is
    the waveform and the log-mel is only displayed; else the input is the log-mel.
    """

    text: str
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
        """The file and the time, as the name of a folder."""
        return shorten_name(self.path.stem, f"-at-{self.centre:.2f}")

    @property
    def title(self) -> str:
        """The file and the time, in words."""
        first, last = self.span
        return f"{self.path.name} at {self.centre:.2f} s ({first:.2f} to {last:.2f} s)"

    @property
    def at(self) -> float | None:
        """The time of its middle in the file, in seconds."""
        return self.centre

    @property
    def span(self) -> tuple[float, float]:
        """Its start and end in the file, in seconds; they may lie outside of the file."""
        rate = self.front_end.sample_rate
        return self.start / rate, (self.start + self.waveform.size) / rate

    @property
    def values(self) -> np.ndarray:
        """The network's input, (F, T) or (1, W)."""
        return self.waveform[None] if self.raw else self.mel

    @property
    def seen(self) -> np.ndarray:
        """The log-mel (F, T) to display."""
        return self.mel

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """Convert a map of the network's input to one (F, T) of the displayed log-mel."""
        if not self.raw:
            return area
        hop, length = self.front_end.hop_length, self.front_end.frame_length
        frames = [area[0, t * hop : t * hop + length].mean() for t in range(self.mel.shape[1])]
        return np.broadcast_to(frames, self.mel.shape).copy()

    def _side(self, mel: np.ndarray, waveform: np.ndarray) -> Side:
        peak = float(np.abs(self.waveform).max(initial=0.0))
        return loudness_matched_side(mel, waveform, self.front_end.sample_rate, peak)

    def whole(self) -> Side:
        """Return the whole excerpt."""
        return self._side(self.mel, self.waveform)

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """Return the parts kept (n,) and the rest, whose sounds add up to the whole.

        They are sums of the components of separated sources, else the cut or filtered recording.
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
        return [self._side(log_mel(sound, self.front_end.unpadded).T, sound) for sound in sounds]

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """Return a PNG of a map and of the cells kept, both in the shape of the input."""
        shown = self.on_view(kept.astype(np.float64)) > 0.5
        return attribution_picture(self.mel, self.on_view(area), shown, self.front_end, title)

    def truth(self, text: str) -> np.ndarray | None:
        """Return a mask of the input with the cells that `--truth` marks; None if unknown."""
        spans = read_truth_spans(text, self.path)
        if spans is None:
            return None
        rate = self.front_end.sample_rate
        if self.raw:
            times = (self.start + np.arange(self.waveform.size)) / rate
        else:
            times = frame_times(self.mel.shape[1], self.front_end.unpadded)
            times = times + self.start / rate
        inside = np.zeros(times.size, dtype=bool)
        for start, end in spans:
            inside |= (times >= start) & (times < end)
        return np.broadcast_to(inside, self.values.shape).copy()


def read_excerpts(
    inputs: Sequence[str], read: Callable[[str, Path, float | None], list[Moment]]
) -> list[Moment]:
    """Read the excerpts that `FILE@SECONDS` and `FILE` name; `FILE` means all, end to end.

    `read` is `read_log_mels` or `read_waveforms` for one input specification. Excerpts are padded
    with silence beyond the ends of a recording. Raises BadFile for a file that cannot be used,
    UsageError for a time outside of it.
    """
    found = []
    for text in inputs:
        path, at = split_seconds(text)
        found += read(text, path, at)
    for name, times in Counter(moment.name for moment in found).items():
        if times > 1:
            raise UsageError(f"{name}: named twice; remove one")
    return found


def read_log_mels(text: str, path: Path, at: float | None, front_end: FrontEnd) -> list[Moment]:
    """Read the excerpt of a recording around `at` seconds, or all excerpts end to end."""
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
    return [_log_mel(text, path, sound, mel, frame, front_end) for frame in frames]


def _middles(length: int, excerpt: int) -> list[int]:
    """Return the middles of successive excerpts; of less than an excerpt, its own middle."""
    if length < excerpt:
        return [length // 2]
    return list(range(excerpt // 2, length - (excerpt - 1) // 2, excerpt))


def _log_mel(
    text: str, path: Path, sound: np.ndarray, mel: np.ndarray, frame: int, front_end: FrontEnd
) -> Moment:
    length = front_end.excerpt_frames
    first = frame - length // 2
    low, high = max(first, 0), min(first + length, len(mel))
    outside = ((0, 0), (low - first, first + length - high))
    excerpt = np.pad(mel[low:high].T, outside, constant_values=front_end.silence)
    start = first * front_end.hop_length - front_end.padding[0]
    return Moment(
        text, path, start, float(frame_times(frame + 1, front_end)[frame]),
        excerpt.astype(np.float32), cut(sound, start, front_end.excerpt_samples), front_end,
    )  # fmt: skip


def read_waveforms(
    text: str, path: Path, at: float | None, input_spec: WaveformInput
) -> list[Moment]:
    """The waveform of a recording around `at`, in seconds; without it, all one after another."""
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
        found.append(Moment(text, path, start, middle / rate, mel, waveform, view, raw=True))
    return found


def cut(sound: np.ndarray, start: int, samples: int) -> np.ndarray:
    """Cut (samples,) out of a sound from `start`, which may be negative; pad with zeros."""
    piece = np.zeros(samples, dtype=sound.dtype)
    low, high = max(start, 0), min(start + samples, sound.size)
    if high > low:
        piece[low - start : high - start] = sound[low:high]
    return piece


# --- ground truth -----------------------------------------------------------------------------


def read_truth_spans(text: str, recording: Path) -> list[tuple[float, float]] | None:
    """Read spans in seconds from a `.lab` file, a folder of them, or a vocal stem.

    The spans of a stem are those where it is not silent. None if the folder has no file with the
    recording's name.
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
