"""`select` for attributions: ranks the methods and settings of a run of `attribute`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganexplain.artifacts.attributions import (
    AttributionRanking,
    BestOfInput,
    Configuration,
    MeasuredInput,
    RankedConfiguration,
    read_measured,
)
from ganexplain.attribution.measures import MEASURES
from ganexplain.config import SelectConfig
from ganexplain.errors import check_known
from ganexplain.files.atomic import write_json
from ganexplain.metrics.bootstrap import Ranking, rank_configurations
from ganexplain.metrics.scores import DEFAULT_RULE
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress

DOCUMENT = "attributions.json"
DEFAULT = "faithfulness"  # measure to rank by where --by is not set
ONE_INPUT = "one input: no interval can be given; rank on more"


def attributions_in(path: Path) -> Path | None:
    """Return the `attributions.json` that a path names or contains, else None."""
    if path.is_dir():
        path = path / DOCUMENT
    return path if path.name == DOCUMENT and path.is_file() else None


def rank_attributions(
    config: SelectConfig,
    path: Path,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> AttributionRanking:
    """Rank the configurations of a run by the measure `--by` and write `selection.json`.

    The file contains rank, mean and 95 % interval over the inputs for each configuration, and the
    best configuration for each input. Raises UsageError for a measure that the run does not have.
    """
    of_units = config.by == DEFAULT_RULE  # also what earlier versions recorded where none was set
    wanted = DEFAULT if of_units or not config.by else config.by
    configurations, inputs = read_measured(path, MEASURES)
    known = [key for key in MEASURES if any(key in each for each in inputs[0].measures)]
    by = check_known("--by", wanted, known)
    ranking = rank_configurations(_values(inputs, by), MEASURES[by].better)
    with RunDirectory(out, "select", config, overwrite, resume) as run:
        warnings = (ONE_INPUT,) if len(inputs) == 1 else ()
        progress = run.keep_notes(progress)
        digest = run.used("attributions", path)
        run.note_inputs()
        if of_units:
            progress.note(f"--by {config.by}: ranks units; attributions are ranked by {DEFAULT}")
        for note in warnings:
            progress.note(note)
        found = AttributionRanking(
            chosen=int(np.argmin(ranking.rank)),
            by=by,
            better=MEASURES[by].better,
            configurations=_ranked(configurations, inputs, known, ranking),
            inputs=tuple(
                BestOfInput(each.file, each.at_s, int(best), each.folders[best])
                for each, best in zip(inputs, ranking.chosen, strict=True)
            ),
            warnings=warnings,
            attributions_hash=digest,
        )
        write_json(out / "selection.json", found.to_json())
        run.results["chosen"] = found.chosen
    return found


def _ranked(
    configurations: Sequence[Configuration],
    inputs: Sequence[MeasuredInput],
    known: Sequence[str],
    ranking: Ranking,
) -> tuple[RankedConfiguration, ...]:
    means = {key: _means(_values(inputs, key)) for key in known}
    return tuple(
        RankedConfiguration(
            each,
            rank=int(ranking.rank[k]),
            tied=bool(ranking.tied[k]),
            value=float(ranking.mean[k]),
            interval=tuple(ranking.interval[k].tolist()),
            means={key: means[key][k] for key in known},
        )
        for k, each in enumerate(configurations)
    )


def _values(inputs: Sequence[MeasuredInput], key: str) -> np.ndarray:
    """Return a measure (C, N) of each configuration for each input, NaN where it is missing."""
    rows = zip(*(one.measures for one in inputs), strict=True)
    return np.array([[each.get(key, np.nan) for each in row] for row in rows], dtype=np.float64)


def _means(values: np.ndarray) -> list[float | None]:
    """Return means (C,) over the inputs, None for a configuration without values."""
    means = [row[~np.isnan(row)] for row in values]
    return [float(row.mean()) if row.size else None for row in means]
