"""`predict` of pictures: files or folders of them and a classifier -> a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.classifiers.prediction import CHUNK_PICTURES, predict_pictures
from ganexplain.config import PredictConfig
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.picture_files import is_picture, load_picture
from ganexplain.corpora.picture_folders import Picture
from ganexplain.corpora.spans import decide
from ganexplain.errors import BadFile, GanexplainError, UsageError
from ganexplain.files.atomic import write_table
from ganexplain.inputs.kinds import ImageInput
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress

TABLE = "predictions.csv"


def predict_files(
    config: PredictConfig,
    classifier: Classifier,
    told: Mapping[str, Any],
    out: Path,
    progress: Progress,
    overwrite: bool,
) -> dict[str, Any]:
    """Write `predictions.csv`, a line a picture; give the document of `--json`, `told` at its head.

    Raises UsageError for a folder without pictures, BadFile for a file that is none (noted and
    left out with `skip_bad_files`), GanexplainError where no picture is left.
    """
    paths = list(listed(config.files))
    for path in paths:  # a misspelt name shows before the run begins
        if not (path.is_file() or config.skip_bad_files):
            missing = BadFile(f"{path}: no such file; correct the name")
            missing.one_of_many = True
            raise missing
    table = str(out / TABLE)
    document: dict[str, Any] = {**told, "table": table, "files": [], "skipped": []}
    with RunDirectory(out, "predict", config, overwrite) as run:
        progress = run.keep_notes(progress)
        run.used("classifier", Path(config.classifier))
        progress.start("predicting", len(paths))
        used: list[Path] = []
        for start in range(0, len(paths), CHUNK_PICTURES):
            part = paths[start : start + CHUNK_PICTURES]
            good, skipped = _read(part, classifier, config.skip_bad_files)
            for message in skipped:
                progress.note(f"skipped: {message}")
            document["skipped"] += skipped
            document["files"] += _entries(good, classifier)
            used += good
            progress.advance(len(part))
        if not used:
            raise GanexplainError("no picture could be used; each is named above with the reason")
        run.used_recordings("pictures", [Picture(path, "", -1) for path in used])
        rows = (
            [e["file"], e["class"], *(f"{p:.6f}" for p in e["probabilities"].values())]
            for e in document["files"]
        )
        write_table(out / TABLE, ["file", "class", *classifier.classes], rows)
        run.results.update(pictures=len(used), skipped=document["skipped"])
    return document


def listed(names: Iterable[str]) -> Iterable[Path]:
    """Files as named, and of folders all pictures below, by path."""
    for path in map(Path, names):
        if not path.is_dir():
            yield path
            continue
        found = [file for file in files_below(path) if is_picture(file)]
        if not found:
            raise UsageError(f"{path}: no pictures in this folder")
        yield from found


def _read(
    paths: list[Path], classifier: Classifier, skip_bad_files: bool
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Pictures by path, and what is wrong with those left out."""
    assert isinstance(classifier.front_end, ImageInput)
    good: dict[Path, np.ndarray] = {}
    skipped = []
    for path in paths:
        try:
            good[path] = load_picture(path, classifier.front_end)
        except BadFile as error:
            if not skip_bad_files:
                error.one_of_many = True
                raise
            skipped.append(str(error))
    return good, skipped


def _entries(pictures: dict[Path, np.ndarray], classifier: Classifier) -> list[dict[str, Any]]:
    """What is said of each picture."""
    if not pictures:
        return []
    chance = predict_pictures(classifier.network, np.stack(list(pictures.values())))
    if not np.isfinite(chance).all():
        raise GanexplainError("the classifier's outputs are not finite; train it again")
    numbers, names = decide(chance, classifier.threshold), classifier.classes
    return [
        {
            "file": str(path),
            "class": names[number],
            "probabilities": {k: round(float(p), 6) for k, p in zip(names, row, strict=True)},
        }
        for path, number, row in zip(pictures, numbers, chance, strict=True)
    ]
