"""The document of `input`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ganexplain.files.atomic import Document, JsonObject
from ganexplain.networks.descriptions.comparison import Comparison


@dataclass(frozen=True)
class Change:
    """A key of a description that the features contradict: its value there, and the right one."""

    key: str
    was: object
    now: object


@dataclass(frozen=True)
class InputDescription:
    """The input of a network: values of an `--input` file and its `[network]`.

    `reference` names what computed the features of the example, and `comparison` how far those
    of the description are from them.
    """

    path: str
    input: Document
    network: Document
    reference: str
    comparison: Comparison | None
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        return asdict(self)

    @property
    def lines(self) -> list[str]:
        """The path, the measures, the changes and the notes, a line each."""
        found, lines = self.comparison, [self.path]
        if found:
            ours, theirs = (" x ".join(map(str, shape)) for shape in (found.ours, found.theirs))
            measured = found.agreement
            lines += [
                f"compared with\t{self.reference}, {theirs}, layout {found.layout} (here {ours})",
                f"largest difference\t{measured.largest:.3g}",
                f"RMS difference\t{measured.rms:.3g}, {measured.share:.2g} of the deviation",
                f"correlation\t{measured.correlation:.7f}",
            ]
        lines += [f"changed\t{each.key}: {each.was!r} to {each.now!r}" for each in self.changes]
        return [*lines, *(f"note\t{each}" for each in self.notes)]
