"""A kind of input of another package: how loud a sound is in some bands, from 0 to 1.

What CONTRIBUTING.md says that a kind needs, and no more, in one module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.attribution.inputs.piece import Side
from ganexplain.attribution.inputs.reading import read_pieces
from ganexplain.attribution.masking import Parts
from ganexplain.audio.display import display_inputs, display_spec
from ganexplain.audio.io import load_mono
from ganexplain.audio.sonify import make_sounds
from ganexplain.corpora.load import read_split
from ganexplain.corpora.recordings import Corpus
from ganexplain.corpora.single import load_example
from ganexplain.corpora.waveform_split import WaveformSplit, load_waveform_split
from ganexplain.inputs.base import Input
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.inputs.words import SOUND
from ganexplain.report.pictures.attribution_picture import picture_attribution, picture_png
from ganexplain.runs.inputs import Recording
from ganexplain.runs.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Envelope(Input):
    """Loudness in `bands` bands over `frames` frames of `hop` samples at `sample_rate` Hz."""

    axes, array_axes, layouts = "FT", "FT", ("FT", "TF")
    plural, words = "envelopes", SOUND

    kind: str = "envelope"
    sample_rate: int
    hop: int
    bands: int
    frames: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.bands, self.frames

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def noise_range(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def length(self) -> int:
        return self.sound.samples

    @property
    def sound_rate(self) -> int:
        return self.sample_rate

    @property
    def sound(self) -> WaveformInput:
        """The waveforms it is computed from."""
        return WaveformInput(sample_rate=self.sample_rate, samples=self.hop * self.frames)

    def of(self, waveforms: np.ndarray) -> np.ndarray:
        """Envelopes (N, F, T) of waveforms (N, samples)."""
        frames = waveforms.reshape(len(waveforms), self.frames, self.hop)
        spectrum = np.abs(np.fft.rfft(frames)) / self.hop
        bands = np.array_split(spectrum, self.bands, axis=2)
        loudness = np.stack([band.sum(axis=2) for band in bands], axis=1)
        return np.tanh(4 * loudness).astype(np.float32)


@dataclass(frozen=True)
class EnvelopeSplit:
    """Envelopes of the recordings of one split."""

    sound: WaveformSplit
    front_end: Envelope

    @property
    def recordings(self) -> Sequence[Recording]:
        return self.sound.recordings

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        return self.sound.whole_excerpts(hop_frames)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        return self.front_end.of(self.sound.gather(centres))

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        values = self.gather(self.whole_excerpts(10))
        return values.mean(axis=(0, 2)), values.std(axis=(0, 2)).clip(1e-6)

    def whole_files(self) -> Sequence[np.ndarray]:
        return list(self.gather(self.whole_excerpts(10)))

    def excerpt_sources(self, centres: np.ndarray) -> dict[str, np.ndarray]:
        return self.sound.excerpt_sources(centres)

    def excerpt_audio(self, centres: np.ndarray) -> None:
        return None


@read_split.register
def read_envelopes(
    input_spec: Envelope, material: Corpus, name: str, cache: Path, progress: Progress, skip: bool
) -> EnvelopeSplit:
    sound = load_waveform_split(material, name, input_spec.sound, cache, progress, skip)
    return EnvelopeSplit(sound, input_spec)


@load_example.register
def load_envelope(input_spec: Envelope, path: Path) -> np.ndarray:
    sound = load_mono(path, input_spec.sample_rate)
    return input_spec.of(np.resize(sound, input_spec.length)[None])[0]


@dataclass(frozen=True)
class EnvelopePiece:
    """The envelope of a recording's beginning, to explain."""

    path: Path
    values: np.ndarray
    at, span, suffix = None, None, "png"

    @property
    def text(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.stem

    title = name

    @property
    def seen(self) -> np.ndarray:
        return self.values[None, ::-1]

    def on_view(self, area: np.ndarray) -> np.ndarray:
        return area[::-1]

    def whole(self) -> Side:
        return Side(self.seen, picture_png(self.seen))

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        both = parts.compose(np.stack([kept, ~kept])).cpu().numpy()
        shown = [values[None, ::-1] for values in both]
        return [Side(picture, picture_png(picture)) for picture in shown]

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        return picture_attribution(self.seen, self.on_view(area), self.on_view(kept), title)

    def truth(self, text: str) -> None:
        return None


@read_pieces.register
def envelopes_of(input_spec: Envelope, inputs: Sequence[str]) -> list[EnvelopePiece]:
    return [EnvelopePiece(Path(text), load_envelope(input_spec, Path(text))) for text in inputs]


@make_sounds.register
def noise_of(
    input_spec: Envelope, inputs: np.ndarray, iterations: int = 100, seed: int = 0
) -> np.ndarray:
    """Noise that is as loud."""
    loudness = inputs.mean(axis=1).repeat(input_spec.hop, axis=1)
    noise = np.random.default_rng(seed).uniform(-1, 1, loudness.shape[1])
    return (loudness * noise).astype(np.float32)


@display_spec.register
def picture_of(input_spec: Envelope) -> Input:
    return ImageInput(channels=1, height=input_spec.bands, width=input_spec.frames)


@display_inputs.register
def pictures_of(input_spec: Envelope, inputs: np.ndarray) -> np.ndarray:
    """Grey pictures (..., 1, F, T), the lowest band at the bottom."""
    return inputs[..., None, ::-1, :]
