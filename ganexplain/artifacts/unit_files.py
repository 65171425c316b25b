"""Where the files of each unit of a run are: explanations, ranking and real responses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganexplain.artifacts.explanations import read_explanation_meta
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import given_path
from ganexplain.config import ReportConfig, ValidateConfig
from ganexplain.errors import UsageError


@dataclass(frozen=True)
class UnitFiles:
    """Where the files of one unit are; `name` is its folder, empty for a single unit."""

    name: str
    explanations: Path
    selection: Path
    responses: Path

    @property
    def controls(self) -> Path:
        """Written by `select` beside its ranking, where controls were asked for."""
        return self.selection.with_name("controls.npz")

    @property
    def inputs(self) -> dict[str, Path]:
        """The files there are, by name."""
        files = {name: getattr(self, name) for name in ("explanations", "selection", "responses")}
        return files | ({"controls": self.controls} if self.controls.is_file() else {})


def unit_files(config: ReportConfig | ValidateConfig) -> list[UnitFiles]:
    """The files of each unit that the options name.

    Explanations are a file, or the run directory of `explain`; the selection is a file, or the
    directory of `select`, in which each of several units has a folder. Real responses are those
    beside the selection unless named. Raises UsageError where files do not go together or are
    missing.
    """
    paths = explanation_files(Path(config.explanations))
    given, several = Path(config.selection), len(paths) > 1
    if several and not given.is_dir():
        raise UsageError(
            f"--selection {given}: {config.explanations} holds {len(paths)} units; name the "
            "directory that select wrote for them"
        )
    units = []
    for path in paths:
        ranking = given / path.parent.name / "selection.json"
        if not several and not ranking.is_file():
            ranking = given / "selection.json" if given.is_dir() else given
        real = ranking.with_name("responses.npz")
        if config.responses:
            real = given_path(Path(config.responses), read_explanation_meta(path).target)
        for needed in (ranking, real):
            if not needed.is_file():
                raise UsageError(f"{needed}: no such file; run select on {config.explanations}")
        units.append(UnitFiles(path.parent.name if several else "", path, ranking, real))
    return units
