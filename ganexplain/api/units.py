"""The records of commands that work unit by unit: responses, explanations, selections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from ganexplain.api.display import Row, rows_shown, text_shown
from ganexplain.api.runs import Run
from ganexplain.artifacts import selection
from ganexplain.artifacts.attributions import AttributionRanking
from ganexplain.artifacts.explanations import (
    Explanations,
    read_explanation_meta,
    read_explanations,
)
from ganexplain.artifacts.merging import explanation_files
from ganexplain.audio.log_mel import read_front_end
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.files.atomic import Document
from ganexplain.inputs.base import Input
from ganexplain.report.tables import aligned, attributions_table, chosen_table, ranking_table

LISTED = 5  # excerpts of the highest responses in the text of a record


class Array:
    """An array in the file of a record, by its key there."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, run: Any, owner: object = None) -> np.ndarray:
        found: np.ndarray = run.arrays[self.key]
        return found


@dataclass(frozen=True, repr=False)
class UnitFiles(Run[list[Path]]):
    """A file for each unit; `units` has a record for each."""

    @property
    def units(self) -> tuple[Self, ...]:
        """The same for one unit each."""
        return tuple(replace(self, result=[path]) for path in self.result)

    @property
    def file(self) -> Path:
        """The file of the only unit; UsageError if there are several."""
        if len(self.result) != 1:
            raise UsageError(f"{self.out}: has {len(self.result)} units; take one of `units`")
        return self.result[0]

    def __fspath__(self) -> str:
        return str(self.result[0] if len(self.result) == 1 else self.out)

    def __repr__(self) -> str:
        names = ", ".join(repr(str(path)) for path in self.result[:4])
        return f"{type(self).__name__}({names}{', ...' if len(self.result) > 4 else ''})"


@dataclass(frozen=True, repr=False)
class Responses(UnitFiles):
    """The real excerpts that drive a unit most, strongest last.

    Attributes:
        units: The same for each unit, if there are several.
        arrays: All arrays of `responses.npz`; with the prefix `bottom_` those that drive it
            least.

    Shape:
        `inputs` (R, ...) for R excerpts, `response` (R,), `recording` (R,) the file of each,
        and `start_s` (R,) where it begins, in seconds.
    """

    inputs, response, recording, start_s = map(Array, ("mel", "response", "file", "start_s"))

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the file."""
        return self._read[0]

    @cached_property
    def input_spec(self) -> Input:
        """The description of `inputs`."""
        return read_front_end(self.file, self._read[1]["front_end"])

    @cached_property
    def _read(self) -> tuple[Mapping[str, np.ndarray], Document]:
        return read_arrays(self.file, "responses", ())

    def __repr__(self) -> str:
        """The excerpts of the highest responses, and the last of the others."""
        if len(self.result) != 1 or not self.file.is_file():
            return super().__repr__()
        order = np.argsort(-self.response, kind="stable")
        places = [f"{self.recording[k]}@{self.start_s[k]:.2f}" for k in order]
        table = [[f"{self.response[k]:.2f}", at] for k, at in zip(order, places, strict=True)]
        shown = [*table[:LISTED], ["...", ""], table[-1]] if len(table) > LISTED + 1 else table
        return "\n".join([super().__repr__(), aligned([["response", "excerpt"], *shown], left=2)])

    def _repr_html_(self) -> str:
        """The excerpts of the highest and the lowest response."""
        meta, arrays = self._read[1], self.arrays
        highest = np.argsort(-self.response, kind="stable")
        lowest = np.argsort(arrays["bottom_response"], kind="stable")
        rows = [
            Row("highest response", self.inputs[highest], self.response[highest]),
            Row("lowest", arrays["bottom_mel"][lowest], arrays["bottom_response"][lowest]),
        ]
        return rows_shown(f"{meta['layer']}:{meta['neuron']}, real", rows, self.input_spec)


@dataclass(frozen=True, repr=False)
class Explanation(UnitFiles):
    """Inputs that drive a unit: C settings with N examples each. In a notebook it shows itself.

    Attributes:
        units: The same for each unit and direction, if there are several.
        arrays: All arrays of `explanations.npz`, by their keys there.

    Shape:
        `learning_rate`, `prior_weight`, `iterations` (C,); `latent` (C, N, Z); `inputs`
        (C, N, ...) as the GAN generates them, described by `input_spec`; `response` (C, N);
        `start_inputs` (N, ...) and `start_response` (N,) before the search.
    """

    learning_rate, prior_weight = Array("learning_rate"), Array("prior_weight")
    iterations, latent, inputs = Array("iterations"), Array("latent"), Array("mel")
    response, start_inputs = Array("response"), Array("start_mel")
    start_response = Array("start_response")

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the file."""
        return self._read.arrays

    @property
    def layer(self) -> str:
        """The layer of the unit."""
        return self._read.meta.unit.layer

    @property
    def neuron(self) -> int | str:
        """The number or the form of the unit."""
        return self._read.meta.unit.neuron

    @property
    def direction(self) -> str:
        """Whether its response is maximised (`max`) or minimised (`min`)."""
        return self._read.meta.direction

    @property
    def input_spec(self) -> Input:
        """The description of `inputs`."""
        return self._read.front_end

    @property
    def searches_without_gradient(self) -> int:
        """How many searches had no gradient to follow at any step."""
        lost = self._read.meta.lost
        return lost.searches_without_gradient if lost else 0

    @cached_property
    def _read(self) -> Explanations:
        return read_explanations(self.file)

    def warn(self) -> Iterator[str]:
        """The searches that had no gradient to follow."""
        for path in self.result:
            if path.is_file():  # a shard has parts
                meta = read_explanation_meta(path)
                if meta.lost and (words := meta.lost.in_words(self.settings.examples)):
                    yield f"{meta.target.name}: {words}"

    def sounds(self, setting: int = 0) -> np.ndarray:
        """Waveforms (N, samples) of one setting's excerpts; UsageError for pictures."""
        from ganexplain.audio.sonify import make_sounds

        return make_sounds(self.input_spec, self.inputs[setting])

    def row(self, setting: int) -> Row:
        """The examples of a setting, to show."""
        title = (
            f"learning rate {self.learning_rate[setting]:g}, prior weight "
            f"{self.prior_weight[setting]:g}, {self.iterations[setting]} iterations"
        )
        return Row(title, self.inputs[setting], self.response[setting])

    def _repr_html_(self) -> str:
        """The examples before the search, and of the setting that went furthest."""
        if len(self.result) > 1:
            return "".join(each._repr_html_() for each in self.units)
        sign = 1 if self.direction == "max" else -1
        best = int(np.argmax(sign * self.response.mean(axis=1)))
        rows = [Row("before the search", self.start_inputs, self.start_response), self.row(best)]
        return rows_shown(f"{self.layer}:{self.neuron}, {self.direction}", rows, self.input_spec)


