"""The base of all kinds of input: what the rest of the package asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from ganexplain.errors import UsageError
from ganexplain.inputs.words import Words

LARGEST = 2**24  # values of one input: more is a mistake


@dataclass(frozen=True)
class Standardisation:
    """What a network does first with values x in 0..1: v = low + x (high - low), and then
    (v - mean) / deviation, both a number a channel or one for all.
    """

    low: float
    high: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class Input(ABC):
    """What a network takes or a GAN generates, as plain values.

    Each kind is a frozen dataclass, whose fields are the keys of its specification. All but
    log-mel have a first field `kind` with their name in `kinds.KINDS` as its default.
    A property that is not abstract is that of a kind to which the question does not apply.
    """

    axis_words: ClassVar[Mapping[str, str]] = {  # what the letters of `axes` count
        "C": "channels", "F": "bands", "T": "frames", "H": "rows", "W": "steps",
    }  # fmt: skip
    array_axes: ClassVar[str]  # the letters in artifacts, where C and N count other things
    plural: ClassVar[str]  # what an error calls several
    words: ClassVar[Words]  # of a report
    keeps_recording: ClassVar[bool] = False  # whether artifacts keep the sound it was made from

    @property
    @abstractmethod
    def kind(self) -> str:
        """The name of the kind, by which specifications refer to it."""

    @property
    @abstractmethod
    def axes(self) -> str:
        """A letter each, of which `layout` in a specification makes orders."""

    @property
    @abstractmethod
    def layouts(self) -> tuple[str, ...]:
        """Those that networks usually have; the first is `axes`."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one input."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that a generated one can have."""

    @property
    @abstractmethod
    def noise_range(self) -> tuple[float, float]:
        """Range of noise of a usual level, with which networks are tried."""

    @property
    def is_plane(self) -> bool:
        """Whether it has rows and columns, so that maps and picture networks fit it."""
        return len(self.shape) > 1

    @property
    def length(self) -> int:
        """Steps of the time axis that one input spans; 1 without such an axis."""
        return 1

    @property
    def sound_rate(self) -> int:
        """Samples per second of its sound; 0 where it has none."""
        return 0

    @property
    def seconds(self) -> float:
        """The time that the sound of one input spans."""
        return 0.0

    @property
    def silence(self) -> float | None:
        """The value where nothing sounds."""
        return None

    @property
    def values_per_nat(self) -> float | None:
        """How far a value (band, frame) rises where the magnitude grows e-fold; None: no levels."""
        return None

    @property
    def excerpt_keys(self) -> tuple[str, ...]:
        """Keys in use that concern the whole input, which the bridge to a network applies."""
        return ()

    @property
    def features(self) -> str:
        """The user's function that makes it the network's input, module:name; empty: none."""
        return ""

    @property
    def unheard(self) -> tuple[str, ...]:
        """Keys with which it cannot be turned into sound, so that no GAN generates it."""
        return ()

    @property
    def standardisation(self) -> Standardisation | None:
        """What the network does with its values first, where the specification says so."""
        return None

    @property
    def segments(self) -> str:
        """The `--segments` of `attribute` where none are named."""
        return "6x4" if self.is_plane else "temporal"

    @property
    def generator_output(self) -> Self:
        """What a GAN generates for a network that takes this."""
        return self

    def check(self, where: str) -> None:
        """UsageError that names `where`, and the field if any, for values that cannot be used."""
        total = 1
        for size in self.shape:
            if size < 1:
                raise UsageError(f"{where}: sizes must be at least 1, not {self.shape}")
            total *= size
        if total > LARGEST:
            raise UsageError(
                f"{where}: {total:,} values an input are too many; at most {LARGEST:,}"
            )

    def omitted(self) -> dict[str, object]:
        """Fields that are not written where they have these values."""
        return {}
