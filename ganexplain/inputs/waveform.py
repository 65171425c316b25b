"""Waveforms of one rate and length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.words import SOUND


@dataclass(frozen=True, kw_only=True)
class WaveformInput(Input):
    """Mono sound of `samples` samples at `sample_rate` Hz, full scale 1, times `gain`.

    Before that a share `preemphasis` of the sample before is subtracted from each, and with
    `standardise` each waveform loses its mean and is divided by its deviation, as CREPE has it;
    with a `variance_offset`, by the root of its mean square and that, as wav2vec 2.0 has it.
    `features` names a function of torch, module:function, that makes of such waveforms (B, W) what
    the network takes.
    """

    axes, array_axes = "W", "W"
    layouts = ("W", "1W", "W1", "2W")
    plural, words = "waveforms", SOUND

    kind: str = "waveform"
    sample_rate: int
    samples: int
    gain: float = 1.0
    standardise: bool = False
    preemphasis: float = 0.0
    features: str = ""
    variance_offset: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one waveform, (W,)."""
        return (self.samples,)

    @property
    def length(self) -> int:
        """Samples of one waveform."""
        return self.samples

    @property
    def bounds(self) -> tuple[float, float]:
        """Full scale."""
        return -1.0, 1.0

    @property
    def noise_range(self) -> tuple[float, float]:
        """A tenth of full scale."""
        return -0.1, 0.1

    @property
    def sound_rate(self) -> int:
        """The sample rate."""
        return self.sample_rate

    @property
    def seconds(self) -> float:
        """The length of one waveform."""
        return self.samples / self.sample_rate

    @property
    def silence(self) -> float:
        """Zero."""
        return 0.0

    @property
    def generator_output(self) -> Self:
        """The same waveform as it sounds."""
        return replace(
            self, gain=1.0, standardise=False, preemphasis=0.0, features="", variance_offset=0.0
        )

    def omitted(self) -> dict[str, object]:
        """The defaults of the fields that earlier versions did not have."""
        return {"preemphasis": 0.0, "features": "", "variance_offset": 0.0}

    def check(self, where: str) -> None:
        """UsageError that names `where` and the key, for values that cannot be used."""
        super().check(where)
        if not (self.sample_rate > 0 and self.gain > 0):
            raise UsageError(f"{where}: sample_rate and gain must be above zero")
        if not 0 <= self.preemphasis <= 1:
            raise UsageError(f"{where}: preemphasis is {self.preemphasis}; give 0 to 1")
        if self.variance_offset < 0:
            raise UsageError(f"{where}: variance_offset is {self.variance_offset}; give at least 0")
