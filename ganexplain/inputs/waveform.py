"""Waveforms of one rate and length."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WaveformInput:
    """Mono sound of `samples` samples at `sample_rate` Hz, full scale 1, times `gain`.

    With `standardise` each waveform loses its mean and is divided by its deviation, as CREPE has
    it.
    """

    kind: str = "waveform"
    sample_rate: int
    samples: int
    gain: float = 1.0
    standardise: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one waveform, (W,)."""
        return (self.samples,)
