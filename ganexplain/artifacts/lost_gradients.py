"""The number of a run's searches without a gradient, in metas and in messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of

import numpy as np

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields

LOST = "searches_without_gradient"


@dataclass(frozen=True)
class LostSearches:
    """The number of `searches`, of those without a gradient at any step, and of their starts.

    The fields have the names of those in a meta.
    """

    searches: int
    searches_without_gradient: int
    starts_without_gradient: int

    @classmethod
    def count(cls, no_gradient: np.ndarray) -> LostSearches:
        """The counts for searches (L, N) that are true without a gradient."""
        starts = int(no_gradient.any(axis=0).sum())
        return cls(no_gradient.size, int(no_gradient.sum()), starts)

    @classmethod
    def from_json(cls, fields: Fields) -> LostSearches | None:
        """The counts in a meta or a control; None if there are none."""
        if LOST not in fields:
            return None
        names = [field.name for field in fields_of(cls)]
        return cls(*(fields.optional(fields.integer, name) or 0 for name in names))

    def to_json(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)

    def in_words(self, examples: int) -> str:
        """The counts as a sentence; empty if all searches have a gradient."""
        if not self.searches_without_gradient:
            return ""
        return (
            f"{self.searches_without_gradient} of {self.searches} searches, from "
            f"{self.starts_without_gradient} of {examples} starts, have no gradient: the response "
            "does not change with the latent there (a dead rectifier, say), and they only follow "
            "the prior"
        )


def refuse_lost(name: str, no_gradient: np.ndarray) -> None:
    """Raise GanexplainError if none of the searches (L, N) of a unit has a gradient."""
    if no_gradient.all():
        words = LostSearches.count(no_gradient).in_words(no_gradient.shape[1])
        raise GanexplainError(f"{name}: {words}; choose another unit")