@dataclass(frozen=True, repr=False)
class Selection(Run[list[selection.Selection] | AttributionRanking]):
    """Settings by rank, or the attributions of `attribute` by rank. In a notebook it shows itself.

    Attributes:
        result: The content of `selection.json`, one for each unit; an `AttributionRanking`
            of attributions.
    """

    @property
    def units(self) -> tuple[selection.Selection, ...]:
        """The ranking of each unit; empty for attributions."""
        return () if isinstance(self.result, AttributionRanking) else tuple(self.result)

    @property
    def chosen(self) -> int:
        """The number of the chosen setting; UsageError if there are several units."""
        return self._one.chosen

    @property
    def table(self) -> str:
        """The table that the command prints."""
        if isinstance(self.result, AttributionRanking):
            return attributions_table(self.result)
        return chosen_table(self.result) if len(self.result) > 1 else ranking_table(self.result[0])

    @property
    def _one(self) -> selection.Selection | AttributionRanking:
        if isinstance(self.result, AttributionRanking):
            return self.result
        if len(self.result) != 1:
            raise UsageError(f"{self.out}: has {len(self.result)} units; take one of `units`")
        return self.result[0]

    def __repr__(self) -> str:
        return f"Selection({str(self.out)!r})\n{self.table}"

    def _repr_html_(self) -> str:
        """The table, and the chosen examples beside the real excerpts of one unit."""
        if len(self.units) != 1:
            return text_shown(self.table)
        found = Explanation(
            self.out, self.settings, explanation_files(Path(self.settings.explanations))
        )
        real, _ = read_arrays(self.out / "responses.npz", "responses", ())
        prefix = "" if found.direction == "max" else "bottom_"
        order = np.argsort(-real[f"{prefix}response"] * (1 if found.direction == "max" else -1))
        rows = [
            Row("real excerpts", real[f"{prefix}mel"][order], real[f"{prefix}response"][order]),
            found.row(self.chosen),
        ]
        return text_shown(self.table) + rows_shown(self.units[0].unit, rows, found.input_spec)


def rank(explanation: Explanation, real: np.ndarray) -> list[dict[str, float]]:
    """Settings by the Frechet distance of their responses to those of real inputs, best first.

    Args:
        explanation: Explanation of one unit.
        real: Responses (R,) of real inputs.

    Returns:
        A mapping for each setting; `setting` is its row in the explanation's arrays.
    """
    from ganexplain.metrics.distances import frechet_distance

    scored = [
        {
            "setting": c,
            "learning_rate": float(explanation.learning_rate[c]),
            "prior_weight": float(explanation.prior_weight[c]),
            "iterations": int(explanation.iterations[c]),
            "fid_response": frechet_distance(explanation.response[c], real),
        }
        for c in range(len(explanation.response))
    ]
    return sorted(scored, key=lambda row: (row["fid_response"], row["setting"]))
