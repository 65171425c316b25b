"""Excerpts of log-mel: the front end that computes them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class FrontEnd:
    """The log-mel front end (Schlueter & Grill 2015, used unchanged by Mishra et al. 2019).

    Frequencies in Hz (`highest_hz` 0: half the rate), lengths in samples, the floor as a
    magnitude, the excerpt in frames. The rest says how others have it: mel values by `mel_scale`
    (htk or slaney), triangles by `filters` (yaafe: of unit sum; slaney: of unit area; peak: of
    height one), of magnitudes to the `power`, a Hann `window` (symmetric or periodic) of
    `window_length` samples (0: the frame), frames `centred` on their time or not, and then the
    ends of a recording padded by `pad_mode` (constant: zeros; reflect: mirrored); the logarithm
    of max(gain mel + offset, floor), `ln`, `log10`, `db` (10 log10, with power 2) or none;
    `relative` to the excerpt's largest value, cut `range_below` it (0: not at all); then times
    `scale` plus `shift`.
    """

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
    relative: bool = False
    range_below: float = 0.0
    scale: float = 1.0
    shift: float = 0.0

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
        """Of one excerpt, (F, T)."""
        return self.mel_bands, self.excerpt_frames

    @property
    def excerpt_samples(self) -> int:
        """Samples that the frames of one excerpt span."""
        return (self.excerpt_frames - 1) * self.hop_length + self.frame_length
