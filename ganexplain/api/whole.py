"""The record of `run` and `demo`, which go from recordings to a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

from ganexplain.api.records import Page
from ganexplain.api.runs import Run
from ganexplain.api.units import Explanation, Responses, Selection
from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.plan import read_plan
from ganexplain.artifacts.selection import read_selection
from ganexplain.config import SelectConfig
from ganexplain.files.atomic import Document, read_json


@dataclass(frozen=True, repr=False)
class WholeRun(Run[PathLike[str]]):
    """A page and the stages before it. In a notebook it shows the page.

    Attributes:
        result: The page; of `demo` with `next_commands` to try.
        responses: The real excerpts that drive the unit most and least.
        explanation: The examples of the search.
        selection: The settings by rank.
        page: The page.
    """

    @property
    def responses(self) -> Responses:
        """The real excerpts that drive the unit most and least."""
        return Responses(*self._stage("responses", "responses.npz"), (), (self,))

    @property
    def explanation(self) -> Explanation:
        """The examples of the search."""
        return Explanation(*self._stage("explain", "explanations.npz"), (), (self,))

    @property
    def selection(self) -> Selection:
        """The settings by rank."""
        folder, _, paths = self._stage("select", "selection.json")
        pairs = zip(paths, self.explanation.result, strict=True)
        rankings = [read_selection(path, read_explanations(made)) for path, made in pairs]
        config = SelectConfig(explanations=str(self.out / "explain"))
        return Selection(folder, config, rankings, (), (self,))

    @property
    def page(self) -> Page:
        """The page; of several units the page of links to theirs."""
        path = Path(self.result)
        return Page(path.parent, None, path, (), (self,))

    @cached_property
    def record(self) -> Mapping[str, Document]:  # type: ignore[override]
        """The content of `run.json` of each stage."""
        return {path.parent.name: read_json(path) for path in sorted(self.out.glob("*/run.json"))}

    @property
    def figures(self) -> Document:
        """The figures of each stage, as in its `run.json`."""
        return {name: found["results"] for name, found in self.record.items()}

    def __fspath__(self) -> str:
        return str(Path(self.result))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.out)!r}), page {Path(self.result)}"

    def _repr_html_(self) -> str:
        return self.page._repr_html_()

    def _stage(self, name: str, file: str) -> tuple[Path, None, list[Path]]:
        """The folder of a stage, no settings, and its files of each unit in the search's order."""
        folder, targets = self.out / name, read_plan(self.out / "explain").targets
        units = (unit for each in targets for unit in (each.name, each.unit.file_name))
        paths = [folder / unit / file for unit in dict.fromkeys(units)]
        return folder, None, [path for path in paths if path.is_file()] or [folder / file]
