"""`select` for attributions: the run of `attribute` -> which method and setting holds best."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ganexplain.attribution.measures import MEASURES
from ganexplain.config import SelectConfig
from ganexplain.errors import GanexplainError, check_known, shown
from ganexplain.files.atomic import read_json, write_json
from ganexplain.metrics.bootstrap import Ranking, rank
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress

DOCUMENT = "attributions.json"
DEFAULT = "faithfulness"  # measure to rank by where none is named


def attributions_in(path: Path) -> Path | None:
    """The `attributions.json` that a path names or holds, None where it is of another kind."""
    if path.is_dir():
        path = path / DOCUMENT
    return path if path.name == DOCUMENT and path.is_file() else None


def rank_attributions(
    config: SelectConfig, path: Path, out: Path, progress: Progress, overwrite: bool = False
) -> list[dict[str, Any]]:
    """Rank the configurations of a run by the measure `--by`: writes `selection.json`.

    The document has, for each, rank, mean and 95 % interval over the inputs, and for each input
    the configuration that is best there. Raises UsageError for a measure that the run has not.
    """
    found = read_json(path)
    wanted = DEFAULT if config.by == SelectConfig.by else config.by  # that of neurons
    try:
        inputs, configurations = found["inputs"], found["configurations"]
        table = [[entry["results"][k]["measures"] for entry in inputs]
                 for k in range(len(configurations))]  # fmt: skip
        known = [key for key in MEASURES if any(row[0].get(key) is not None for row in table)]
        _check(configurations, table, inputs, known)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GanexplainError(
            f"{path}: not what `attribute` wrote ({error}); make it again"
        ) from error
    by = check_known("--by", wanted, known)
    ranking = rank(_values(table, by), MEASURES[by].better)
    with RunDirectory(out, "select", config, overwrite) as run:
        document = _document(by, configurations, table, inputs, known, ranking)
        document["attributions_hash"] = run.used("attributions", path)
        if len(inputs) == 1:
            note = "one input: no interval can be given; rank on more"
            document["warnings"] = [note]
            run.keep_notes(progress).note(note)
        write_json(out / "selection.json", document)
        run.results["chosen"] = document["chosen"]
    return [document]


def _check(
    configurations: list[Any], table: list[Any], inputs: list[Any], known: list[str]
) -> None:
    """ValueError, or what comes of taking it for what it is not, where a value is of no use."""
    for row in table:
        for measures in row:
            told = [measures.get(key) for key in known]
            if not all(each is None or abs(float(each)) < 1e300 for each in told):
                raise ValueError("measures that are not finite numbers")
    texts = [entry[key] for entry in configurations for key in ("method", "segments", "fill")]
    texts += [entry["file"] for entry in inputs]
    folders = [each["folder"] for entry in inputs for each in entry["results"]]
    if not all(isinstance(text, str) for text in texts + folders):
        raise TypeError("names that are no texts")
    for folder in map(PurePath, folders):
        if folder.is_absolute() or ".." in folder.parts:
            raise ValueError(f"folder {shown(str(folder))} leads out of the run")
    if not all(isinstance(entry["at_s"], int | float | None) for entry in inputs):
        raise TypeError("times that are no numbers")


def _values(table: list[list[dict[str, float | None]]], key: str) -> np.ndarray:
    rows = [[np.nan if (v := each.get(key)) is None else v for each in row] for row in table]
    return np.array(rows, dtype=np.float64)


def _means(values: np.ndarray) -> list[float | None]:
    """Means (C,) over the inputs; None of a configuration that has the measure for none."""
    means = [row[~np.isnan(row)] for row in values]
    return [float(row.mean()) if row.size else None for row in means]


def _document(
    by: str,
    configurations: list[dict[str, str]],
    table: list[list[dict[str, float | None]]],
    inputs: list[dict[str, Any]],
    known: list[str],
    ranking: Ranking,
) -> dict[str, Any]:
    means = {key: _means(_values(table, key)) for key in known}
    rows = [
        {
            **each,
            "rank": int(ranking.rank[k]),
            "tied": bool(ranking.tied[k]),
            "value": float(ranking.mean[k]),
            "interval": ranking.interval[k].tolist(),
            **{key: means[key][k] for key in known},
        }
        for k, each in enumerate(configurations)
    ]
    chosen = [
        {
            "file": entry["file"],
            "at_s": entry["at_s"],
            "chosen": int(best),
            "folder": entry["results"][best]["folder"],
        }
        for entry, best in zip(inputs, ranking.chosen, strict=True)
    ]
    return {
        "kind": "attributions",
        "chosen": int(np.argmin(ranking.rank)),
        "by": by,
        "better": MEASURES[by].better,
        "configurations": rows,
        "inputs": chosen,
        "warnings": [],
    }
