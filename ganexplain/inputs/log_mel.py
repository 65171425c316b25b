"""Excerpts of log-mel: the front end that computes them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from ganexplain.errors import UsageError, check_known
from ganexplain.inputs.base import LARGEST, Input
from ganexplain.inputs.excerpt_steps import MOST_FRAMES, ExcerptSteps
from ganexplain.inputs.words import SOUND

LARGEST_FILTERBANK = 2**22  # weights, bins x bands
QUIETEST = 1e-37  # floor that float32 can hold
ROUNDING = 1e-6  # of float32
SHORTEST_WINDOW = 3  # samples of a Hann window that is not zero throughout
ALWAYS = (
    "sample_rate", "frame_length", "hop_length", "mel_bands", "lowest_hz", "highest_hz", "floor",
    "excerpt_frames",
)  # fmt: skip
CHOICES = {
    "mel_scale": ("htk", "slaney", "linear"),
    "filters": ("yaafe", "slaney", "peak", "none"),
    "triangles": ("hz", "mel"),
    "window": ("symmetric", "periodic"),
    "window_shape": ("hann", "hamming", "povey", "blackman", "rectangular"),
    "preemphasis_of": ("frame", "signal"),
    "pad_mode": ("constant", "reflect", "symmetric", "edge"),
    "logarithm": ("ln", "log10", "db", "none", "pcen"),
    "delta_kind": ("repeated", "fitted"),
    "delta_axis": ("bands", "channels"),
    "standardise": ("none", "excerpt", "band", "band-mean", "range"),
}


@dataclass(frozen=True)
class FrontEnd(Input, ExcerptSteps):
    """The log-mel front end (Schlueter & Grill 2015, used unchanged by Mishra et al. 2019).

    Frequencies in Hz (`highest_hz` 0: half the rate), lengths in samples, the floor as a
    magnitude, the excerpt in frames. The rest says how others have it, in the order of the steps:

    - samples: `preemphasis` c, x[n] - c x[n - 1], of the `signal` or, as kaldi has it, of each
      `frame`, whose first sample stands before itself; `remove_mean` of each frame before that;
    - frames of `frame_length`, `centred` on their time or not, with `pad_start` and `pad_end`
      more samples at the ends of a recording, by `pad_mode` (constant: zeros; reflect, symmetric,
      edge: as `numpy.pad`); a window of `window_shape`, symmetric or periodic (`window`), of
      `window_length` samples in the middle (0: the frame); zeros behind it up to `fft_length`
      (0: the frame);
    - bands of magnitudes to the `power`: on a `mel_scale` (htk, slaney or linear), `filters` that
      are `triangles` over Hz or over mel (yaafe: of unit sum; slaney: of unit area; peak: of height
      one) or none, which makes each spectral bin from `lowest_hz` to `highest_hz` a band;
    - the logarithm of max(gain mel + offset, floor), `ln`, `log10`, `db` (10 log10, with power 2),
      `pcen` or none; then times `scale` plus `shift`;
    - the steps of whole excerpts (`ExcerptSteps`).
    """

    kind = "log-mel"
    array_axes = "FT"
    plural, words, keeps_recording = "log-mel", SOUND, True

    sample_rate: int = 22050
    frame_length: int = 1024
    hop_length: int = 315
    mel_bands: int = 80
    lowest_hz: float = 27.5
    highest_hz: float = 8000.0
    floor: float = 1e-7
    excerpt_frames: int = 115
    mel_scale: str = "htk"
    filters: str = "yaafe"
    power: float = 1.0
    window: str = "symmetric"
    window_length: int = 0
    centred: bool = False
    pad_mode: str = "constant"
    gain: float = 1.0
    offset: float = 0.0
    logarithm: str = "ln"
    scale: float = 1.0
    shift: float = 0.0
    triangles: str = "hz"
    window_shape: str = "hann"
    fft_length: int = 0
    preemphasis: float = 0.0
    preemphasis_of: str = "frame"
    remove_mean: bool = False
    pad_start: int = 0
    pad_end: int = 0

    @property
    def axes(self) -> str:
        """Channels if there are any, bands and time."""
        return "CFT" if self.channels else "FT"

    @property
    def layouts(self) -> tuple[str, ...]:
        """Those of pictures, or with and without one channel."""
        return (
            ("CFT", "CTF", "FTC", "TFC")
            if self.channels
            else ("FT", "TF", "1FT", "1TF", "3FT", "2FT")
        )

    @property
    def transform_length(self) -> int:
        """Samples of the Fourier transform of a frame."""
        return self.fft_length or self.frame_length

    @property
    def padding(self) -> tuple[int, int]:
        """Samples that are added before and behind a recording."""
        half = self.frame_length // 2 if self.centred else 0
        return half + self.pad_start, half + self.pad_end

    @property
    def bins(self) -> range:
        """The numbers of the spectral bins from `lowest_hz` to `highest_hz`."""
        length, highest = self.transform_length, self.highest_hz or self.sample_rate / 2
        first, last = (round(hz * length / self.sample_rate, 6) for hz in (self.lowest_hz, highest))
        return range(math.ceil(first), min(math.floor(last), length // 2) + 1)

    @property
    def unpadded(self) -> FrontEnd:
        """The same front end with the first frame at the first sample."""
        return replace(self, centred=False, pad_start=0, pad_end=0)

    @property
    def seconds(self) -> float:
        """The time that the frames of one excerpt span."""
        return self.excerpt_samples / self.sample_rate

    @property
    def silence(self) -> float:
        """The value of a band without any sound: that of the floor."""
        value = max(self.offset, self.floor)
        levels = {"ln": math.log, "log10": math.log10, "db": lambda x: 10 * math.log10(x)}
        return levels.get(self.logarithm, float)(value) * self.scale + self.shift

    @property
    def decibels_per_unit(self) -> float:
        """Change of sound level in dB that raises a value by one; 0 for values without logarithm.

        20 / ln 10 = 8.69 for the defaults (nat), 1 for decibels of power.
        """
        per_nat = self.values_per_nat
        return 20.0 / math.log(10) / per_nat if per_nat else 0.0

    @property
    def values_per_nat(self) -> float:
        """How far a value rises where the magnitude grows e-fold; 0 without a logarithm."""
        of_e = {"ln": 1.0, "log10": 1 / math.log(10), "db": 10 / math.log(10)}
        return of_e.get(self.logarithm, 0.0) * self.power * self.scale

    @property
    def unit(self) -> str:
        """Unit of the values: nat, dB, or empty where they have no usual one."""
        named = {("ln", 1.0): "nat", ("db", 2.0): "dB"}
        return named.get((self.logarithm, self.power), "") if self.scale == 1 else ""

    @property
    def frame_rate(self) -> float:
        """Frames per second (70 for the defaults)."""
        return self.sample_rate / self.hop_length

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one excerpt, (F, T) or (C, F, T)."""
        stack = min(max(self.stack, 1), self.excerpt_frames)  # others are refused by `check`
        plane = self.rows(self.mel_bands) * stack, self.excerpt_frames // max(stack, 1)
        return (self.channels, *plane) if self.channels else plane

    @property
    def excerpt_samples(self) -> int:
        """Samples that the frames of one excerpt span."""
        return (self.excerpt_frames - 1) * self.hop_length + self.frame_length

    @property
    def length(self) -> int:
        """Frames of one excerpt."""
        return self.excerpt_frames

    @property
    def bounds(self) -> tuple[float, float]:
        """From silence on, without an upper end."""
        return self.silence, math.inf

    @property
    def noise_range(self) -> tuple[float, float]:
        """Those of soft to loud music, in nat."""
        return -9.0, -1.0

    @property
    def sound_rate(self) -> int:
        """The sample rate."""
        return self.sample_rate

    @property
    def excerpt_keys(self) -> tuple[str, ...]:
        """Keys in use that concern all frames of an excerpt together."""
        keys = tuple(f.name for f in fields(ExcerptSteps) if getattr(self, f.name) != f.default)
        return (*keys, "logarithm") if self.logarithm == "pcen" else keys

    @property
    def generator_output(self) -> Self:
        """The log-mel of the same frames, before the steps of whole excerpts and its scale."""
        if not self.excerpt_keys:
            return self
        usual: dict[str, Any] = {each.name: each.default for each in fields(ExcerptSteps)}
        logarithm = "ln" if self.logarithm == "pcen" else self.logarithm
        return replace(self, **usual, scale=1.0, shift=0.0, logarithm=logarithm)

    @property
    def unheard(self) -> tuple[str, ...]:
        """Keys with which it cannot be turned into sound."""
        return tuple(name for name in ("preemphasis", "fft_length") if getattr(self, name))

    def omitted(self) -> dict[str, object]:
        """The defaults of all fields that earlier versions did not have."""
        return {name: value for name, value in asdict(FrontEnd()).items() if name not in ALWAYS}

    def check(self, where: str) -> None:
        """UsageError that names `where` and the key, for values that cannot be used."""
        super().check(where)
        for name, known in CHOICES.items():
            check_known(f"{where}: {name}", getattr(self, name), known)
        self._check_sizes(where)
        steps = self.wrong_steps(self.mel_bands, self.excerpt_frames)
        for name, is_wrong in (self._wrong_keys() | steps).items():
            if is_wrong:
                raise UsageError(f"{where}: {name} = {getattr(self, name)!r} cannot be used here")
        self._check_bins(where)
        if self.floor >= self._loudest + self.offset:
            raise UsageError(
                f"{where}: no sound is above floor = {self.floor:g} with gain = {self.gain:g} and "
                f"offset = {self.offset:g}"
            )

    @property
    def _loudest(self) -> float:
        """A value before the logarithm that no sound exceeds, of a power that can be used."""
        return self.gain * float(self.frame_length) ** min(self.power, 2.0) * self.frame_length

    def _check_sizes(self, where: str) -> None:
        """UsageError for too many values, and for bands outside of the spectrum."""
        weights = (self.transform_length // 2 + 1) * self.mel_bands
        if weights > LARGEST_FILTERBANK or self.excerpt_samples > LARGEST:
            raise UsageError(
                f"{where}: frames of {self.frame_length:,} samples, {self.mel_bands:,} bands and "
                f"excerpts of {self.excerpt_samples:,} samples are too many"
            )
        half, highest = self.sample_rate / 2, self.highest_hz or self.sample_rate / 2
        if not 0 <= self.lowest_hz < highest <= half:
            raise UsageError(
                f"{where}: bands from {self.lowest_hz:g} to {highest:g} Hz do not lie within 0 to "
                f"{half:g} Hz, half the rate"
            )

    def _wrong_keys(self) -> dict[str, bool]:
        """Whether each key of a frame has a value that cannot be used."""
        loudest = self._loudest
        most = loudest if self.logarithm == "none" else 1e3  # of values before scale and shift
        return {
            "frame_length": self.frame_length < SHORTEST_WINDOW,
            "window_length": self.window_length != 0
            and not SHORTEST_WINDOW <= self.window_length <= self.frame_length,
            "fft_length": self.fft_length != 0 and self.fft_length < self.frame_length,
            "hop_length": not self.hop_length > 0,
            "excerpt_frames": self.logarithm == "pcen" and self.excerpt_frames > MOST_FRAMES,
            "pad_start": not 0 <= self.pad_start <= LARGEST,
            "pad_end": not 0 <= self.pad_end <= LARGEST,
            "preemphasis": not 0 <= self.preemphasis <= 1,
            "power": self.power not in (1.0, 2.0),
            "gain": not self.gain > 0,
            "floor": self.floor < QUIETEST,
            # Beside these any sound would be lost in rounding.
            "offset": abs(self.offset) > loudest / ROUNDING,
            "scale": not self.scale > 0,
            "shift": abs(self.shift) > self.scale * most / ROUNDING,
            "filters": self.filters == "yaafe" and self.mel_scale != "htk",
            "triangles": self.filters in ("yaafe", "none") and self.triangles != "hz",
            "mel_scale": self.filters == "none" and self.mel_scale != "linear",
        }

    def _check_bins(self, where: str) -> None:
        """UsageError where bands that are spectral bins are not as many as those are."""
        bins = self.bins
        if self.filters == "none" and self.mel_bands != len(bins):
            raise UsageError(
                f"{where}: mel_bands = {self.mel_bands}, but filters = 'none' makes each bin from "
                f"lowest_hz to highest_hz a band; give mel_bands = {len(bins)}"
            )


def require_log_mel(input_spec: Input, otherwise: str) -> FrontEnd:
    """The same input; UsageError with the message `otherwise` for one that is not log-mel."""
    if isinstance(input_spec, FrontEnd):
        return input_spec
    raise UsageError(otherwise)
