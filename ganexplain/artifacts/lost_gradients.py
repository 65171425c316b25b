"""How many searches of a run had no gradient: fields of a meta, and words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of

import numpy as np

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields

LOST = "searches_without_gradient"


@dataclass(frozen=True)
class LostSearches:
    """Of `searches` how many had no gradient at any step, and from how many starts.

    The names of the fields are those of a meta.
    """

    searches: int
    searches_without_gradient: int
    starts_without_gradient: int

    @classmethod
    def count(cls, no_gradient: np.ndarray) -> LostSearches:
        """Of searches (L, N), where a search has no gradient."""
        starts = int(no_gradient.any(axis=0).sum())
        return cls(no_gradient.size, int(no_gradient.sum()), starts)

    @classmethod
    def from_json(cls, fields: Fields) -> LostSearches | None:
        """Of a meta or a control; None where they were not counted, or none was lost."""
        if LOST not in fields:
            return None
        names = [field.name for field in fields_of(cls)]
        return cls(*(fields.optional(fields.integer, name) or 0 for name in names))

    def to_json(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)

    def in_words(self, examples: int) -> str:
        """How many searches, from how many of the `examples` starts; empty where all had one."""
        if not self.searches_without_gradient:
            return ""
        return (
            f"{self.searches_without_gradient} of {self.searches} searches, from "
            f"{self.starts_without_gradient} of {examples} starts, have no gradient: the response "
            "does not change with the latent there (a dead rectifier, say), and they only follow "
            "the prior"
        )


def refuse_lost(name: str, no_gradient: np.ndarray) -> None:
    """GanexplainError where no search (L, N) of a unit had a gradient."""
    if no_gradient.all():
        words = LostSearches.count(no_gradient).in_words(no_gradient.shape[1])
        raise GanexplainError(f"{name}: {words}; choose another unit")
